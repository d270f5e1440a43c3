#include "trace/check_recording.h"

#include <cstddef>
#include <string>
#include <vector>

namespace mortar::trace {
namespace {

constexpr std::int64_t kLatestNs = std::int64_t{1} << 60;  // sums of a few of them still fit

bool Instant(std::int64_t ns) { return ns >= 0 && ns <= kLatestNs; }
bool Within(Range range, std::size_t size) {
  return range.first <= size && range.count <= size - range.first;
}

class Checker {
 public:
  explicit Checker(const Recording& recording) : r_(recording) {}

  base::Status Check() {
    if (r_.ops.empty() || r_.ops.size() >= kNone || r_.calls.size() >= kNone) return Wrong("operations", 0);
    if (r_.form > Form::kDurations || !Instant(r_.end_ns) || !Instant(r_.median_latency_ns) ||
        !Instant(r_.median_dispatch_ns)) {
      return Wrong("head", 0);
    }
    CheckThreads();
    CheckOps();
    CheckStreams();
    CheckCalls();
    CheckOrder();
    if (ok_) CheckProgress();
    if (ok_) return {};
    return Wrong(what_, where_);
  }

 private:
  base::Error Wrong(const char* what, std::size_t where) const {
    return {base::Code::kCorrupt, std::string("not a recording that can be replayed: ") + what + " " +
                                      std::to_string(where) + " contradict the rest"};
  }
  void Require(bool holds, const char* what, std::size_t where) {
    if (holds || !ok_) return;
    ok_ = false;
    what_ = what;
    where_ = where;
  }

  void CheckThreads() {
    std::size_t next = 0;
    for (std::size_t t = 0; t < r_.threads.size(); ++t) {
      const Range calls = r_.threads[t].calls;
      Require(calls.first == next && calls.count > 0 && Within(calls, r_.calls.size()), "calls of thread", t);
      next = calls.end();
    }
    Require(next == r_.calls.size(), "threads before", r_.threads.size());
  }

  void CheckOps() {
    for (std::size_t i = 0; i < r_.ops.size(); ++i) {
      const Op& op = r_.ops[i];
      Require(Instant(op.start_ns) && Instant(op.duration_ns) && Instant(op.latency_ns) &&
                  Instant(op.dispatch_ns),
              "times of operation", i);
      Require(op.identity < r_.identities.size() && op.stream < r_.streams.size() &&
                  (op.call == kNone || op.call < r_.calls.size()),
              "references of operation", i);
    }
    for (std::size_t i = 0; i < r_.identities.size(); ++i) {
      Require(r_.identities[i].kind <= OpKind::kSet && r_.identities[i].path <= CopyPath::kHostToHost,
              "identity", i);
    }
  }

  void CheckStreams() {
    std::size_t next = 0;
    Require(r_.stream_ops.size() == r_.ops.size(), "operations of streams before", r_.streams.size());
    std::vector<bool> seen(r_.ops.size(), false);
    for (std::size_t s = 0; s < r_.streams.size() && ok_; ++s) {
      const Stream& stream = r_.streams[s];
      Require(stream.device < r_.devices.size() && stream.ops.first == next &&
                  Within(stream.ops, r_.stream_ops.size()),
              "operations of stream", s);
      next = stream.ops.end();
      for (Index i = stream.ops.first; i < stream.ops.end() && ok_; ++i) {
        const Index op = r_.stream_ops[i];
        Require(op < r_.ops.size() && !seen[op] && r_.ops[op].stream == s, "operations of stream", s);
        if (!ok_) return;
        seen[op] = true;
        Require(i == stream.ops.first || r_.ops[r_.stream_ops[i - 1]].end_ns() <= r_.ops[op].start_ns,
                "order of stream", s);
      }
    }
    Require(next == r_.stream_ops.size(), "operations of streams before", r_.streams.size());
  }

  void CheckCalls() {
    std::size_t submitted = 0;
    for (std::size_t c = 0; c < r_.calls.size() && ok_; ++c) {
      const HostCall& call = r_.calls[c];
      Require(Instant(call.start_ns) && Instant(call.duration_ns) && Instant(call.think_ns) &&
                  call.tail_ns >= -kLatestNs && call.tail_ns <= kLatestNs,
              "times of call", c);
      Require(call.name < r_.call_names.size() && call.kind <= CallKind::kImplicitWait &&
                  (call.request == kNone || call.request < r_.requests.size()) &&
                  (call.after == kNone || call.after < r_.calls.size()) &&
                  Within(call.waits, r_.waited.size()) && Within(call.ops, r_.ops.size()),
              "references of call", c);
      if (!ok_) return;
      if (call.ops.count > 0) {
        Require(call.ops.first == submitted, "operations of call", c);
        submitted = call.ops.end();
      }
      for (Index i = call.ops.first; i < call.ops.end(); ++i)
        Require(r_.ops[i].call == c, "operations of call", c);
    }
    for (std::size_t i = submitted; i < r_.ops.size(); ++i)
      Require(r_.ops[i].call == kNone, "call of operation", i);
  }

