// How busy a device was, how long it was idle in between, and what would fit there.
//
// Pure; any thread. Of a recording, or of times that a simulation made: the same definitions. A device is
// busy while any operation of any stream is on it; a gap is the time between two busy times of one device.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/recording.h"

namespace mortar::trace {

struct BusyTime {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  Index device = 0;
};

struct DeviceUse {
  std::int64_t span_ns = 0;  // from the first begin to the last end, over all devices
  // Sums over devices, each from its own first begin to its last end.
  std::int64_t device_span_ns = 0;
  std::int64_t busy_ns = 0;
  std::vector<std::int64_t> gaps_ns;  // over all devices, ascending

  double busy() const;  // share of the devices' spans
  // The gap that a share `quantile` of all gaps does not exceed; 0 where there are none.
  std::int64_t GapQuantile(double quantile) const;
  // Device time that back-to-back kernels of that length could use inside the gaps, each wholly in one.
  std::int64_t Fits(std::int64_t kernel_ns) const;
};

// `times` in any order.
DeviceUse MeasureUse(std::vector<BusyTime> times);
DeviceUse MeasureUse(const Recording& recording);

// The share of each of `slices` equal parts of the span in which the first device is busy.
std::vector<double> BusyBySlice(const Recording& recording, std::size_t slices);

}  // namespace mortar::trace
