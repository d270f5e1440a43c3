#include "plan/estimate.h"

#include <algorithm>
#include <map>

#include "plan/measured.h"

namespace mortar::plan {
namespace {

constexpr int kVerify = 5;  // points a query, after Fulcrum's ALS as we read it
// Verification starts with choices that should keep the budgets by half a standard deviation, and grows
// bolder where none of these is left.
constexpr double kCaution[] = {0.5, 0, -0.5, -1, -1.5, -2};

bool Dominates(const Sample& a, const Sample& b) {
  return a.t_in <= b.t_in && a.p_in <= b.p_in && a.t_bg <= b.t_bg && a.p_bg <= b.p_bg;
}

}  // namespace

Sample Estimate::Shifted(double deviations) const {
  Sample sample = expected;
  sample.t_in *= 1 + deviations * static_cast<double>(sd_t_in);
  sample.p_in *= 1 + deviations * static_cast<double>(sd_p_in);
  sample.t_bg *= 1 + deviations * static_cast<double>(sd_t_bg);
  sample.p_bg *= 1 + deviations * static_cast<double>(sd_p_bg);
  return sample;
}

std::vector<Estimate> ParetoSet(const std::vector<Estimate>& all) {
  std::map<std::pair<int, int>, std::vector<const Estimate*>> groups;
  for (const Estimate& one : all) groups[{one.choice.batch, one.choice.batch2}].push_back(&one);
  std::vector<Estimate> front;
  for (const auto& [batches, group] : groups) {
    for (const Estimate* one : group) {
      const bool beaten = std::any_of(group.begin(), group.end(), [&](const Estimate* other) {
        return Dominates(other->expected, one->expected) && !Dominates(one->expected, other->expected);
      });
      if (!beaten) front.push_back(*one);
    }
  }
  return front;
}

Plan SetPlanner::Solve(const Terms& terms, int more) {
  if (set_ == 0) {
    pareto_ = ParetoSet(Collect());
    set_ = probes_.size();
    tried_.resize(static_cast<std::size_t>(space_.modes()) * space_.batches().size() *
                  space_.batches2().size());
    for (const Probe& probe : probes_) tried_[Place(probe.choice)] = true;
  }
  const int verify = more < 0 ? kVerify : std::min(more, kVerify);
  std::size_t level = 0;
  for (int i = 0; i < verify; ++i) {
    const Plan best = BestMeasured(space_, terms, probes_);
    auto choice = Promising(terms, best, kCaution[level]);
    while (!choice && level + 1 < std::size(kCaution)) choice = Promising(terms, best, kCaution[++level]);
    if (!choice || Measure(*choice) == nullptr) break;
    tried_[Place(*choice)] = true;
  }
  Plan plan = BestMeasured(space_, terms, probes_);
  plan.points = static_cast<int>(probes_.size());
  return plan;
}

std::optional<Choice> SetPlanner::Propose(const Terms& terms) const {
  return Promising(terms, Plan{}, kCaution[0]);
}

std::size_t SetPlanner::Place(const Choice& choice) const {
  const auto at = [](int value) { return static_cast<std::size_t>(value); };
  return (at(choice.mode) * space_.batches().size() + at(choice.batch)) * space_.batches2().size() +
         at(choice.batch2);
}

void SetPlanner::StartOver() {
  for (std::size_t i = set_; i < probes_.size(); ++i) tried_[Place(probes_[i].choice)] = false;
  probes_.resize(std::min(probes_.size(), set_));
}

// The best of the Pareto set by the surrogate, if it should beat the best measured; while nothing measured
// is feasible, else the one that breaks its budgets least.
std::optional<Choice> SetPlanner::Promising(const Terms& terms, const Plan& best, double caution) const {
  std::optional<Choice> chosen;
  std::optional<Choice> mildest;
  double score = best.feasible ? best.outcome.score : -kNoLimit;
  double least = 1e300;
  for (const Estimate& estimate : pareto_) {
    const Choice& choice = estimate.choice;
    const Sample sample = estimate.Shifted(caution);
    const int batch = space_.batches()[static_cast<std::size_t>(choice.batch)];
    const int batch2 = space_.batches2()[static_cast<std::size_t>(choice.batch2)];
    const Outcome outcome = Judge(terms, batch, batch2, sample, space_.IdleWatts(choice.mode));
    if (outcome.feasible) {
      if (outcome.score <= score || tried_[Place(choice)]) continue;
      score = outcome.score;
      chosen = choice;
    } else if (!best.feasible && !chosen) {
      const double excess = terms.problem == Problem::kTrain
                                ? sample.p_bg / terms.power_w
                                : std::max(sample.t_in / std::max(terms.LongestInference(batch), 1e-9),
                                           sample.p_in / terms.power_w);
      if (excess >= least || tried_[Place(choice)]) continue;
      least = excess;
      mildest = choice;
    }
  }
  return chosen ? chosen : mildest;
}

}  // namespace mortar::plan
