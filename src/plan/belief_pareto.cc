// Belief's estimates and Pareto set.
#include <algorithm>
#include <cmath>

#include "plan/belief.h"

namespace mortar::plan {
namespace {

bool Dominates(const Sample& a, const Sample& b) {
  return a.t_in <= b.t_in && a.p_in <= b.p_in && a.t_bg <= b.t_bg && a.p_bg <= b.p_bg;
}

}  // namespace

Sample Belief::Estimate::Shifted(double deviations) const {
  Sample sample = expected;
  sample.t_in *= 1 + deviations * static_cast<double>(sd_t_in);
  sample.p_in *= 1 + deviations * static_cast<double>(sd_p_in);
  sample.t_bg *= 1 + deviations * static_cast<double>(sd_t_bg);
  sample.p_bg *= 1 + deviations * static_cast<double>(sd_p_bg);
  return sample;
}

Belief::Estimate Belief::EstimateAt(const Choice& choice) const {
  Estimate estimate;
  estimate.choice = choice;
  if (t_in_ != nullptr) {
    const Eigen::Index i = Cell(choice.batch, choice.mode);
    estimate.log_t_in = t_in_->mean()[i];
    estimate.log_p_in = p_in_->mean()[i];
    estimate.sd_t_in = std::sqrt(t_in_->variance(i));
    estimate.sd_p_in = std::sqrt(p_in_->variance(i));
  }
  if (t_bg_ != nullptr) {
    const Eigen::Index i = Cell(choice.batch2, choice.mode);
    estimate.log_t_bg = t_bg_->mean()[i];
    estimate.log_p_bg = p_bg_->mean()[i];
    estimate.sd_t_bg = std::sqrt(t_bg_->variance(i));
    estimate.sd_p_bg = std::sqrt(p_bg_->variance(i));
  }
  estimate.expected = Expected(choice);
  return estimate;
}

std::vector<Belief::Estimate> Belief::ParetoSet() const {
  std::vector<Estimate> front;
  for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
    for (int b2 = 0; b2 < static_cast<int>(space_.batches2().size()); ++b2) {
      std::vector<Estimate> all;
      for (int m = 0; m < space_.modes(); ++m) {
        const Choice choice{m, b, b2};
        if (space_.Exists(choice)) all.push_back(EstimateAt(choice));
      }
      for (const Estimate& one : all) {
        const bool beaten = std::any_of(all.begin(), all.end(), [&](const Estimate& other) {
          return Dominates(other.expected, one.expected) && !Dominates(one.expected, other.expected);
        });
        if (!beaten) front.push_back(one);
      }
    }
  }
  return front;
}

}  // namespace mortar::plan
