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

// Judges a sample whose readings may be off by `spread`: each budget is judged `kMarginZ` standard errors on
// the bad side, and so is the window that inference and τ background minibatches share; everything is
// reported at the readings themselves.
Outcome JudgeWithMargin(const Terms& terms, int batch, int batch2, const Sample& sample, const Spread& spread,
                        double idle_w);

// How much of a window is left for the background, with that margin, where the readings of inference and
// background may be off by these.
double RoomWithMargin(double window_ms, double t_in, double spread_in, double spread_bg);

// The best feasible of all measured points, repeated readings of one choice averaged. Plan::points is left at
// 0.
Plan BestMeasured(const Space& space, const Terms& terms, const std::vector<Probe>& probes);

}  // namespace mortar::plan
