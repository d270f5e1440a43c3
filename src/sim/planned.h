// A plan of the planner, run: inference batches as they come due, background minibatches between them, and
// what `fill` gets out of the time that the plan leaves idle.
//
// A plan knows how long a batch and a minibatch take, not what they are made of: both are run as launches of
// equal kernels that keep the device busy. Pure; any thread.
#pragma once

#include <string_view>

#include "base/result.h"
#include "sim/run.h"

namespace mortar::sim {

struct PlannedWork {
  double rate = 0;  // requests a second
  int batch = 1;
  int tau = 0;
  double t_in_ms = 0;          // one inference batch
  double t_background_ms = 0;  // one minibatch; 0: no background
  double latency_ms = 0;       // as the plan foretells it
};
// Reads what `mortar plan --json` prints. Errors: kInvalid, naming what is missing.
base::Result<PlannedWork> ReadPlanned(std::string_view json, const std::string& name);

struct PlannedShare {
  std::uint64_t batches = 0;
  double background_per_s = 0;  // minibatches, counted by their work
  // Latency of a batch's first request; NaN where there are none, p99 also where they are too few.
  double p50_ms = kUnknown, p99_ms = kUnknown, max_ms = kUnknown;
  double device_busy = 0;
};
struct PlannedReport {
  PlannedWork work;
  PlannedShare plan;  // tau whole minibatches after each batch
  PlannedShare fill;  // kernel by kernel
};
PlannedReport RunPlanned(const PlannedWork& work, Ns for_ns, std::uint64_t seed);

}  // namespace mortar::sim
