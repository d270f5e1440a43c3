// Who goes on after whom: streams that wait for events of others, host threads that hand over, and how an
// operation's delay divides into launch and dispatch.
#include <algorithm>
#include <unordered_map>

#include "trace/assembly.h"

namespace mortar::trace {
namespace {

// Chosen: PyTorch puts an event behind at most a few dozen gradient buckets.
constexpr std::size_t kRecordsBack = 64;
constexpr Index kCallsAhead = 64;
constexpr Index kCallsBack = 256;
// Chosen: the passes of a training step make hundreds of calls each, independent threads interleave by the
// call.
constexpr Index kLeastRun = 8;
// Where no operation of a recording tells: about what CUDA takes.
constexpr std::int64_t kUsualLatencyNs = 5000;
constexpr std::int64_t kUsualDispatchNs = 1000;
constexpr std::int64_t kSurelyQueuedNs = 20'000;

class DependencyFinder {
 public:
  explicit DependencyFinder(Assembly* assembly) : a_(*assembly), out_(assembly->out) {}

  void Run() {
    for (std::size_t m = 0; m < a_.marks.size(); ++m) {
      const Mark& mark = a_.marks[m];
      if (!mark.waits) {
        if (mark.op != kNone) records_.push_back(m);
        if (mark.correlation != kNoCorrelation) by_correlation_[mark.correlation] = m;
        continue;
      }
      if (mark.thread != kNone) Find(mark);
    }
    Keep();
  }

 private:
  // The thread's first operation after the mark, on `stream` unless that is kNone.
  Index FirstAfter(const Mark& mark, Index stream) const {
    const Range calls = out_.threads[mark.thread].calls;
    const auto begin = out_.calls.begin() + calls.first;
    const auto next =
        std::lower_bound(begin, begin + calls.count, mark.start_ns,
                         [](const HostCall& call, std::int64_t t) { return call.start_ns < t; });
    Index left = kCallsAhead;
    for (auto call = next; call != begin + calls.count && left > 0; ++call, --left) {
      for (Index i = call->ops.first; i < call->ops.end(); ++i) {
        if (stream == kNone || out_.ops[i].stream == stream) return i;
      }
    }
    return kNone;
  }

  void Find(const Mark& mark) {
    const SeenSync* sync = FindSync(a_, mark.correlation);
    const Index op = FirstAfter(mark, sync == nullptr ? kNone : sync->stream);
    if (op == kNone) return;
    if (sync != nullptr && sync->record != kNoCorrelation) {
      const auto record = by_correlation_.find(sync->record);
      if (record == by_correlation_.end()) return;
      const Index after = a_.marks[record->second].op;
      if (after != kNone && Fits(after, op)) found_.push_back({op, after});
      return;
    }
    const Index after = records_.empty() ? NewestElsewhere(mark, op) : NewestRecorded(op);
    if (after == kNone) return;
    found_.push_back({op, after});
    ++guessed_;
  }

  // The operation in front of the newest event that was recorded in another stream.
  Index NewestRecorded(Index op) const {
    for (std::size_t back = 0; back < std::min(records_.size(), kRecordsBack); ++back) {
      const Index after = a_.marks[records_[records_.size() - 1 - back]].op;
      if (Fits(after, op)) return after;
    }
    return kNone;
  }

  // Where the file does not show events being recorded: the newest operation of another stream.
  Index NewestElsewhere(const Mark& mark, Index op) const {
    auto call = std::lower_bound(a_.calls_by_start.begin(), a_.calls_by_start.end(), mark.start_ns,
                                 [&](Index c, std::int64_t t) { return out_.calls[c].start_ns < t; });
    for (Index left = kCallsBack; left > 0 && call != a_.calls_by_start.begin(); --left) {
      const Range ops = out_.calls[*--call].ops;
      if (ops.count > 0 && Fits(ops.end() - 1, op)) return ops.end() - 1;
    }
    return kNone;
  }

  bool Fits(Index after, Index op) const {
    return out_.ops[after].stream != out_.ops[op].stream && out_.ops[after].end_ns() <= out_.ops[op].start_ns;
  }

  // Of several events of one stream, the last.
  void Keep() {
    const auto key = [&](const Dependency& d) {
      return std::tuple(d.op, out_.ops[d.after].stream, ~a_.rank[d.after]);
    };
    std::sort(found_.begin(), found_.end(),
              [&](const Dependency& x, const Dependency& y) { return key(x) < key(y); });
    for (const Dependency& d : found_) {
      if (!out_.dependencies.empty()) {
        const Dependency& last = out_.dependencies.back();
        if (last.op == d.op && out_.ops[last.after].stream == out_.ops[d.after].stream) continue;
      }
      out_.dependencies.push_back(d);
    }
    a_.AddNote(
        "waits of one stream for another: which operation they wait for was inferred from order and times",
        guessed_, false);
  }

