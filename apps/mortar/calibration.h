// Measuring how a CUDA device is shared by processes: two child processes with kernels of known length, told
// by this one what to do when. Nothing of CUDA's is loaded into this process. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/model.h"

namespace mortar::cli {

struct Calibration {
  std::string device;  // as boards are named
  model::DeviceMode mode = model::DeviceMode::kSliced;
  std::int64_t switch_cost_ns = 0;  // of one change from one process to the other; 0 where kernels overlap
  double together = 0;              // what the same work took beside another process's, in what it took alone
  std::int64_t round_trip_ns = 0;   // of a kernel in each process in turn, median
  std::int64_t alone_ns = 0;        // the same with the second kernel in the first process
};

// `driver`: the path of libcuda.so.1. Errors: kNotFound, no device of that number; kSystem, the driver
// failed, or did not answer within a minute.
base::Result<Calibration> Calibrate(const std::string& driver, int ordinal);

// What the measured times say. Pure.
model::DeviceMode ModeOf(double together);
std::int64_t SwitchCostOf(std::int64_t round_trip_ns, std::int64_t alone_ns);

}  // namespace mortar::cli
