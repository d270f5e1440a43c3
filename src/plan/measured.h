// From measured points to a plan that keeps its budgets: exact where readings are exact, with a margin where
// not.
//
// Pure; any thread. Every strategy answers through here, so every answer rests on points that were paid for.
#pragma once

#include <vector>

#include "plan/problem.h"
#include "plan/strategy.h"

namespace mortar::plan {

// One-sided quantile of the normal distribution at the confidence with which each budget is kept: 0.99.
// Chosen: four budgets can break at once, and the best of many noisy readings flatters itself.
inline constexpr double kMarginZ = 2.33;

// Judges a sample whose readings may be off by `spread` (relative standard error): budgets and τ are judged
// at readings `z` standard errors worse, everything reported at the readings themselves.
Outcome JudgeWithMargin(const Terms& terms, int batch, int batch2, const Sample& sample, double spread,
                        double idle_w);

// The best feasible of all measured points, repeated readings of one choice averaged. Plan::points is left at
// 0.
Plan BestMeasured(const Space& space, const Terms& terms, const std::vector<Probe>& probes);

}  // namespace mortar::plan
