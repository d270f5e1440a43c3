// For this folder's tests alone: running the tool as a user does, and a directory of boards to run it on.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/owner.h"
#include "board/test_support.h"

namespace mortar::cli {

struct Outcome {
  int code = -1;  // exit code, or minus the signal's number
  std::string out, err;
  // Messages are one line each; this many were printed.
  std::ptrdiff_t lines() const { return std::count(err.begin(), err.end(), '\n'); }
};

namespace internal {

inline void ReadBoth(int out, int err, Outcome& outcome) {
  std::array<pollfd, 2> ends{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (poll(ends.data(), ends.size(), -1) < 0) continue;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      std::array<char, 4096> bytes{};
      const ssize_t length = read(ends[i].fd, bytes.data(), bytes.size());
      if (length <= 0) {
        ends[i].fd = -1;
      } else {
        (i == 0 ? outcome.out : outcome.err).append(bytes.data(), static_cast<std::size_t>(length));
      }
    }
  }
}

}  // namespace internal

// Runs `mortar WORDS…` with `changes` made to the environment (an empty value removes the variable).
inline Outcome RunMortar(const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& changes) {
  int out[2];
  int err[2];
  Outcome outcome;
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return outcome;
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    // The machine may have a CUDA driver; tests of that name one.
    setenv("MORTAR_CUDA_DRIVER", "/nowhere", getenv("MORTAR_CUDA_DRIVER") == nullptr ? 1 : 0);
    for (const auto& [name, value] : changes) {
      if (value.empty()) {
        unsetenv(name.c_str());
      } else {
        setenv(name.c_str(), value.c_str(), 1);
      }
    }
    std::vector<char*> arguments{const_cast<char*>("mortar")};
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(MORTAR_BINARY, arguments.data());
    _exit(125);
  }
  const base::Fd out_end(out[0]);
  const base::Fd err_end(err[0]);
  close(out[1]);
  close(err[1]);
  internal::ReadBoth(out_end.get(), err_end.get(), outcome);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return outcome;
}

}  // namespace mortar::cli
