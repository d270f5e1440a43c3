// Memory that the injector shares with the programs it starts: how each gets on. Made before the first fork.
//
// A program marks its progress; the injector opens a window at each fault. What counts is how long a program
// stood still in the window: the longest time from one mark (or the window's beginning) to the next.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace mortar::faults {

inline constexpr int kPrograms = 16;  // places, used again by later programs

// One program's. Written by its one thread (marks) and by the injector (reset, while the program is not
// there).
struct alignas(64) Progress {
  std::atomic<std::int64_t> last_ns{0};     // newest mark, CLOCK_MONOTONIC
  std::atomic<std::int64_t> longest_ns{0};  // in the window
  std::atomic<std::uint64_t> marks{0};
};

struct Arena {
  std::atomic<std::int64_t> window_ns{0};      // began; 0: none is open
  std::atomic<std::int64_t> window_end_ns{0};  // intervals that begin later do not count
  Progress programs[kPrograms];

  static Arena* Make() {
    void* memory = mmap(nullptr, sizeof(Arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : new (memory) Arena;
  }

  void Mark(int place) {
    Progress& own = programs[place];
    const std::int64_t now = base::MonotonicNs();
    const std::int64_t began = window_ns.load();
    const std::int64_t from = std::max(own.last_ns.load(), began);
    if (began != 0 && from < window_end_ns.load() && now - from > own.longest_ns.load()) {
      own.longest_ns.store(now - from);
    }
    own.last_ns.store(now);
    own.marks.fetch_add(1);
  }
};

}  // namespace mortar::faults
