// What a device may be like before anything is measured: a Gaussian-process prior with physics in it.
//
// The covariance over (batch, mode) is that of a few hundred random devices and workloads: time is a soft
// maximum of parts that shrink with a power of their knob and grow with the batch, power is static draw plus
// parts that grow with a knob and with how busy it is. A smooth residual and a ripple of unrelated points
// cover what such devices cannot. Nothing in it comes from any profile: knobs enter by their values relative
// to their largest alone.
//
// Immutable but for columns computed on first use; any thread.
#pragma once

#include <Eigen/Core>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace mortar::plan {

enum class Quantity : std::uint8_t { kTime, kPower };

class Prior {
 public:
  Prior(const std::vector<std::vector<double>>& modes, const std::vector<int>& batches, Quantity quantity);
  ~Prior();
  Prior(const Prior&) = delete;
  Prior& operator=(const Prior&) = delete;

  // Candidates are [batch position * modes + mode].
  Eigen::Index size() const { return mean_.size(); }
  const Eigen::ArrayXf& mean() const { return mean_; }          // of the logarithm, up to a level
  const Eigen::ArrayXf& variance() const { return variance_; }  // without the ripple
  // Standard deviation of differences between like points that no smooth device explains.
  float ripple() const { return ripple_; }
  // Covariance of all candidates with candidate i, without the ripple.
  const Eigen::ArrayXf& Column(Eigen::Index i) const;

 private:
  Eigen::ArrayXf MakeColumn(Eigen::Index i) const;

  Eigen::ArrayXf mean_;
  Eigen::ArrayXf variance_;
  Eigen::MatrixXf draws_;   // candidates x draws, centred, scaled by 1/sqrt(draws)
  Eigen::MatrixXf places_;  // candidates x (knobs + 1), each in [0, 1] by the logarithm
  float residual_ = 0;      // standard deviation of the smooth residual
  float ripple_ = 0;
  mutable std::vector<std::atomic<Eigen::ArrayXf*>> columns_;
};

// The prior of these modes and batches, made once and shared. Any thread.
std::shared_ptr<const Prior> SharedPrior(const std::vector<std::vector<double>>& modes,
                                         const std::vector<int>& batches, Quantity quantity);

}  // namespace mortar::plan
