// Runs a plan against arrivals, request by request: what the deterministic formula promises and what requests
// see.
//
// Pure; any thread. Arrival instants are given (trace/arrivals makes them). The device is the plan's sample:
// one inference batch or one training minibatch at a time, none interrupted. Not a model of contention on the
// chip.
#pragma once

#include <optional>
#include <vector>

#include "plan/problem.h"
#include "plan/space.h"
#include "plan/strategy.h"

namespace mortar::plan {

// How the executor serves: a batch starts when `batch` requests wait or the oldest waited `timeout_ms`; after
// each, up to `tau` background minibatches run, a full batch going first between them.
struct Serving {
  int batch = 1;
  int tau = 0;
  double t_in = 0;
  double t_bg = kNoLimit;
  double timeout_ms = kNoLimit;
};

struct ServingReport {
  std::size_t requests = 0;  // served; the last, partial batch is left out where nothing times out
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
  std::size_t missed = 0;       // over the latency budget
  double background_per_s = 0;  // minibatches/s really run
  double busy = 0;              // share of the time in which the device worked
  std::size_t partial_batches = 0;
};

ServingReport Serve(const Serving& serving, const std::vector<double>& arrivals_s, double latency_ms);

// A plan that keeps p99 within the latency budget under these arrivals: the best measured choice, with a
// time-out for its batch and background minibatches left out as needed. A partial batch is charged the full
// batch's time.
struct KeptPlan {
  Plan plan;  // tau and throughput as served
  Serving serving;
  ServingReport report;
};
std::optional<KeptPlan> KeepP99(const Space& space, const Terms& terms, const std::vector<Probe>& probes,
                                const std::vector<double>& arrivals_s);

}  // namespace mortar::plan
