// Exhaustive search over a table: the best plan, and the only one that may say "infeasible".
//
// Pure; any thread. It reads the whole table, so it costs as many points as the table has: a yardstick, not a
// way to plan for a device that has yet to be profiled.
#pragma once

#include "plan/problem.h"
#include "plan/space.h"

namespace mortar::plan {

// Ties go to the first mode, then the smallest batch. Plan::points counts the choices that exist.
Plan SolveExhaustively(const Space& space, const Terms& terms);

}  // namespace mortar::plan
