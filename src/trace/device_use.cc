#include "trace/device_use.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace mortar::trace {
namespace {

std::vector<BusyTime> TimesOf(const Recording& recording) {
  std::vector<BusyTime> times;
  times.reserve(recording.ops.size());
  for (const Op& op : recording.ops)
    times.push_back({op.start_ns, op.end_ns(), recording.streams[op.stream].device});
  return times;
}

// Disjoint, ascending by device and begin.
std::vector<BusyTime> Merged(std::vector<BusyTime> times) {
  std::sort(times.begin(), times.end(), [](const BusyTime& x, const BusyTime& y) {
    return std::tie(x.device, x.start_ns, x.end_ns) < std::tie(y.device, y.start_ns, y.end_ns);
  });
  std::vector<BusyTime> merged;
  for (const BusyTime& time : times) {
    if (!merged.empty() && merged.back().device == time.device && time.start_ns <= merged.back().end_ns) {
      merged.back().end_ns = std::max(merged.back().end_ns, time.end_ns);
    } else {
      merged.push_back(time);
    }
  }
  return merged;
}

}  // namespace

double DeviceUse::busy() const {
  return device_span_ns == 0 ? 0 : static_cast<double>(busy_ns) / static_cast<double>(device_span_ns);
}

std::int64_t DeviceUse::GapQuantile(double quantile) const {
  if (gaps_ns.empty()) return 0;
  const auto place = std::ceil(quantile * static_cast<double>(gaps_ns.size()));
  const auto index = static_cast<std::size_t>(std::max(place, 1.0)) - 1;
  return gaps_ns[std::min(index, gaps_ns.size() - 1)];
}

std::int64_t DeviceUse::Fits(std::int64_t kernel_ns) const {
  std::int64_t sum = 0;
  if (kernel_ns <= 0) return sum;
  for (const std::int64_t gap : gaps_ns) sum += gap / kernel_ns * kernel_ns;
  return sum;
}

DeviceUse MeasureUse(std::vector<BusyTime> times) {
  DeviceUse use;
  const std::vector<BusyTime> merged = Merged(std::move(times));
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < merged.size(); ++i) {
    const BusyTime& time = merged[i];
    first = std::min(first, time.start_ns);
    last = std::max(last, time.end_ns);
    use.busy_ns += time.end_ns - time.start_ns;
    use.device_span_ns += time.end_ns - time.start_ns;
    if (i == 0 || merged[i - 1].device != time.device) continue;
    const std::int64_t gap = time.start_ns - merged[i - 1].end_ns;
    use.gaps_ns.push_back(gap);
    use.device_span_ns += gap;
  }
  if (!merged.empty()) use.span_ns = last - first;
  std::sort(use.gaps_ns.begin(), use.gaps_ns.end());
  return use;
}

DeviceUse MeasureUse(const Recording& recording) { return MeasureUse(TimesOf(recording)); }

std::vector<double> BusyBySlice(const Recording& recording, std::size_t slices) {
  std::vector<double> shares(slices, 0);
  const std::vector<BusyTime> merged = Merged(TimesOf(recording));
  if (merged.empty() || slices == 0) return shares;
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  for (const BusyTime& time : merged) {
    if (time.device != merged.front().device) break;
    first = std::min(first, time.start_ns);
    last = std::max(last, time.end_ns);
  }
  const double width = static_cast<double>(last - first) / static_cast<double>(slices);
  if (width <= 0) return shares;
  for (const BusyTime& time : merged) {
    if (time.device != merged.front().device) break;
    double from = static_cast<double>(time.start_ns - first) / width;
    const double to = static_cast<double>(time.end_ns - first) / width;
    while (from < to) {
      const double slice = std::floor(from);
      const double until = std::min(to, slice + 1);
      if (slice >= static_cast<double>(slices)) break;
      shares[static_cast<std::size_t>(slice)] += until - from;
      from = until;
    }
  }
  return shares;
}

}  // namespace mortar::trace
