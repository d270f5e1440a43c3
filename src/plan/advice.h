// What an answer should say besides the plan: the binding constraint, what one more watt or millisecond would
// buy, and where there is no plan, how far away the nearest one is.
//
// Pure; any thread. From measured points alone, or with estimates of the rest, and each figure says which.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/problem.h"
#include "plan/space.h"
#include "plan/strategy.h"

namespace mortar::plan {

// One budget moved, the others kept, until a plan exists.
struct Relaxation {
  enum class Kind { kWatts, kMilliseconds, kRate } kind = Kind::kWatts;
  double value = 0;  // the budget at which a plan exists: W, ms, requests/s
  double away = 0;   // how far that is
  Choice choice;
  bool measured = false;
};

// All budgets moved at once, by the least common factor; what to offer where no single one is enough.
struct JointRelaxation {
  double power_w = 0;
  double latency_ms = 0;  // kNoLimit where the problem has none
  double rate = 0;
  bool measured = false;
};

struct Advice {
  std::string binding;  // "power", "latency", "stability" or "none": the most used budget of the plan
  double used = 0;      // share of it, 0…1
  // Gain in throughput (latency in ms for inference alone) with 1 W or 1 ms more; nothing where unknown.
  std::optional<double> per_watt;
  std::optional<double> per_ms;
  bool estimated = false;                   // the gains rest on estimates of points not measured
  std::vector<Relaxation> relaxations;      // nearest of each kind; empty where there is a plan
  std::optional<JointRelaxation> together;  // where there is no plan and no single relaxation
};

// REQUIRES: `plan` answers `terms` on `space`. Exhaustive plans are advised from the table, others from
// `probes` and a surrogate over them.
Advice Advise(const Space& space, const Terms& terms, const Plan& plan, const std::vector<Probe>& probes);

std::string RelaxationText(const Relaxation& relaxation);
std::string RelaxationText(const JointRelaxation& relaxation);

}  // namespace mortar::plan
