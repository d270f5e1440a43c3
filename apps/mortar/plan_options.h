// The options of `mortar plan` and the query they make. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/dynamic.h"
#include "plan/strategy.h"
#include "trace/arrivals.h"

namespace mortar::cli {

struct PlanOptions {
  std::string profiles;
  std::string train;
  std::vector<std::string> infer;  // NAME, urgent=NAME, background=NAME
  std::string rate, latency, power;
  std::string objective = "throughput";
  std::string rule = "b-1";
  std::string strategy = "auto";
  std::string arrivals, window, keep;
  std::string html;
  int probes = 0;
  double noise_sigma = 0;
  std::uint64_t seed = 1;
  bool unannounced = false;
  bool verify = false;
  bool explain = false;
  bool json = false;
};

struct PlanRequest {
  plan::Query query;
  plan::StrategyId strategy = plan::StrategyId::kAuto;
  std::optional<trace::ArrivalSpec> arrivals;
};

// Errors: kInvalid, naming the flag.
base::Result<PlanRequest> ReadPlanOptions(const PlanOptions& options);

}  // namespace mortar::cli
