#include "sim/timing.h"

#include <algorithm>

namespace mortar::sim {
namespace {

using trace::Index;

constexpr Ns kUsualLatencyNs = 6'000;  // chosen: where the recording shows none
constexpr Ns kUsualPauseNs = 1'000;
// Chosen: the first operation of a stream that comes later than this waited for something not recorded.
constexpr Ns kUnseenNs = 200'000;

Ns Median(std::vector<Ns>& values, Ns fallback) {
  if (values.empty()) return fallback;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Engine EngineOf(const trace::Identity& identity) {
  if (identity.kind != trace::OpKind::kCopy) return Engine::kCompute;
  switch (identity.path) {
    case trace::CopyPath::kHostToDevice:
    case trace::CopyPath::kHostToHost:
      return Engine::kCopyIn;
    case trace::CopyPath::kDeviceToHost:
    case trace::CopyPath::kPeerToPeer:
      return Engine::kCopyOut;
    case trace::CopyPath::kUnsaid:
    case trace::CopyPath::kDeviceToDevice:
      break;
  }
  return Engine::kCompute;
}

// The end of what each operation waited for on the device: its stream's one before it, its dependencies.
std::vector<Ns> EndsBefore(const trace::Recording& r) {
  std::vector<Ns> before(r.ops.size(), -1);
  for (const trace::Stream& stream : r.streams) {
    for (Index i = 1; i < stream.ops.count; ++i) {
      const Index op = r.stream_ops[stream.ops.first + i];
      before[op] = r.ops[r.stream_ops[stream.ops.first + i - 1]].end_ns();
    }
  }
  for (const trace::Dependency& d : r.dependencies) {
    before[d.op] = std::max(before[d.op], r.ops[d.after].end_ns());
  }
  return before;
}

void MarkOverlaps(const trace::Recording& r, std::vector<OpTiming>& timing) {
  std::vector<Index> order(r.ops.size());
  for (Index i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return r.ops[a].start_ns < r.ops[b].start_ns; });
  // The operation that ends last so far, by device and engine.
  std::vector<Index> last(r.devices.size() * kEngines, trace::kNone);
  for (const Index i : order) {
    const std::size_t at = r.streams[r.ops[i].stream].device * std::size_t{kEngines} +
                           static_cast<std::size_t>(timing[i].engine);
    Index& other = last[at];
    if (other != trace::kNone && r.ops[other].end_ns() > r.ops[i].start_ns + r.resolution_ns &&
        r.ops[other].stream != r.ops[i].stream) {
      timing[i].overlaps = timing[other].overlaps = true;
    }
    if (other == trace::kNone || r.ops[i].end_ns() > r.ops[other].end_ns()) other = i;
  }
}

}  // namespace

std::vector<OpTiming> MeasureTiming(const trace::Recording& r, bool median_latencies, bool repeated) {
  const std::vector<Ns> before = EndsBefore(r);
  std::vector<OpTiming> timing(r.ops.size());
  std::vector<Ns> latencies;  // of operations that found their stream idle
  std::vector<Ns> pauses;     // of operations that were there long before they could run
  for (std::size_t i = 0; i < r.ops.size(); ++i) {
    timing[i].engine = EngineOf(r.identities[r.ops[i].identity]);
    if (r.ops[i].call == trace::kNone) continue;
    const Ns begun = r.calls[r.ops[i].call].start_ns;
    if (before[i] < 0 && r.ops[i].start_ns - begun > kUnseenNs) continue;
    if (before[i] <= begun) {
      latencies.push_back(r.ops[i].start_ns - begun);
    } else if (before[i] > begun + kLongPauseNs && r.ops[i].start_ns - before[i] <= kLongPauseNs) {
      pauses.push_back(r.ops[i].start_ns - before[i]);
    }
  }
  const Ns latency = std::max<Ns>(0, Median(latencies, kUsualLatencyNs));
  const Ns pause = std::max<Ns>(0, Median(pauses, kUsualPauseNs));
  for (std::size_t i = 0; i < r.ops.size(); ++i) {
    const trace::Op& op = r.ops[i];
    OpTiming& t = timing[i];
    if (op.call == trace::kNone) continue;
    const Ns since_call = std::max<Ns>(0, op.start_ns - r.calls[op.call].start_ns);
    const Ns since_end = std::max<Ns>(0, op.start_ns - before[i]);
    const bool followed = before[i] > r.calls[op.call].start_ns;
    // Its start is the later of call + latency and predecessor's end + pause: one of the two holds exactly.
    if (!followed || since_call <= 2 * latency) {
      t.latency_ns = since_call;
      t.pause_ns = before[i] < 0 ? 0 : std::min(since_end, pause);
    } else {
      t.latency_ns = std::min(since_call, latency);
      t.pause_ns = since_end;
    }
    if (repeated && before[i] < 0 && t.latency_ns > kUnseenNs) t.latency_ns = latency;
    if (!median_latencies) continue;
    if (t.latency_ns <= kLongPauseNs * 5) t.latency_ns = latency;
    if (t.pause_ns <= kLongPauseNs) t.pause_ns = pause;
  }
  MarkOverlaps(r, timing);
  return timing;
}

}  // namespace mortar::sim
