#include "mortar/invocation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>

#include "board/view.h"
#include "mortar/output.h"
#include "mortar/reference.h"

namespace mortar::cli {

#define COMMAND(name) void Add##name(CLI::App& app, Invocation& invocation);
#include "mortar/commands.def"
#undef COMMAND

namespace {

constexpr char kFooter[] = R"(Examples:
  mortar run --name serve --priority 0 --max-slowdown 2% -- ./server --port 80
  mortar run --name train --priority 5 -- ./train
  mortar status
  mortar set serve --max-slowdown 1%
  mortar set --policy priority
  mortar off

Exit codes: 0 done, 1 failed, 2 bad input; `mortar run` ends with the program's own, or with 126 (program is not
executable) or 127 (program not found).
Boards: --dir, else $MORTAR_DIR, else /run/mortar where it exists, else /dev/shm/mortar-UID.)";

// Says in the usage line what CLI11 never sees: the program behind `--`.
class Formatter : public CLI::Formatter {
 public:
  explicit Formatter(const Invocation& invocation) : invocation_(invocation) { column_width(34); }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, name);
    const auto& takers = invocation_.take_program;
    if (std::find(takers.begin(), takers.end(), app) == takers.end()) return usage;
    usage.erase(usage.find_last_not_of('\n') + 1);
    return usage + " -- PROGRAM [ARGUMENTS...]\n";
  }

 private:
  const Invocation& invocation_;
};

void AddAll(CLI::App& app, Invocation& invocation) {
#define COMMAND(name) Add##name(app, invocation);
#include "mortar/commands.def"
#undef COMMAND
}

// The innermost subcommand that was named, for messages and for who takes a program.
const CLI::App* Chosen(const CLI::App& app) {
  const CLI::App* chosen = &app;
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
  return chosen;
}

// What is wrong, in our words where CLI11's would not help.
std::string Explain(const CLI::App& app, const Invocation& invocation, const CLI::ParseError& error) {
  const CLI::App* chosen = Chosen(app);
  const std::vector<std::string> unexpected = app.remaining(/*recurse=*/true);
  if (unexpected.empty()) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  }
  const std::string word = board::CleanText(unexpected.front());
  if (word.front() == '-') return fmt::format("there is no flag \"{}\"", word);
  if (!chosen->get_subcommands({}).empty()) return fmt::format("there is no subcommand \"{}\"", word);
  const auto& takers = invocation.take_program;
  const bool takes = std::find(takers.begin(), takers.end(), chosen) != takers.end();
  return fmt::format("\"{}\" was not expected{}", word,
                     takes ? "; if it is the program, put -- before it" : "");
}

// CLI11 prints two lines and has exit codes of its own: ours is one line, and 2.
int ReportParseError(const CLI::App& app, const Invocation& invocation, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version: to stdout
  const std::string name = FullName(Chosen(app));
  Complain(fmt::format("{}: {}; see {} --help", name, Explain(app, invocation, error), name));
  return kBadInput;
}

int Parse(CLI::App& app, Invocation& invocation, std::vector<std::string> words) {
  const auto mark = std::find(words.begin(), words.end(), "--");
  const bool marked = mark != words.end();
  if (marked) invocation.program.assign(mark + 1, words.end());
  words.erase(mark, words.end());
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return ReportParseError(app, invocation, error);
  }
  const auto& takers = invocation.take_program;
  const CLI::App* chosen = Chosen(app);
  if (marked && std::find(takers.begin(), takers.end(), chosen) == takers.end()) {
    Complain(FullName(chosen) + ": takes no program behind --; leave it out");
    return kBadInput;
  }
  return kDone;
}

}  // namespace

void AddDirectoryOption(CLI::App& command, Invocation& invocation) {
  command.add_option("--dir", invocation.directory, "Directory of the boards")->type_name("DIR");
}

int Main(const std::vector<std::string>& words) {
  try {
    Invocation invocation;
    CLI::App app("Share one accelerator between programs by priority, without changing them.", "mortar");
    app.formatter(std::make_shared<Formatter>(invocation));
    app.set_version_flag("--version", "mortar " MORTAR_VERSION);
    app.require_subcommand(1);
    AddAll(app, invocation);
    app.footer(kFooter);  // after AddAll: subcommands would inherit it
    if (const int code = Parse(app, invocation, words); code != kDone || !invocation.action) return code;
    if (!invocation.directory.empty()) setenv("MORTAR_DIR", invocation.directory.c_str(), 1);
    const int code = invocation.action();
    return code == kDone && !PrintedAll() ? kFailed : code;
  } catch (const std::exception& error) {
    Complain(std::string("failed: ") + error.what());
    return kFailed;
  }
}

}  // namespace mortar::cli
