// `mortar completion` and `mortar man`: the command line described, for shells and for man.
#include <fmt/format.h>

#include <memory>

#include "mortar/invocation.h"
#include "mortar/output.h"
#include "mortar/reference.h"
#include "trace/output_file.h"

namespace mortar::cli {
namespace {

int WriteManPages(const CLI::App& root, const std::string& folder) {
  for (const CLI::App* command : AllCommands(root)) {
    std::string file = FullName(command) + ".1";
    for (char& c : file) c = c == ' ' ? '-' : c;
    auto output =
        trace::OutputFile::Create(fmt::format("{}/{}", folder, file), trace::OutputFile::Kind::kPlain);
    auto status =
        output.ok() ? (*output)->Write(ManPage(*command, MORTAR_VERSION)) : base::Status(output.error());
    if (status.ok()) status = (*output)->Commit();
    if (status.ok()) continue;
    Complain("mortar man: " + status.error().message);
    return kFailed;
  }
  return kDone;
}

}  // namespace

void AddCompletion(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("completion", "Print a shell's completion of this command line");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n  source <(mortar completion bash)\n"
      "  mortar completion fish > ~/.config/fish/completions/mortar.fish");
  command->callback([&app, &invocation, shell] {
    invocation.action = [&app, shell] {
      Print(Completion(app, *shell == "fish" ? Shell::kFish : *shell == "zsh" ? Shell::kZsh : Shell::kBash));
      return kDone;
    };
  });
}

void AddMan(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("man", "Print this command's man page, or write those of all commands");
  auto folder = std::make_shared<std::string>();
  command->add_option("--all", *folder, "Write a page for each command into this folder")->type_name("DIR");
  command->footer("Examples:\n  mortar man | man -l -\n  mortar man --all /usr/local/share/man/man1");
  command->callback([&app, &invocation, folder] {
    invocation.action = [&app, folder] {
      if (!folder->empty()) return WriteManPages(app, *folder);
      Print(ManPage(app, MORTAR_VERSION));
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace mortar::cli