  Assembly& a_;
  Recording& out_;
  std::vector<std::size_t> records_;
  std::unordered_map<std::int64_t, std::size_t> by_correlation_;
  std::vector<Dependency> found_;
  std::uint64_t guessed_ = 0;
};

std::int64_t Median(std::vector<std::int64_t>* values, std::int64_t otherwise) {
  if (values->empty()) return otherwise;
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

// When the operations in front of each operation had ended; INT64_MIN where there are none.
std::vector<std::int64_t> FindReady(const Assembly& a) {
  const Recording& out = a.out;
  std::vector<std::int64_t> ready(out.ops.size(), INT64_MIN);
  for (Index i = 0; i < out.ops.size(); ++i) {
    if (a.rank[i] > 0) ready[i] = a.OpAt(out.ops[i].stream, a.rank[i] - 1).end_ns();
  }
  for (const Dependency& d : out.dependencies) ready[d.op] = std::max(ready[d.op], out.ops[d.after].end_ns());
  return ready;
}

void FindMedians(Assembly* a, const std::vector<std::int64_t>& ready) {
  Recording& out = a->out;
  std::vector<std::int64_t> latencies;
  std::vector<std::int64_t> dispatches;
  for (Index i = 0; i < out.ops.size(); ++i) {
    const Op& op = out.ops[i];
    if (op.call == kNone || ready[i] == INT64_MIN) continue;
    const std::int64_t called = out.calls[op.call].start_ns;
    // Before a stream's first operation in the file nobody knows what it was busy with.
    const bool known = called >= a->OpAt(op.stream, 0).start_ns;
    if (known && ready[i] <= called && op.start_ns >= called) latencies.push_back(op.start_ns - called);
    if (ready[i] >= called + kSurelyQueuedNs && op.start_ns >= ready[i])
      dispatches.push_back(op.start_ns - ready[i]);
  }
  if (latencies.empty()) {
    a->AddNote(
        "launches that found their stream idle are missing: 5 us assumed where a launch's latency matters", 1,
        false);
  }
  out.median_latency_ns = Median(&latencies, kUsualLatencyNs);
  out.median_dispatch_ns = Median(&dispatches, std::max(kUsualDispatchNs, out.resolution_ns));
}

}  // namespace

void FindDependencies(Assembly* assembly) {
  if (assembly->out.streams.size() > 1) DependencyFinder(assembly).Run();
}

void FindHandOvers(Assembly* assembly) {
  Recording& out = assembly->out;
  const auto& order = assembly->calls_by_start;
  // How long a thread goes on before another one does, in calls.
  std::vector<Index> runs(out.threads.size(), 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Index thread = assembly->thread_of[order[i]];
    if (i == 0 || assembly->thread_of[order[i - 1]] != thread) ++runs[thread];
  }
  const auto alternates = [&](Index thread) {
    return assembly->hands_over[thread] != 0 || out.threads[thread].calls.count >= kLeastRun * runs[thread];
  };
  std::vector<Index> previous(out.threads.size(), kNone);
  std::uint64_t handed = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    HostCall& call = out.calls[order[i]];
    const Index thread = assembly->thread_of[order[i]];
    call.after = previous[thread];
    if (i > 0 && assembly->thread_of[order[i - 1]] != thread) {
      const Index before = order[i - 1];
      const bool apart = out.calls[before].end_ns() <= call.start_ns;
      if (apart && alternates(thread) && alternates(assembly->thread_of[before])) {
        call.after = before;
        ++handed;
      }
    }
    call.think_ns =
        std::max<std::int64_t>(call.start_ns - (call.after == kNone ? 0 : out.calls[call.after].end_ns()), 0);
    previous[thread] = order[i];
  }
  assembly->AddNote("hand-overs between host threads: inferred from their taking turns", handed, false);
}

void FindDelays(Assembly* assembly) {
  Recording& out = assembly->out;
  const std::vector<std::int64_t> ready = FindReady(*assembly);
  FindMedians(assembly, ready);
  std::uint64_t early = 0;
  for (Index i = 0; i < out.ops.size(); ++i) {
    Op& op = out.ops[i];
    if (op.call == kNone) continue;
    const HostCall& call = out.calls[op.call];
    const std::int64_t launch = op.start_ns - call.start_ns;
    if (launch < 0) ++early;
    op.latency_ns = std::max<std::int64_t>(launch, 0);
    if (ready[i] == INT64_MIN) continue;
    const std::int64_t gap = std::max<std::int64_t>(op.start_ns - ready[i], 0);
    const bool by_launch = ready[i] <= call.start_ns || launch <= out.median_latency_ns * 3 / 2 ||
                           (call.end_ns() >= ready[i] && gap > 2 * out.median_dispatch_ns);
    if (by_launch) {
      op.dispatch_ns = std::min(gap, out.median_dispatch_ns);
    } else {
      op.dispatch_ns = gap;
      op.latency_ns = std::min(op.latency_ns, out.median_latency_ns);
    }
  }
  assembly->AddNote("operations that began before the call that submitted them did, by the file's clocks",
                    early, false);
}

}  // namespace mortar::trace
