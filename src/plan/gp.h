// A Gaussian process over the candidates of one series, updated point by point: log time or log power of
// everything from the few that were measured.
//
// One owner at a time. An update costs candidates x points; there is no refit. Not for thousands of points.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <memory>
#include <vector>

#include "plan/prior.h"

namespace mortar::plan {

class Gp {
 public:
  explicit Gp(std::shared_ptr<const Prior> prior) : prior_(std::move(prior)) { Reset(); }

  void Reset();

  // Learns that candidate i reads `log_value`, with a relative error of `spread`. A second exact reading of
  // the same candidate changes nothing.
  void Add(Eigen::Index i, float log_value, float spread);

  int count() const { return static_cast<int>(gains_.size()); }
  const Eigen::ArrayXf& mean() const { return mean_; }
  // Of the value itself, ripple included; 0 at candidates read exactly. Scaled by how far off past readings
  // were.
  float variance(Eigen::Index i) const { return variance_[i] * scale_; }
  // Relative standard error of a reading, as those so far had it (root mean square).
  float reading_error() const {
    return gains_.empty() ? 0 : std::sqrt(error_squares_ / static_cast<float>(gains_.size()));
  }

 private:
  std::shared_ptr<const Prior> prior_;
  Eigen::ArrayXf mean_;
  Eigen::ArrayXf variance_;
  std::vector<Eigen::ArrayXf> gains_;  // posterior covariance columns over the root of their pivots
  float error_squares_ = 0;            // of the readings
  float surprise_ = 0;                 // sum of squared standardised errors of the predictions so far
  float scale_ = 1;
};

}  // namespace mortar::plan
