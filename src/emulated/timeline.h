// The emulated device's timeline: one small file on tmpfs that all of its processes map. It says until when
// the device is taken and adds up what it did. Any thread of any process; lock-free.
//
//   file: [ header line | busy_until line | sums line | process 0 | … | process 63 ]
//
// A command that becomes ready at t is placed by one compare-and-swap: start = max(t, busy_until), end =
// start + duration. So the device runs one command at a time, in the order of placing, and never stops one
// half-way. A process that dies leaves nothing behind but the time of what it had placed, which passes.
// Instants are CLOCK_MONOTONIC nanoseconds; a busy_until more than 10 s ahead, or negative, counts as absent.
//
// Not here: how long a command takes (table.h), waiting until it ends (clock.h). It does not survive being
// truncated by another process: this is a device for tests.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/owner.h"
#include "base/result.h"

namespace mortar::emulated {

inline constexpr std::uint64_t kTimelineMagic = 0x31454e494c4d4954ULL;  // "TIMLINE1"
inline constexpr std::int64_t kFarAheadNs = 10'000'000'000;  // design: further ahead counts as absent
inline constexpr int kTimelineProcesses = 64;                // chosen: as many as a board has slots

// Monotone sums; whoever places adds, any reads.
struct alignas(64) TimelineSums {
  std::atomic<std::uint64_t> busy_ns;
  std::atomic<std::uint64_t> commands;
  std::atomic<std::uint64_t> late;  // waits that outlived the modelled end because computing took longer
  std::atomic<std::uint64_t> late_ns;
  std::atomic<std::int32_t> pid;  // in a process's own line: whose; 0: free. Taken by compare-and-swap.
  std::atomic<std::uint32_t> spare;
  std::atomic<char> program[16];  // in a process's own line; its owner writes it once
};
static_assert(sizeof(TimelineSums) == 64);
static_assert(std::atomic<std::int64_t>::is_always_lock_free &&
              std::atomic<std::int32_t>::is_always_lock_free);

struct TimelineFile {
  alignas(64) std::atomic<std::uint64_t> magic;  // written last by the creator, before the file gets its name
  alignas(64) std::atomic<std::int64_t> busy_until_ns;  // any; by compare-and-swap alone
  TimelineSums total;
  TimelineSums process[kTimelineProcesses];
};

struct Placement {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t before_ns = 0;  // what busy_until was
};

// A copy of the sums, for reports.
struct TimelineReport {
  struct Process {
    std::int32_t pid = 0;
    std::string program;
    std::uint64_t busy_ns = 0;
    std::uint64_t commands = 0;
    std::uint64_t late = 0;
    std::uint64_t late_ns = 0;
  };
  std::int64_t busy_until_ns = 0;
  Process total;  // pid 0
  std::vector<Process> processes;
};

class Timeline {
 public:
  Timeline() = default;
  Timeline(Timeline&&) noexcept = default;
  Timeline& operator=(Timeline&&) noexcept = default;

  // Where timelines lie: $MORTAR_DIR/emulated, else /dev/shm/mortar-emulated-$UID; made if absent, mode 0700.
  // Errors: kDenied, kNotFound, kSystem.
  static base::Result<std::string> FindDirectory();
  // Opens `directory`/`name`.timeline, made under another name and linked into place if absent (mode 0600).
  // Errors: kDenied, kFull, kCorrupt (size or magic), kSystem.
  static base::Result<Timeline> Open(const std::string& directory, const std::string& name);

  bool open() const { return file_ != nullptr; }
  TimelineFile& file() const { return *file_; }

  // Takes the device for `duration_ns` from max(ready_ns, busy_until) on. Adds nothing to the sums.
  Placement Place(std::int64_t now_ns, std::int64_t ready_ns, std::int64_t duration_ns);
  // Gives a placement up, where nothing was placed behind it; else its time merely passes.
  void Undo(const Placement& placement);
  // How far ahead of now the device is taken.
  std::int64_t AheadNs(std::int64_t now_ns) const;

  // Adds a command, or a late end, to the sums of the device and of this process.
  void Count(std::int64_t duration_ns);
  void CountLate(std::int64_t late_ns);

  // For a forked child: it takes a line of its own at its next Count. No lock, no system call.
  void Forget() { mine_.store(nullptr, std::memory_order_relaxed); }

  TimelineReport Report() const;

 private:
  TimelineSums* Mine();

  base::Mapping mapping_;
  TimelineFile* file_ = nullptr;
  // This process's line; set by whichever of its threads counts first (relaxed: a pointer into shared memory
  // whose content is atomics; two threads that race take the same line, as it is found by pid).
  struct Line : std::atomic<TimelineSums*> {
    Line() : std::atomic<TimelineSums*>(nullptr) {}
    Line(Line&& other) noexcept : std::atomic<TimelineSums*>(other.load()) {}
    Line& operator=(Line&& other) noexcept {
      store(other.load());
      return *this;
    }
  } mine_;
};

}  // namespace mortar::emulated
