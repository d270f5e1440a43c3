// Scores a plan against the truth of its table: solved, violating, loss.
//
// Pure; any thread. The definitions are those of the planner queries: loss = (θ* − θ)/θ*; for inference alone
// (latency − latency*)/latency*, for head-room the difference, for energy (energy − energy*)/energy*.
#pragma once

#include <optional>
#include <vector>

#include "plan/problem.h"
#include "plan/space.h"

namespace mortar::plan {

struct Verdict {
  bool feasible = false;       // some plan exists
  bool solved = false;         // one was returned that violates nothing
  bool violating = false;      // one was returned that breaks a constraint
  std::optional<double> loss;  // of a solved query with something to lose
};

// REQUIRES: `best` is the oracle's plan.
Verdict Score(const Space& space, const Terms& terms, const Plan& plan, const Plan& best);

// Gathers verdicts and costs of one strategy on one set.
class Tally {
 public:
  void Add(const Verdict& verdict, int points, double seconds, int mode_switches);
  void Merge(const Tally& other);

  long queries() const { return queries_; }
  double solved() const;     // share of the feasible
  double violating() const;  // share of all
  double LossQuantile(double share) const;
  double LossMean() const;
  double PointsMean() const { return Mean(points_); }
  double SecondsMean() const { return Mean(seconds_); }
  double SwitchesMean() const { return Mean(switches_); }

 private:
  double Mean(double sum) const { return queries_ > 0 ? sum / static_cast<double>(queries_) : 0; }
  long queries_ = 0;
  long feasible_ = 0;
  long solved_ = 0;
  long violating_ = 0;
  double points_ = 0;
  double seconds_ = 0;
  double switches_ = 0;
  std::vector<float> losses_;
};

}  // namespace mortar::plan
