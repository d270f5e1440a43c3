// Measuring how a CUDA device is shared by processes: two child processes with kernels of known length, told
// by this one what to do when. Nothing of CUDA's is loaded into this process. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model.h"

namespace mortar::cli {

struct Calibration {
  std::string device;  // as boards are named
  model::DeviceMode mode = model::DeviceMode::kSliced;
  // Of one change from one process to the other; 0 where kernels overlap; nothing: this machine was too busy.
  std::optional<std::int64_t> switch_cost_ns;
  std::vector<std::int64_t> estimates_ns;  // of it
  double together = 0;             // what the same work took beside another process's, in what it took alone
  std::int64_t round_trip_ns = 0;  // of a kernel in each process in turn; one round in ten is shorter
  std::int64_t alone_ns = 0;       // the same with the second kernel in the first process
};

// `driver`: the path of libcuda.so.1. Errors: kNotFound, no device of that number; kSystem, the driver
// failed, or did not answer within a minute.
base::Result<Calibration> Calibrate(const std::string& driver, int ordinal);

// What the measured times say. Pure.
model::DeviceMode ModeOf(double together);
// Their median, not below 0, once there are five whose middle half lies within 2 us or a fifth; nothing
// before, and where it says that changing over gives time back.
std::optional<std::int64_t> SettledCost(std::vector<std::int64_t> estimates_ns);
inline constexpr std::size_t kMostEstimates = 40;  // chosen: a second, ten on a busy machine

}  // namespace mortar::cli
