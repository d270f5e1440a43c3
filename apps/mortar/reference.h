// The command line described for others: man pages and shell completion, from the same tree that --help
// prints. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace mortar::cli {

// `command` and all below it, depth first.
std::vector<const CLI::App*> AllCommands(const CLI::App& command);
// "mortar trace record".
std::string FullName(const CLI::App* command);

// A man page in section 1, roff with man macros.
std::string ManPage(const CLI::App& command, const std::string& version);

enum class Shell { kBash, kZsh, kFish };
std::string Completion(const CLI::App& root, Shell shell);

}  // namespace mortar::cli
