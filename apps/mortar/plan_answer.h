// How `mortar plan` tells its answers, as text and as JSON. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mortar/plan_options.h"
#include "plan/advice.h"
#include "plan/space.h"
#include "plan/verify.h"

namespace mortar::cli {

// A plan run against arrivals: as the formula has it, and kept under p99 where asked.
struct ServedPlan {
  std::string arrivals;
  plan::ServingReport report;
};

struct PlanAnswer {
  plan::Plan plan;
  plan::Advice advice;
  std::vector<plan::Probe> probes;
  double profiling_s = 0;
  std::vector<ServedPlan> served;
  bool keep_asked = false;
  std::optional<plan::KeptPlan> kept;
};

std::string AnswerText(const plan::Space& space, const PlanRequest& request, const PlanOptions& options,
                       const PlanAnswer& answer);
std::string AnswerJson(const plan::Space& space, const PlanRequest& request, const PlanAnswer& answer);
std::string ScheduleText(const plan::Space& space, const plan::Query& query,
                         const plan::DynamicPlan& schedule);
std::string ExplainText(const plan::Space& space, const plan::Query& query,
                        const std::vector<plan::Probe>& probes);

}  // namespace mortar::cli
