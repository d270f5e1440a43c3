#include "trace/assembly.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>
#include <utility>

#include "trace/check_recording.h"

namespace mortar::trace {
namespace {

CallKind KindOf(CallClass what) {
  switch (what) {
    case CallClass::kGraph:
      return CallKind::kGraph;
    case CallClass::kCopy:
    case CallClass::kSyncCopy:
      return CallKind::kCopy;
    case CallClass::kSet:
      return CallKind::kSet;
    case CallClass::kWaitDevice:
      return CallKind::kWaitDevice;
    case CallClass::kWaitStream:
      return CallKind::kWaitStream;
    case CallClass::kWaitEvent:
      return CallKind::kWaitEvent;
    case CallClass::kMayWait:
      return CallKind::kImplicitWait;
    default:
      return CallKind::kLaunch;
  }
}

class Builder {
 public:
  explicit Builder(Seen seen) : seen_(std::move(seen)) {}

  base::Result<Recording> Build();

 private:
  void FindResolution();
  void BuildThreads();
  void BuildOps();
  void BuildIdentities(const std::vector<Index>& order);
  base::Status BuildStreams();
  base::Status PutInRow();
  void BuildMarks();
  void BuildRequests();
  void ShiftToZero();

  Seen seen_;
  Assembly a_;
  std::vector<CallClass> classes_;  // by name
  Paired paired_;
  std::vector<Index> kept_;             // seen calls, by thread, then start
  std::vector<Index> final_call_;       // of each seen call; kNone
  std::vector<Index> final_thread_;     // of each seen thread; kNone
  std::vector<std::uint32_t> op_line_;  // by final operation
  std::int64_t first_ns_ = 0;           // of all operations and calls seen
  std::int64_t last_ns_ = 0;
};

void Builder::FindResolution() {
  const bool fine = std::any_of(seen_.ops.begin(), seen_.ops.end(), [](const SeenOp& op) {
    return op.start_ns % 1000 != 0 || op.duration_ns % 1000 != 0;
  });
  a_.out.resolution_ns = fine ? 1 : 1000;
  a_.tolerance_ns = 20'000 + 2 * a_.out.resolution_ns;
}

void Builder::BuildThreads() {
  // Threads by their first call.
  std::vector<std::pair<std::int64_t, Index>> order;
  std::vector<Range> ranges(seen_.threads.size());
  for (Index i = 0; i < kept_.size(); ++i) {
    const Index thread = seen_.calls[kept_[i]].thread;
    if (ranges[thread].count++ == 0) {
      ranges[thread].first = i;
      order.emplace_back(seen_.calls[kept_[i]].start_ns, thread);
    }
  }
  std::sort(order.begin(), order.end());
  final_thread_.assign(seen_.threads.size(), kNone);
  final_call_.assign(seen_.calls.size(), kNone);
  Recording& out = a_.out;
  out.calls.reserve(kept_.size());
  for (const auto& [start, thread] : order) {
    final_thread_[thread] = static_cast<Index>(out.threads.size());
    const SeenThread& seen = seen_.threads[thread];
    const auto first = static_cast<Index>(out.calls.size());
    out.threads.push_back({seen.process, seen.number, seen.name, {first, ranges[thread].count}});
    a_.hands_over.push_back(seen.hands_over ? 1 : 0);
    for (Index i = ranges[thread].first; i < ranges[thread].end(); ++i) {
      const SeenCall& call = seen_.calls[kept_[i]];
      final_call_[kept_[i]] = static_cast<Index>(out.calls.size());
      HostCall& host = out.calls.emplace_back();
      host.start_ns = call.start_ns;
      host.duration_ns = call.duration_ns;
      host.name = call.name;
      host.kind = KindOf(classes_[call.name]);
      a_.classes.push_back(classes_[call.name]);
      a_.correlations.push_back(call.correlation);
      a_.thread_of.push_back(final_thread_[thread]);
    }
  }
  a_.calls_by_start.resize(out.calls.size());
  std::iota(a_.calls_by_start.begin(), a_.calls_by_start.end(), 0);
  std::stable_sort(a_.calls_by_start.begin(), a_.calls_by_start.end(),
                   [&](Index x, Index y) { return out.calls[x].start_ns < out.calls[y].start_ns; });
}

void Builder::BuildIdentities(const std::vector<Index>& order) {
  Recording& out = a_.out;
  const std::vector<std::string>& names = seen_.op_names.all();
  std::unordered_map<std::uint64_t, std::vector<Index>> known;  // by name and shape
  for (std::size_t i = 0; i < order.size(); ++i) {
    const SeenOp& op = seen_.ops[order[i]];
    Index shape = op.shape;
    const Index call = paired_.call_of_op[order[i]];
    if (shape == 0 && op.kind == OpKind::kKernel && call != kNone) {
      const bool one = a_.out.ops[i].call != kNone && out.calls[out.ops[i].call].ops.count == 1;
      if (one) shape = seen_.calls[call].shape;
    }
    auto& same = known[std::uint64_t{op.name} << 32 | shape];
    const auto found = std::find_if(same.begin(), same.end(), [&](Index n) {
      return out.identities[n].kind == op.kind && out.identities[n].path == op.path;
    });
    if (found != same.end()) {
      out.ops[i].identity = *found;
      continue;
    }
    same.push_back(static_cast<Index>(out.identities.size()));
    out.ops[i].identity = same.back();
    Identity& identity = out.identities.emplace_back();
    identity.name = names[op.name];
    identity.shape = seen_.shapes.all()[shape];
    identity.shape_known = shape != 0;
    identity.kind = op.kind;
    identity.path = op.path;
    identity.id = model::MakeKernelId(identity.name, identity.shape);
  }
}

void Builder::BuildOps() {
  Recording& out = a_.out;
  std::vector<Index> order(seen_.ops.size());
  std::iota(order.begin(), order.end(), 0);
  const auto final_call = [&](Index o) {
    return paired_.call_of_op[o] == kNone ? kNone : final_call_[paired_.call_of_op[o]];
  };
  const auto key = [&](Index o) { return std::tuple(final_call(o), seen_.ops[o].start_ns, o); };
  std::sort(order.begin(), order.end(), [&](Index x, Index y) { return key(x) < key(y); });
  out.ops.reserve(order.size());
  for (const Index o : order) {
    const SeenOp& seen = seen_.ops[o];
    const auto place = static_cast<Index>(out.ops.size());
    Op& op = out.ops.emplace_back();
    op.start_ns = seen.start_ns;
    op.duration_ns = seen.duration_ns;
    op.stream = seen.stream;
    op.call = final_call(o);
    a_.pageable.push_back(seen.pageable ? 1 : 0);
    op_line_.push_back(seen.line);
    if (op.call == kNone) continue;
    Range& ops = out.calls[op.call].ops;
    if (ops.count++ == 0) ops.first = place;
  }
  BuildIdentities(order);
}

base::Status Builder::BuildStreams() {
  Recording& out = a_.out;
  out.devices = seen_.devices;
  std::vector<Index> order(seen_.streams.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](Index s) {
    return std::pair(out.devices[seen_.streams[s].device].number, seen_.streams[s].number);
  };
  std::sort(order.begin(), order.end(), [&](Index x, Index y) { return key(x) < key(y); });
  std::vector<Index> place(order.size());
  for (const Index s : order) {
    place[s] = static_cast<Index>(out.streams.size());
    out.streams.push_back(seen_.streams[s]);
  }
  for (Op& op : out.ops) op.stream = place[op.stream];
  for (SeenSync& sync : seen_.syncs) {
    if (sync.stream != kNone) sync.stream = place[sync.stream];
    if (sync.wait_on != kNone) sync.wait_on = place[sync.wait_on];
  }
  out.stream_ops.resize(out.ops.size());
  std::iota(out.stream_ops.begin(), out.stream_ops.end(), 0);
  const auto by_start = [&](Index o) {
    return std::tuple(out.ops[o].stream, out.ops[o].start_ns, out.ops[o].end_ns(), o);
  };
  std::sort(out.stream_ops.begin(), out.stream_ops.end(),
            [&](Index x, Index y) { return by_start(x) < by_start(y); });
  a_.rank.resize(out.ops.size());
  for (Index i = 0; i < out.stream_ops.size(); ++i) {
    a_.rank[out.stream_ops[i]] = out.streams[out.ops[out.stream_ops[i]].stream].ops.count++;
  }
  Index next = 0;  // also of streams without operations: somebody waits for them all the same
  for (Stream& stream : out.streams) {
    stream.ops.first = next;
    next = stream.ops.end();
  }
  return PutInRow();
}

// A stream runs one operation after another. Where two overlap (programmatic launches begin before the kernel
// in front of them has ended), the earlier one counts until the later begins, and that one until both have
// ended.
base::Status Builder::PutInRow() {
  Recording& out = a_.out;
  std::uint64_t overlapping = 0;
  std::uint64_t crowded = 0;  // three at once
  std::uint32_t line = 0;
  for (const Stream& stream : out.streams) {
    std::int64_t last = INT64_MIN;  // the two latest ends, as the file says
    std::int64_t second = INT64_MIN;
    for (Index i = stream.ops.first; i < stream.ops.end(); ++i) {
      Op& op = out.ops[out.stream_ops[i]];
      const std::int64_t said = op.end_ns();
      if (last > op.start_ns) {
        Op& before = out.ops[out.stream_ops[i - 1]];
        const std::int64_t until = std::max(said, before.end_ns());
        before.duration_ns = op.start_ns - before.start_ns;
        op.duration_ns = until - op.start_ns;
        overlapping += last - op.start_ns > kRoundingNs ? 1 : 0;
        if (second > op.start_ns + kRoundingNs && crowded++ == 0) line = op_line_[out.stream_ops[i]];
      }
      second = std::max(second, std::min(last, said));
      last = std::max(last, said);
    }
  }
  if (crowded * 2 > out.ops.size()) {
    return Refuse(seen_, line,
                  std::to_string(crowded) + " of " + std::to_string(out.ops.size()) +
                      " operations overlap two others of their stream; these are no streams");
  }
  a_.AddNote(
      "operations that begin before the one in front of them in their stream has ended: that one cut short",
      overlapping, false);
  return {};
}

void Builder::BuildMarks() {
  for (const SeenCall& call : seen_.calls) {
    const CallClass what = classes_[call.name];
    if (!IsMark(what)) continue;
    a_.marks.push_back(
        {call.start_ns, call.correlation, final_thread_[call.thread], what == CallClass::kStreamWait, kNone});
  }
  std::stable_sort(a_.marks.begin(), a_.marks.end(),
                   [](const Mark& x, const Mark& y) { return x.start_ns < y.start_ns; });
  std::stable_sort(seen_.syncs.begin(), seen_.syncs.end(),
                   [](const SeenSync& x, const SeenSync& y) { return x.correlation < y.correlation; });
  a_.syncs = std::move(seen_.syncs);
}

void Builder::BuildRequests() {
  Recording& out = a_.out;
  auto& steps = seen_.steps;
  std::stable_sort(steps.begin(), steps.end(),
                   [](const SeenStep& x, const SeenStep& y) { return x.start_ns < y.start_ns; });
  std::uint64_t overlapping = 0;
  std::uint64_t outside = 0;
  for (const SeenStep& step : steps) {
    if (step.start_ns < first_ns_ - kClockJumpNs ||
        step.start_ns + step.duration_ns > last_ns_ + kClockJumpNs) {
      ++outside;
      continue;
    }
    if (!out.requests.empty() && step.start_ns + kRoundingNs < out.requests.back().end_ns) {
      ++overlapping;
      continue;
    }
    if (!out.requests.empty())
      out.requests.back().end_ns = std::min(out.requests.back().end_ns, step.start_ns);
    out.requests.push_back(
        {step.start_ns, step.start_ns + step.duration_ns, step.number, final_thread_[step.thread]});
  }
  a_.AddNote("profiler steps that overlap earlier ones", overlapping, true);
  a_.AddNote("profiler steps far from everything else", outside, true);
  for (HostCall& call : out.calls) {
    const auto next = std::upper_bound(out.requests.begin(), out.requests.end(), call.start_ns,
                                       [](std::int64_t t, const Request& r) { return t < r.start_ns; });
    if (next == out.requests.begin()) continue;
    const bool after_last = next == out.requests.end() && call.start_ns >= (next - 1)->end_ns;
    if (!after_last) call.request = static_cast<Index>(next - 1 - out.requests.begin());
  }
}

void Builder::ShiftToZero() {
  Recording& out = a_.out;
  std::int64_t zero = INT64_MAX;
  for (const Op& op : out.ops) zero = std::min(zero, op.start_ns);
  for (const HostCall& call : out.calls) zero = std::min(zero, call.start_ns);
  out.zero_ns = zero;
  for (Op& op : out.ops) {
    op.start_ns -= zero;
    out.end_ns = std::max(out.end_ns, op.end_ns());
  }
  for (HostCall& call : out.calls) {
    call.start_ns -= zero;
    out.end_ns = std::max(out.end_ns, call.end_ns());
  }
  for (Mark& mark : a_.marks) mark.start_ns -= zero;
  for (Request& request : out.requests) {
    request.start_ns -= zero;
    request.end_ns -= zero;
  }
}

base::Result<Recording> Builder::Build() {
  if (seen_.device_only) {
    a_.out.form = Form::kDeviceOnly;
    a_.AddNote("host calls, as only the device's times are used", seen_.calls.size(), true);
    seen_.calls.clear();
    seen_.steps.clear();
  }
  if (auto status = CheckSeen(seen_, &first_ns_, &last_ns_); !status.ok()) return status.error();
  a_.out.source = seen_.source;
  a_.out.recorder = seen_.recorder;
  a_.out.notes.insert(a_.out.notes.begin(), seen_.notes.begin(), seen_.notes.end());
  FindResolution();
  if (seen_.device_only) {
    paired_.call_of_op.assign(seen_.ops.size(), kNone);
    paired_.submits.clear();
  } else if (auto status = PairOperations(seen_, &a_, &paired_); !status.ok()) {
    return status.error();
  }
  for (const std::string& name : seen_.call_names.all()) classes_.push_back(ClassifyCall(name));
  if (auto status = KeepCalls(&seen_, classes_, paired_, &a_, &kept_); !status.ok()) return status.error();
  BuildThreads();
  BuildOps();
  if (auto status = BuildStreams(); !status.ok()) return status.error();
  BuildMarks();
  BuildRequests();
  a_.out.call_names = seen_.call_names.Take();
  ShiftToZero();
  // What was seen is all in the recording now; of large files two copies are too many.
  seen_.ops = std::vector<SeenOp>();  // {} alone would keep the memory
  seen_.calls = std::vector<SeenCall>();
  paired_ = Paired();
  FindWaits(&a_);
  FindDependencies(&a_);
  FindHandOvers(&a_);
  FindDelays(&a_);
  // Clocks that disagree can make calls and operations wait for each other in a circle.
  if (const auto status = CheckRecording(a_.out); !status.ok())
    return Refuse(seen_, 0, status.error().message);
  return std::move(a_.out);
}

}  // namespace

base::Result<Recording> Assemble(Seen seen) { return Builder(std::move(seen)).Build(); }

}  // namespace mortar::trace
