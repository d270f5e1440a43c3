// Arrival rates that change: one plan a window, from points that all windows share.
//
// One owner at a time. The rates may be announced (all known before the first window) or not (each known when
// its window starts); nothing is measured twice.
#pragma once

#include <vector>

#include "plan/strategy.h"

namespace mortar::plan {

inline constexpr int kPointsForSequence =
    30;  // Fulcrum's budgets are for one query; the goal for a sequence

struct DynamicPlan {
  std::vector<Plan> plans;  // one a window
  int points = 0;
  int mode_changes = 0;
};

DynamicPlan PlanRates(Planner& planner, const Query& query, bool announced = true);

}  // namespace mortar::plan
