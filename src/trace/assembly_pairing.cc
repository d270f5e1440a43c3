// Which operation belongs to which call, and which calls a replay makes.
#include <algorithm>
#include <tuple>
#include <utility>

#include "trace/assembly.h"

namespace mortar::trace {
namespace {

// An operation that begins so long before its call belongs to another, or the clocks have nothing in common.
constexpr std::int64_t kClocksApartNs = 1'000'000;

bool IsWait(CallClass what) {
  return what == CallClass::kWaitDevice || what == CallClass::kWaitStream || what == CallClass::kWaitEvent;
}

bool Submits(const Paired& paired, Index call) {
  return !paired.submits.empty() && paired.submits[call] != 0;
}

base::Status CheckKernels(const Seen& seen) {
  const bool kernels = std::any_of(seen.ops.begin(), seen.ops.end(),
                                   [](const SeenOp& op) { return op.kind == OpKind::kKernel; });
  if (kernels) return {};
  return Refuse(seen, 0,
                "no kernels in it (" + std::to_string(seen.ops.size()) + " copies and fills, " +
                    std::to_string(seen.calls.size()) +
                    " host calls); record with the device's activities on");
}

// Without what happened, the file would be silent for so long.
base::Status CheckClock(const Seen& seen, std::int64_t* first_ns, std::int64_t* last_ns) {
  struct Event {
    std::int64_t start_ns, end_ns;
    std::uint32_t line;
  };
  std::vector<Event> events;
  events.reserve(seen.ops.size() + seen.calls.size());
  for (const SeenOp& op : seen.ops) events.push_back({op.start_ns, op.start_ns + op.duration_ns, op.line});
  for (const SeenCall& call : seen.calls)
    events.push_back({call.start_ns, call.start_ns + call.duration_ns, call.line});
  std::sort(events.begin(), events.end(),
            [](const Event& x, const Event& y) { return x.start_ns < y.start_ns; });
  std::int64_t reached = events.front().end_ns;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    if (event.end_ns - event.start_ns > kClockJumpNs) {
      return Refuse(seen, event.line, "lasts over ten minutes; a clock jumped while it was recorded");
    }
    if (event.start_ns - reached > kClockJumpNs) {
      const Event& odd = i * 2 < events.size() ? events[i - 1] : event;
      return Refuse(seen, odd.line,
                    "lies " + std::to_string((event.start_ns - reached) / 1'000'000'000) +
                        " s from the rest of the recording; a clock jumped, or two recordings were joined");
    }
    reached = std::max(reached, event.end_ns);
  }
  *first_ns = events.front().start_ns;
  *last_ns = reached;
  return {};
}

void ChooseCalls(const Seen& seen, const std::vector<CallClass>& classes, const Paired& paired,
                 Assembly* assembly, std::vector<Index>* kept) {
  std::vector<std::uint8_t> active(seen.threads.size(), 0);
  std::uint64_t without_op = 0;
  std::uint64_t others = 0;
  for (Index c = 0; c < seen.calls.size(); ++c) {
    const CallClass what = classes[seen.calls[c].name];
    if (Submits(paired, c) || IsWait(what)) active[seen.calls[c].thread] = 1;
  }
  for (Index c = 0; c < seen.calls.size(); ++c) {
    const CallClass what = classes[seen.calls[c].name];
    const bool matters = Submits(paired, c) || IsWait(what) || what == CallClass::kMayWait;
    if (matters && active[seen.calls[c].thread] != 0) {
      kept->push_back(c);
    } else if (what >= CallClass::kLaunch && what <= CallClass::kSet) {
      ++without_op;
    } else if (!IsMark(what)) {
      ++others;
    }
  }
  assembly->AddNote("launches, copies and fills whose operation is not in the file: part of think times",
                    without_op, true);
  assembly->AddNote("host calls that neither submit nor wait: part of think times", others, true);
  const auto key = [&](Index c) {
    const SeenCall& call = seen.calls[c];
    return std::tuple(call.thread, call.start_ns, -call.duration_ns, c);
  };
  std::sort(kept->begin(), kept->end(), [&](Index x, Index y) { return key(x) < key(y); });
}

// A call that begins before the one in front of it has returned: that one ends here, as far as the replay
// goes.
bool Shorten(Seen* seen, Index before, Index next) {
  SeenCall& earlier = seen->calls[before];
  const SeenCall& later = seen->calls[next];
  const std::int64_t over = earlier.start_ns + earlier.duration_ns - later.start_ns;
  const bool inside =
      later.start_ns + later.duration_ns <= earlier.start_ns + earlier.duration_ns + kRoundingNs;
  earlier.duration_ns = later.start_ns - earlier.start_ns;
  return inside || over <= kRoundingNs;
}

base::Status Untangle(Seen* seen, const Paired& paired, Assembly* assembly, std::vector<Index>* kept) {
  std::vector<Index> result;
  std::uint64_t nested = 0;
  std::uint64_t overlapping = 0;
  std::uint32_t line = 0;
  for (const Index c : *kept) {
    const SeenCall& call = seen->calls[c];
    if (!result.empty()) {
      const Index before = result.back();
      const SeenCall& earlier = seen->calls[before];
      if (earlier.thread == call.thread && earlier.start_ns + earlier.duration_ns > call.start_ns) {
        const bool inside =
            call.start_ns + call.duration_ns <= earlier.start_ns + earlier.duration_ns + kRoundingNs;
        if (inside && !Submits(paired, c)) {
          ++nested;
          continue;
        }
        if (inside && !Submits(paired, before)) {
          ++nested;
          result.back() = c;
          continue;
        }
        if (!Shorten(seen, before, c) && overlapping++ == 0) line = call.line;
      }
    }
    result.push_back(c);
  }
  if (overlapping * kOneIn > kept->size()) {
    return Refuse(*seen, line,
                  std::to_string(overlapping) +
                      " calls of one thread overlap, more than one in a hundred; the first is here");
  }
  assembly->AddNote("host calls made inside others of the same thread: the one that submits counts", nested,
                    true);
  assembly->AddNote("host calls that overlap others of the same thread: the earlier one cut short",
                    overlapping, false);
  *kept = std::move(result);
  return {};
}

}  // namespace

base::Error Refuse(const Seen& seen, std::uint32_t line, const std::string& what) {
  const std::string at = line == 0 ? "" : ":" + std::to_string(line);
  return {base::Code::kInvalid, "read " + seen.source + at + ": " + what};
}

base::Status CheckSeen(const Seen& seen, std::int64_t* first_ns, std::int64_t* last_ns) {
  auto status = CheckKernels(seen);
  return status.ok() ? CheckClock(seen, first_ns, last_ns) : status;
}

base::Status PairOperations(const Seen& seen, Assembly* assembly, Paired* paired) {
  std::vector<Index> by_correlation;
  for (Index c = 0; c < seen.calls.size(); ++c) {
    if (seen.calls[c].correlation != kNoCorrelation) by_correlation.push_back(c);
  }
  const auto key = [&](Index c) { return std::pair(seen.calls[c].correlation, seen.calls[c].start_ns); };
  std::sort(by_correlation.begin(), by_correlation.end(), [&](Index x, Index y) { return key(x) < key(y); });
  paired->call_of_op.assign(seen.ops.size(), kNone);
  paired->submits.assign(seen.calls.size(), 0);
  std::uint64_t unpaired = 0;
  std::uint64_t apart = 0;
  std::uint32_t apart_line = 0;
  for (Index o = 0; o < seen.ops.size(); ++o) {
    const SeenOp& op = seen.ops[o];
    // Numbers may come round again: of several calls the last that began before the operation did.
    auto next =
        std::upper_bound(by_correlation.begin(), by_correlation.end(), std::pair(op.correlation, op.start_ns),
                         [&](const auto& wanted, Index c) { return wanted < key(c); });
    if (next != by_correlation.begin() && seen.calls[*(next - 1)].correlation == op.correlation) --next;
    if (op.correlation == kNoCorrelation || next == by_correlation.end() ||
        seen.calls[*next].correlation != op.correlation) {
      ++unpaired;
      continue;
    }
    if (op.start_ns + kClocksApartNs < seen.calls[*next].start_ns) {
      if (apart++ == 0) apart_line = op.line;
      continue;
    }
    paired->call_of_op[o] = *next;
    paired->submits[*next] = 1;
  }
  if (unpaired == seen.ops.size()) {
    return Refuse(
        seen, seen.ops.front().line,
        "no operation in it is tied to the call that submitted it (args.correlation); record with the host's "
        "activities on, or use the device's times alone (--device-only)");
  }
  if (apart * kOneIn > seen.ops.size()) {
    return Refuse(seen, apart_line,
                  std::to_string(apart) +
                      " operations begin over 1 ms before the calls that submitted them; a clock jumped");
  }
  assembly->AddNote("operations that begin over 1 ms before their calls: replayed at their recorded instants",
                    apart, false);
  assembly->AddNote(
      "operations that no call in the file submitted (before it began): replayed at their recorded instants",
      unpaired, false);
  return {};
}

base::Status KeepCalls(Seen* seen, const std::vector<CallClass>& classes, const Paired& paired,
                       Assembly* assembly, std::vector<Index>* kept) {
  ChooseCalls(*seen, classes, paired, assembly, kept);
  return Untangle(seen, paired, assembly, kept);
}

}  // namespace mortar::trace
