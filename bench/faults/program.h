// The programs that share a board while faults are injected: forked children, clients through src/client, on
// a device that sleeps. Started from a process that has not used Mortar itself (its state would be
// inherited).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>

#include "bench/faults/arena.h"

namespace mortar::faults {

inline constexpr char kDevice[] = "faults";

enum class Does {
  kHolds,    // requests of 20 kernels of 185 us, each followed by a gap of 500 us; waits for each kernel
  kFills,    // kernels of 144 us, one after another
  kWaits,    // kernels of 10 ms, which fit into no gap: mostly held at the gate
  kControl,  // sleeps of 144 us, without Mortar
};

struct ProgramOptions {
  Does does = Does::kFills;
  std::string name;
  int priority = 5;
  int place = 0;           // in the arena
  std::size_t memory = 0;  // bytes that it writes to first
  bool dumps_core = false;
};

// A running program; killed at the end.
class Program {
 public:
  Program() = default;
  // REQUIRES: one thread. `directory`: of boards, where a core dump goes too.
  Program(Arena& arena, const std::string& directory, const ProgramOptions& options);
  Program(Program&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), options_(std::move(other.options_)) {}
  Program& operator=(Program&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(options_, other.options_);
    return *this;
  }
  ~Program() { End(); }

  pid_t pid() const { return pid_; }
  const ProgramOptions& options() const { return options_; }
  // True once it ended by itself (a crash, or worse). Reaps it.
  bool Ended();
  void Signal(int number) const;
  void End();  // SIGKILL, and waits for it

 private:
  pid_t pid_ = -1;
  ProgramOptions options_;
};

}  // namespace mortar::faults
