// Reports: an evaluation as JSON, text or HTML; a plan's points as HTML.
//
// Pure; any thread. Measured tables come first; synthetic ones are titled as what they are.
#pragma once

#include <string>
#include <vector>

#include "plan/evaluate.h"

namespace mortar::plan {

std::string EvaluationJson(const Evaluation& evaluation);
std::string EvaluationText(const Evaluation& evaluation);
std::string EvaluationHtml(const Evaluation& evaluation);

// Every probe of one search: power against time or throughput, the budgets, the Pareto front, the plan.
std::string PlanHtml(const Space& space, const Query& query, const Plan& plan,
                     const std::vector<Probe>& probes);

// Why a probe is no plan: "power 35.1 of 30.0 W", "latency …", "window …"; "feasible" if it is one.
std::string VerdictText(const Space& space, const Terms& terms, const Probe& probe);

// Probes that no other beats in both score and power.
std::vector<const Probe*> MeasuredFront(const Space& space, const Terms& terms,
                                        const std::vector<Probe>& probes);

}  // namespace mortar::plan
