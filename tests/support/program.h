// Running a test program and listening to it. For the tests of this folder alone.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/owner.h"

namespace mortar::tests {

// Long enough for a machine under any load; a program that takes longer hangs.
inline constexpr std::int64_t kPatienceNs = 30'000'000'000;

inline std::string FolderOf(const char* path) { return std::filesystem::path(path).parent_path().string(); }

// A child program: started at once, killed at the end. Its standard input stays open until CloseInput.
class Program {
 public:
  using Environment = std::map<std::string, std::string>;

  Program(const std::string& path, const std::vector<std::string>& arguments,
          const Environment& environment) {
    int in[2];
    int out[2];
    int err[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) return;
    std::vector<char*> words = {const_cast<char*>(path.c_str())};
    for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(99);
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
      execv(path.c_str(), words.data());
      _exit(98);
    }
    input_ = base::Fd(in[1]);
    output_ = base::Fd(out[0]);
    errors_ = base::Fd(err[0]);
    close(in[0]);
    close(out[1]);
    close(err[1]);
  }
  Program(Program&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        input_(std::move(other.input_)),
        output_(std::move(other.output_)),
        errors_(std::move(other.errors_)),
        text_(std::move(other.text_)),
        errors_text_(std::move(other.errors_text_)) {}
  ~Program() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  pid_t pid() const { return pid_; }
  void Signal(int number) const { kill(pid_, number); }
  void Write() const { [[maybe_unused]] const auto n = write(input_.get(), "x", 1); }
  void CloseInput() { input_.Reset(); }

  // The next line of standard output; "(hangs)" if none comes, "(ended)" at the end.
  std::string ReadLine() {
    const std::int64_t deadline = base::MonotonicNs() + kPatienceNs;
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      const std::int64_t left_ms = (deadline - base::MonotonicNs()) / 1'000'000;
      pollfd ready{output_.get(), POLLIN, 0};
      if (left_ms <= 0 || poll(&ready, 1, static_cast<int>(left_ms)) == 0) return "(hangs)";
      char buffer[4096];
      const ssize_t got = read(output_.get(), buffer, sizeof buffer);
      if (got <= 0) return "(ended)";
      text_.append(buffer, static_cast<std::size_t>(got));
    }
  }

  // Exit status, minus the number of the signal that ended it, or -1000 if it hangs.
  int Wait() {
    const std::int64_t deadline = base::MonotonicNs() + kPatienceNs;
    int status = 0;
    for (;;) {
      const pid_t ended = waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) break;
      if (ended < 0 || base::MonotonicNs() > deadline) return -1000;
      usleep(1000);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // What it wrote to standard error so far; all of it once Wait has returned.
  std::string Errors() {
    char buffer[4096];
    pollfd ready{errors_.get(), POLLIN, 0};
    while (poll(&ready, 1, 0) > 0) {
      const ssize_t got = read(errors_.get(), buffer, sizeof buffer);
      if (got <= 0) break;
      errors_text_.append(buffer, static_cast<std::size_t>(got));
    }
    return errors_text_;
  }

 private:
  pid_t pid_ = -1;
  base::Fd input_, output_, errors_;
  std::string text_, errors_text_;
};

inline int Lines(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace mortar::tests