  // What comes first in the recording comes first in a replay: there is always something that can go on.
  void CheckOrder() {
    if (!ok_) return;
    for (std::size_t c = 0; c < r_.calls.size(); ++c) {
      const HostCall& call = r_.calls[c];
      Require(call.after == kNone || (call.after != c && r_.calls[call.after].end_ns() <= call.start_ns),
              "what comes before call", c);
      for (Index w = call.waits.first; w < call.waits.end(); ++w) {
        const Index op = r_.waited[w];
        Require(op < r_.ops.size(), "waits of call", c);
        if (!ok_) return;
        const Index by = r_.ops[op].call;
        Require(by == kNone || r_.calls[by].start_ns <= call.start_ns, "waits of call", c);
      }
    }
    for (const HostThread& thread : r_.threads) {
      for (Index c = thread.calls.first + 1; c < thread.calls.end(); ++c)
        Require(r_.calls[c - 1].end_ns() <= r_.calls[c].start_ns, "order of call", c);
    }
    for (std::size_t i = 0; i < r_.dependencies.size(); ++i) {
      const Dependency& d = r_.dependencies[i];
      Require(d.op < r_.ops.size() && d.after < r_.ops.size(), "dependency", i);
      if (!ok_) return;
      Require(
          r_.ops[d.op].stream != r_.ops[d.after].stream && r_.ops[d.after].end_ns() <= r_.ops[d.op].start_ns,
          "dependency", i);
      Require(i == 0 || r_.dependencies[i - 1].op <= d.op, "dependency", i);
    }
    for (std::size_t i = 0; i < r_.requests.size(); ++i) {
      const Request& request = r_.requests[i];
      Require(request.start_ns <= request.end_ns && request.start_ns >= -kLatestNs &&
                  request.end_ns <= kLatestNs &&
                  (request.thread == kNone || request.thread < r_.threads.size()) &&
                  (i == 0 || r_.requests[i - 1].start_ns <= request.start_ns),
              "request", i);
    }
  }

  // Every "not before" of recording.h as an edge between beginnings of calls, returns and operations.
  template <typename Visit>
  void ForEachEdge(Visit visit) const {
    const auto calls = static_cast<Index>(r_.calls.size());
    const auto begin = [](Index c) { return 2 * c; };
    const auto end = [](Index c) { return 2 * c + 1; };
    const auto op = [calls](Index o) { return 2 * calls + o; };
    for (const HostThread& thread : r_.threads) {
      for (Index c = thread.calls.first + 1; c < thread.calls.end(); ++c) visit(end(c - 1), begin(c));
    }
    for (Index c = 0; c < calls; ++c) {
      const HostCall& call = r_.calls[c];
      visit(begin(c), end(c));
      if (call.after != kNone) visit(end(call.after), begin(c));
      for (Index w = call.waits.first; w < call.waits.end(); ++w) visit(op(r_.waited[w]), end(c));
    }
    for (Index o = 0; o < r_.ops.size(); ++o) {
      if (r_.ops[o].call != kNone) visit(begin(r_.ops[o].call), op(o));
    }
    for (const Stream& stream : r_.streams) {
      for (Index i = stream.ops.first + 1; i < stream.ops.end(); ++i)
        visit(op(r_.stream_ops[i - 1]), op(r_.stream_ops[i]));
    }
    for (const Dependency& d : r_.dependencies) visit(op(d.after), op(d.op));
  }

  // What is never reached waits for itself.
  void CheckProgress() {
    const std::size_t nodes = 2 * r_.calls.size() + r_.ops.size();
    std::size_t edges = 0;
    ForEachEdge([&](Index, Index) { ++edges; });
    Require(nodes < kNone && edges < kNone, "operations", r_.ops.size());
    if (!ok_) return;
    std::vector<Index> missing(nodes, 0);
    std::vector<Index> next(nodes + 1, 0);  // of each node: the end of its targets, then their beginning
    ForEachEdge([&](Index from, Index to) {
      ++missing[to];
      ++next[from];
    });
    for (std::size_t n = 1; n <= nodes; ++n) next[n] += next[n - 1];
    std::vector<Index> targets(edges);
    ForEachEdge([&](Index from, Index to) { targets[--next[from]] = to; });
    std::vector<Index> ready;
    for (std::size_t n = 0; n < nodes; ++n) {
      if (missing[n] == 0) ready.push_back(static_cast<Index>(n));
    }
    std::size_t reached = 0;
    while (!ready.empty()) {
      const Index node = ready.back();
      ready.pop_back();
      ++reached;
      for (Index i = next[node]; i < next[node + 1]; ++i) {
        if (--missing[targets[i]] == 0) ready.push_back(targets[i]);
      }
    }
    Require(reached == nodes, "waits for themselves: calls and operations before", r_.ops.size());
  }

  const Recording& r_;
  bool ok_ = true;
  const char* what_ = "";
  std::size_t where_ = 0;
};

}  // namespace

base::Status CheckRecording(const Recording& recording) { return Checker(recording).Check(); }

}  // namespace mortar::trace
