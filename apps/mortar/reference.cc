#include "mortar/reference.h"

#include <fmt/format.h>

#include <algorithm>

namespace mortar::cli {
namespace {

std::vector<const CLI::App*> Children(const CLI::App& command) { return command.get_subcommands({}); }

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

// Text as roff shows it unchanged.
std::string Roff(const std::string& text) {
  std::string escaped = Replaced(Replaced(text, "\\", "\\e"), "-", "\\-");
  for (const char* command : {".", "'"}) {
    escaped = Replaced(escaped, std::string("\n") + command, std::string("\n\\&") + command);
    if (escaped.rfind(command, 0) == 0) escaped.insert(0, "\\&");
  }
  return escaped;
}

struct Flag {
  std::vector<std::string> names;  // with their dashes; empty: a positional argument
  std::string value;               // FILE; empty: none is taken
  std::string what;
};

std::vector<Flag> FlagsOf(const CLI::App& command) {
  std::vector<Flag> flags;
  for (const CLI::Option* option : command.get_options()) {
    Flag flag;
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    if (flag.names.empty() && option->get_positional()) {
      flag.value = option->get_name(true);
    } else if (option->get_items_expected_max() > 0) {
      flag.value = option->get_type_name();
    }
    flag.what = option->get_description();
    flags.push_back(flag);
  }
  return flags;
}

std::string Dashed(const CLI::App* command) { return Replaced(FullName(command), " ", "-"); }

std::string Quoted(const std::string& text) { return "'" + Replaced(text, "'", "'\\''") + "'"; }

std::string Words(const CLI::App& command) {
  std::string words;
  for (const CLI::App* child : Children(command)) words += child->get_name() + " ";
  for (const Flag& flag : FlagsOf(command)) {
    for (const std::string& name : flag.names) words += name + " ";
  }
  if (!words.empty()) words.pop_back();
  return words;
}

// One case for each command: what may follow it. Whatever else is typed is taken for a file.
std::string BashCompletion(const CLI::App& root) {
  std::string script = R"(# mortar completion bash
_mortar() {
  local word current=${COMP_WORDS[COMP_CWORD]} path= i
  for ((i = 0; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == -- ]] && { COMPREPLY=($(compgen -c -f -- "$current")); return; }
    case "$path $word" in
)";
  std::string offers;
  for (const CLI::App* command : AllCommands(root)) {
    const std::string name = FullName(command);
    const std::size_t parent = name.rfind(' ');
    const std::string typed = command == &root ? " mortar" : name.substr(0, parent) + name.substr(parent);
    script +=
        fmt::format("      {}) path={} ;;\n", command == &root ? "\" \"*" : Quoted(typed), Quoted(name));
    offers += fmt::format("    {}) words={} ;;\n", Quoted(name), Quoted(Words(*command)));
  }
  return script + R"(    esac
  done
  local words=
  case $path in
)" + offers +
         R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _mortar mortar
)";
}

std::string FishCompletion(const CLI::App& root) {
  std::string script = "# mortar completion fish\n";
  for (const CLI::App* command : AllCommands(root)) {
    std::string seen;
    for (const CLI::App* at = command; at->get_parent() != nullptr; at = at->get_parent()) {
      seen = fmt::format("__fish_seen_subcommand_from {}{}{}", at->get_name(), seen.empty() ? "" : "; and ",
                         seen);
    }
    std::string names;
    for (const CLI::App* child : Children(*command)) names.append(" ").append(child->get_name());
    const std::string here = seen.empty() ? "__fish_use_subcommand"
                             : names.empty()
                                 ? seen
                                 : fmt::format("{}; and not __fish_seen_subcommand_from{}", seen, names);
    for (const CLI::App* child : Children(*command)) {
      script += fmt::format("complete -c mortar -f -n {} -a {} -d {}\n", Quoted(here), child->get_name(),
                            Quoted(child->get_description()));
    }
    for (const Flag& flag : FlagsOf(*command)) {
      if (flag.names.empty()) continue;
      std::string line = "complete -c mortar -n " + Quoted(here);
      for (const std::string& name : flag.names)
        line += name.rfind("--", 0) == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
      script += line + (flag.value.empty() ? "" : " -r") + " -d " + Quoted(flag.what) + "\n";
    }
  }
  return script;
}

}  // namespace

std::vector<const CLI::App*> AllCommands(const CLI::App& command) {
  std::vector<const CLI::App*> all = {&command};
  for (const CLI::App* child : Children(command)) {
    const auto below = AllCommands(*child);
    all.insert(all.end(), below.begin(), below.end());
  }
  return all;
}

std::string FullName(const CLI::App* command) {
  std::string name = command->get_name();
  for (const CLI::App* parent = command->get_parent(); parent != nullptr; parent = parent->get_parent()) {
    name.insert(0, parent->get_name() + " ");
  }
  return name;
}

std::string ManPage(const CLI::App& command, const std::string& version) {
  const std::string name = Dashed(&command);
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string page = fmt::format(".TH \"{}\" 1 \"\" \"mortar {}\" \"Mortar\"\n.SH NAME\n{} \\- {}\n",
                                 Roff(upper), Roff(version), Roff(name), Roff(command.get_description()));
  std::string positionals;
  for (const Flag& flag : FlagsOf(command)) {
    if (flag.names.empty()) positionals += " \\fI" + Roff(flag.value) + "\\fR";
  }
  const auto children = Children(command);
  page += ".SH SYNOPSIS\n\\fB" + Roff(FullName(&command)) + "\\fR [\\fIOPTIONS\\fR]" + positionals +
          (children.empty() ? "" : " [\\fISUBCOMMAND\\fR]") + "\n.SH OPTIONS\n";
  for (const Flag& flag : FlagsOf(command)) {
    std::string names;
    for (const std::string& one : flag.names)
      names += (names.empty() ? "" : ", ") + ("\\fB" + Roff(one) + "\\fR");
    if (!flag.value.empty()) names += (names.empty() ? "" : " ") + ("\\fI" + Roff(flag.value) + "\\fR");
    page += ".TP\n" + names + "\n" + Roff(flag.what) + "\n";
  }
  if (!children.empty()) page += ".SH SUBCOMMANDS\n";
  for (const CLI::App* child : children) {
    page += fmt::format(".TP\n\\fB{}\\fR\n{}; see \\fB{}\\fR(1)\n", Roff(child->get_name()),
                        Roff(child->get_description()), Roff(Dashed(child)));
  }
  if (!command.get_footer().empty()) page += ".SH NOTES\n.nf\n" + Roff(command.get_footer()) + "\n.fi\n";
  if (const CLI::App* parent = command.get_parent()) {
    page += ".SH SEE ALSO\n\\fB" + Roff(Dashed(parent)) + "\\fR(1)\n";
  }
  return page;
}

std::string Completion(const CLI::App& root, Shell shell) {
  if (shell == Shell::kFish) return FishCompletion(root);
  if (shell == Shell::kBash) return BashCompletion(root);
  return "#compdef mortar\nautoload -U +X bashcompinit && bashcompinit\n" + BashCompletion(root);
}

}  // namespace mortar::cli
