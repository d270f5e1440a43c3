// A recording in the making, and the steps that infer what no file says. Internal to src/trace; see seen.h.
//
// Pure. The order of the steps: FindWaits, FindDependencies, FindHandOvers, FindDelays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
