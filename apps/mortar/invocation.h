// One call of `mortar`: what a subcommand gets, and what it hands back. One thread.
//
// Adding a subcommand takes one file with its Add function, and one line in commands.def.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace mortar::cli {

// What `mortar --help` promises.
enum Exit : int {
  kDone = 0,
  kFailed = 1,
  kBadInput = 2,
  kNotExecutable = 126,
  kNotFound = 127,
};

struct Invocation {
  // The words behind the first `--`, untouched; empty where there was none.
  std::vector<std::string> program;
  // The subcommand chosen: set by its callback, called once parsing has succeeded.
  std::function<int()> action;
  // Set by subcommands (before parsing) that take a program behind `--`; others refuse one.
  std::vector<const CLI::App*> take_program;
  // `--dir`, for subcommands that use boards (AddDirectoryOption); becomes MORTAR_DIR before `action` is
  // called.
  std::string directory;
};

// Gives `command` the flag --dir.
void AddDirectoryOption(CLI::App& command, Invocation& invocation);

// Runs `mortar WORDS…`; returns the exit code. Exceptions of libraries become messages.
int Main(const std::vector<std::string>& words);

}  // namespace mortar::cli
