// Running a program to its end as a child, for subcommands that do something with what it leaves. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace mortar::cli {

// While one lives, SIGINT, SIGTERM, SIGHUP and SIGCHLD are kept for RunChild or for its end: what a
// subcommand does after its program is not cut short by the signal that ended the program.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
};

// Starts `words` (found at `path`) with `environment` added and waits for it. Signals sent to this process go
// on to the child, except those that a terminal sends to both. Returns the child's exit code, or 128 + the
// signal that ended it. REQUIRES: a SignalsHeld lives.
int RunChild(const std::string& path, const std::vector<std::string>& words,
             const std::map<std::string, std::string>& environment);

}  // namespace mortar::cli
