// Strategies: how to find a good plan from few points. A Planner is one strategy at work on one space.
//
// One owner at a time. A planner may keep what it measured: `Solve` may be called again with other terms
// (another rate, other budgets) and pays for new points alone. It reads the space's shape, never its samples.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "plan/problem.h"
#include "plan/profiler.h"
#include "plan/space.h"

namespace mortar::plan {

enum class StrategyId : std::uint8_t { kOracle, kMax, kRandom, kGmd, kAls, kNn, kAuto };

std::string_view StrategyName(StrategyId id);
std::optional<StrategyId> FindStrategy(std::string_view name);
inline constexpr StrategyId kStrategies[] = {StrategyId::kOracle, StrategyId::kMax, StrategyId::kRandom,
                                             StrategyId::kGmd,    StrategyId::kAls, StrategyId::kNn,
                                             StrategyId::kAuto};

// A paid point: where, and what was read.
struct Probe {
  Choice choice;
  Measurement measured;
};

struct StrategyOptions {
  int probes = 0;  // 0: the strategy's own (DefaultProbes)
  std::uint64_t seed = 1;
};

// Points of a first Solve where the user names none. For `random` and `nn`: modes, each at every batch.
int DefaultProbes(StrategyId id, Problem problem);

class Planner {
 public:
  virtual ~Planner() = default;

  // The best plan found for these terms. At most `more` further points are paid; a negative value means the
  // strategy's budget for one query.
  virtual Plan Solve(const Terms& terms, int more = -1) = 0;

  // Pays up to `points` for what serves all of these queries best; their plans are then Solve(…, 0). By
  // default the hardest (first) is searched first, and what is left goes round.
  virtual void Explore(const std::vector<Terms>& queries, int points);

  // Forgets nothing that was paid, but starts the next Solve as a query of its own would. Strategies that
  // keep a set for any later query (als, nn) keep it; random, gmd and auto start empty.
  virtual void StartOver() = 0;

  const std::vector<Probe>& probes() const { return probes_; }

 protected:
  Planner(const Space& space, Profiler& profiler) : space_(space), profiler_(profiler) {}
  const Probe* Measure(const Choice& choice);
  const Space& space_;
  Profiler& profiler_;
  std::vector<Probe> probes_;
};

// REQUIRES: space and profiler outlive the planner.
std::unique_ptr<Planner> MakePlanner(StrategyId id, const Space& space, Profiler& profiler,
                                     const StrategyOptions& options);

}  // namespace mortar::plan
