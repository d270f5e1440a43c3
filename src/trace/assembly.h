// A recording in the making, and the steps that infer what no file says. Internal to src/trace; see seen.h.
//
// Pure. The order of the steps: FindWaits, FindDependencies, FindHandOvers, FindDelays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "trace/recording.h"
#include "trace/seen.h"

namespace mortar::trace {

// An event put into a stream, or a stream made to wait for one.
struct Mark {
  std::int64_t start_ns = 0;
  std::int64_t correlation = kNoCorrelation;
  Index thread = kNone;  // into Recording::threads
  bool waits = false;
  Index op = kNone;  // recorded: the last operation that its thread had submitted
};

// A recording and what only its making needs to know.
struct Assembly {
  Recording out;
  std::vector<CallClass> classes;          // by call
  std::vector<std::int64_t> correlations;  // by call
  std::vector<std::uint8_t> hands_over;    // by thread: a flow between passes begins or ends in it
  std::vector<std::uint8_t> pageable;      // by operation
  std::vector<Index> rank;                 // by operation: its place in its stream
  std::vector<Index> thread_of;            // by call
  std::vector<Index> calls_by_start;
  std::vector<Mark> marks;        // ascending by start
  std::vector<SeenSync> syncs;    // ascending by correlation
  std::int64_t tolerance_ns = 0;  // clocks of host and device may disagree by so much

  const Op& OpAt(Index stream, Index place) const {
    return out.ops[out.stream_ops[out.streams[stream].ops.first + place]];
  }
  Index OpIndexAt(Index stream, Index place) const {
    return out.stream_ops[out.streams[stream].ops.first + place];
  }
  void AddNote(const std::string& what, std::uint64_t count, bool left_out) {
    if (count > 0) out.notes.push_back({what, count, left_out});
  }
};

// Chosen: host stalls of many seconds are real (data loading); ten minutes in a profile are a clock that
// jumped.
inline constexpr std::int64_t kClockJumpNs = std::int64_t{600} * 1'000'000'000;
inline constexpr std::int64_t kRoundingNs = 1'100;  // two instants of a file that counts microseconds
inline constexpr std::uint64_t kOneIn = 100;        // of more damage than one in so many, the file is refused

inline bool IsMark(CallClass what) {
  return what == CallClass::kRecordEvent || what == CallClass::kStreamWait;
}

// "read SOURCE:LINE: what"; line 0: not said.
base::Error Refuse(const Seen& seen, std::uint32_t line, const std::string& what);

struct Paired {
  std::vector<Index> call_of_op;      // of each seen operation, the seen call; kNone
  std::vector<std::uint8_t> submits;  // of each seen call; empty: none does
};

// Whether there are kernels, and one clock; the first and the last instant.
base::Status CheckSeen(const Seen& seen, std::int64_t* first_ns, std::int64_t* last_ns);
base::Status PairOperations(const Seen& seen, Assembly* assembly, Paired* paired);
// The calls that a replay makes, by thread, then start; none overlaps another of its thread any more.
// `classes`: by name.
base::Status KeepCalls(Seen* seen, const std::vector<CallClass>& classes, const Paired& paired,
                       Assembly* assembly, std::vector<Index>* kept);

const SeenSync* FindSync(const Assembly& assembly, std::int64_t correlation);

// Fills HostCall::waits, kind and tail_ns, and Mark::op.
void FindWaits(Assembly* assembly);
// Fills Recording::dependencies.
void FindDependencies(Assembly* assembly);
// Fills HostCall::after and think_ns.
void FindHandOvers(Assembly* assembly);
// Fills Op::latency_ns and dispatch_ns and their medians.
void FindDelays(Assembly* assembly);

}  // namespace mortar::trace
