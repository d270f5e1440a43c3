#include "plan/gp.h"

#include <algorithm>
#include <cmath>

namespace mortar::plan {
namespace {

constexpr float kLeastVariance = 1e-7F;

}  // namespace

void Gp::Reset() {
  mean_ = prior_->mean();
  variance_ = prior_->variance() + prior_->ripple() * prior_->ripple();
  gains_.clear();
  error_squares_ = 0;
  surprise_ = 0;
  scale_ = 1;
}

void Gp::Add(Eigen::Index i, float log_value, float spread) {
  if (gains_.empty()) {
    mean_ += log_value - mean_[i];  // the level, see kLevel
  }
  if (variance_[i] <= kLeastVariance && spread <= 0) return;
  Eigen::ArrayXf column = prior_->Column(i);
  column[i] += prior_->ripple() * prior_->ripple();
  for (const auto& gain : gains_) column -= gain[i] * gain;
  const float pivot = std::max(variance_[i], kLeastVariance) + spread * spread;
  const float root = std::sqrt(pivot);
  const float standardised = (log_value - mean_[i]) / root;
  column /= root;
  mean_ += standardised * column;
  variance_ = (variance_ - column.square()).max(0.0F);
  if (spread <= 0) {
    mean_[i] = log_value;
    variance_[i] = 0;
  }
  if (!gains_.empty()) surprise_ += std::min(standardised * standardised, 25.0F);
  error_squares_ += spread * spread;
  gains_.push_back(std::move(column));
  // As if four predictions of just the expected error had been seen before.
  scale_ = (4 + surprise_) / (4 + static_cast<float>(gains_.size() - 1));
}

}  // namespace mortar::plan
