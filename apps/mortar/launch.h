// Starting a program in place of this process, with more environment. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace mortar::cli {

// The file that execvp would run for `name`: with a slash as it is, else the first executable in PATH.
// Errors: kNotFound (shells: 127), kDenied (there, but not executable; shells: 126).
base::Result<std::string> FindProgram(const std::string& name);

// Replaces this process by `words`, with `environment` added to its own. Returns only if that failed: the
// exit code, after a message.
int Launch(const std::string& path, const std::vector<std::string>& words,
           const std::map<std::string, std::string>& environment);

// Exit code of a failed FindProgram.
int ExitOf(const base::Error& error);

}  // namespace mortar::cli
