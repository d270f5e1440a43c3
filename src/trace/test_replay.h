// For tests: replays a recording alone, by the rules that recording.h states, and nothing else on the device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "trace/recording.h"

namespace mortar::trace {

struct Replayed {
  std::vector<std::int64_t> op_start_ns, call_start_ns, call_end_ns;
};

// Calls in the order recorded: alone, they come in no other one.
inline Replayed ReplayAlone(const Recording& recording) {
  Replayed result;
  result.op_start_ns.assign(recording.ops.size(), 0);
  result.call_start_ns.assign(recording.calls.size(), 0);
  result.call_end_ns.assign(recording.calls.size(), 0);
  std::vector<std::vector<Index>> after(recording.ops.size());
  for (const Dependency& d : recording.dependencies) after[d.op].push_back(d.after);
  std::vector<bool> ran(recording.ops.size(), false);
  std::vector<Index> done(recording.streams.size(), 0);
  const auto end_of = [&](Index op) { return result.op_start_ns[op] + recording.ops[op].duration_ns; };
  // Runs a stream up to and including `op`.
  const auto run_to = [&](Index op) {
    const Stream& stream = recording.streams[recording.ops[op].stream];
    Index& next = done[recording.ops[op].stream];
    if (ran[op]) return;
    while (next < stream.ops.count) {
      const Index i = recording.stream_ops[stream.ops.first + next];
      const Op& current = recording.ops[i];
      std::int64_t start = current.start_ns;
      if (current.call != kNone) {
        start = result.call_start_ns[current.call] + current.latency_ns;
        if (next > 0) {
          start = std::max(start,
                           end_of(recording.stream_ops[stream.ops.first + next - 1]) + current.dispatch_ns);
        }
        for (const Index before : after[i]) start = std::max(start, end_of(before) + current.dispatch_ns);
      }
      result.op_start_ns[i] = start;
      ran[i] = true;
      ++next;
      if (i == op) return;
    }
  };
  std::vector<Index> order(recording.calls.size());
  for (Index i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](Index x, Index y) {
    return recording.calls[x].start_ns < recording.calls[y].start_ns;
  });
  std::vector<std::int64_t> free_at(recording.calls.size(), 0);
  for (const HostThread& thread : recording.threads) {
    for (Index c = thread.calls.first + 1; c < thread.calls.end(); ++c) free_at[c] = c - 1;
    if (thread.calls.count > 0) free_at[thread.calls.first] = -1;
  }
  for (const Index c : order) {
    const HostCall& call = recording.calls[c];
    std::int64_t start = (call.after == kNone ? 0 : result.call_end_ns[call.after]) + call.think_ns;
    if (free_at[c] >= 0) start = std::max(start, result.call_end_ns[static_cast<std::size_t>(free_at[c])]);
    result.call_start_ns[c] = start;
    for (Index i = call.ops.first; i < call.ops.end(); ++i) run_to(i);
    std::int64_t end = start + call.duration_ns;
    if (call.waits.count > 0) {
      std::int64_t ended = start;
      for (Index w = call.waits.first; w < call.waits.end(); ++w) {
        run_to(recording.waited[w]);
        ended = std::max(ended, end_of(recording.waited[w]));
      }
      end = std::max(start, ended + call.tail_ns);
    }
    result.call_end_ns[c] = end;
  }
  return result;
}

}  // namespace mortar::trace
