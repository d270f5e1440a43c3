// For tests, fuzz targets and the fault injector alone: a directory of boards that vanishes, and child
// processes.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/owner.h"

namespace mortar::board {

// A directory of its own on /dev/shm, removed at the end by the process that made it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/dev/shm/mortar-test-XXXXXX";
    if (mkdtemp(name) != nullptr) path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty() && maker_ == getpid()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  pid_t maker_ = getpid();
};

// A forked child that runs `body` and exits with what it returns; killed with its parent, and when this ends.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) {
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(99);
    _exit(body());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ~Child() { Kill(); }
  pid_t pid() const { return pid_; }
  void Signal(int number) const { kill(pid_, number); }
  // Exit status, or minus the number of the signal that ended it.
  int Wait() {
    int status = 0;
    if (pid_ <= 0 || waitpid(std::exchange(pid_, -1), &status, 0) < 0) return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Wait();
  }

 private:
  pid_t pid_ = -1;
};

// One-way signal between processes: Notify in one, Await in another (returns false when the notifier is
// gone).
class Notice {
 public:
  Notice() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      read_ = base::Fd(ends[0]);
      write_ = base::Fd(ends[1]);
    }
  }
  void Notify(std::uint8_t value = 1) const {
    [[maybe_unused]] const auto n = write(write_.get(), &value, 1);
  }
  // The value sent, or -1.
  int Await() {
    std::uint8_t value = 0;
    return read(read_.get(), &value, 1) == 1 ? value : -1;
  }
  // In the awaiting process, so that the notifier's death ends Await.
  void OnlyAwaitHere() { write_.Reset(); }

 private:
  base::Fd read_;
  base::Fd write_;
};

}  // namespace mortar::board
