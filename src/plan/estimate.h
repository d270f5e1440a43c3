// What a surrogate believes of choices, and the planner that answers any query from such beliefs.
//
// One owner at a time. `als` and `nn` are this with different sets and surrogates.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "plan/strategy.h"

namespace mortar::plan {

// Of one choice: expected times and powers, and their relative standard deviations.
struct Estimate {
  Choice choice;
  Sample expected;
  float sd_t_in = 0, sd_p_in = 0, sd_t_bg = 0, sd_p_bg = 0;

  // Everything worse by `deviations` standard deviations (better, where negative).
  Sample Shifted(double deviations) const;
};

// The choices that no other choice of the same batches beats in every time and power.
std::vector<Estimate> ParetoSet(const std::vector<Estimate>& all);

// Collects a set of points once, whatever will be asked, and learns; then answers each query from the Pareto
// set of its estimates, measuring up to five choices to verify.
class SetPlanner : public Planner {
 public:
  void StartOver() final;
  Plan Solve(const Terms& terms, int more) final;

  // The plan that the set alone proposes, nothing verified: what answers in microseconds.
  std::optional<Choice> Propose(const Terms& terms) const;

 protected:
  using Planner::Planner;
  // Pays for the set and returns what is believed of every choice.
  virtual std::vector<Estimate> Collect() = 0;

 private:
  std::size_t Place(const Choice& choice) const;
  std::optional<Choice> Promising(const Terms& terms, const Plan& best, double caution) const;

  std::size_t set_ = 0;      // points of the set; what follows in probes_ verified the query at hand
  std::vector<bool> tried_;  // by Place: measured already
  std::vector<Estimate> pareto_;
};

}  // namespace mortar::plan
