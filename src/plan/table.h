// A device's profile: minibatch time and power by power mode and batch, as read from a profile CSV.
//
// Immutable once made; any number of threads may read one. It holds whatever was profiled, holes included,
// and knows nothing of queries. Reading and checking a file is csv.h's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace mortar::plan {

enum class Role : std::uint8_t { kTrain, kInfer, kIdle };

std::string_view RoleName(Role role);

inline constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

// One workload in one role. `time_ms` and `power_w` are indexed [batch position * modes + mode]; NaN where
// that (mode, batch) was never profiled.
struct Series {
  std::string workload;
  Role role = Role::kInfer;
  std::vector<int> batches;  // ascending; exactly one for training, {0} for idle
  std::vector<double> time_ms;
  std::vector<double> power_w;
};

struct Table {
  std::string device;
  std::vector<std::string> knobs;
  std::vector<std::vector<double>> modes;  // one value for each knob; no two alike
  std::vector<Series> series;

  std::size_t mode_count() const { return modes.size(); }

  // Null where the workload was never profiled in that role. `Role::kIdle` ignores the name.
  const Series* Find(std::string_view workload, Role role) const;

  // Index of the mode with exactly these values, or -1.
  int FindMode(const std::vector<double>& values) const;

  // The mode every knob of which has its largest value, or -1 where that one was not profiled.
  int LargestMode() const;
};

// "cores=4 gpu_hz=930750000": for messages.
std::string ModeText(const Table& table, int mode);

// The shortest text that reads back as the same number.
std::string NumberText(double value);

}  // namespace mortar::plan
