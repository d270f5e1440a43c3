#include "plan/prior.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>

#include "base/random.h"

namespace mortar::plan {
namespace {

constexpr int kDraws = 320;     // chosen: sampling error of a correlation about 5 %
constexpr float kLevel = 0.7F;  // of the common level, about the first measured value
constexpr float kTimeResidual = 0.08F;
constexpr float kPowerResidual = 0.04F;
// Chosen: recorded power is less smooth than time. Gp scales up where a device ripples more.
constexpr float kTimeRipple = 0.005F;
constexpr float kPowerRipple = 0.015F;
constexpr float kLength = 0.9F;  // of the residual, in parts of a knob's range

double Normal(base::Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

double Between(base::Random& random, double low, double high) {
  return low + (high - low) * random.Uniform();
}

// Values relative to the largest, in (0, 1]. A knob with values that are not positive is taken by rank.
Eigen::MatrixXd RelativeKnobs(const std::vector<std::vector<double>>& modes) {
  const auto rows = static_cast<Eigen::Index>(modes.size());
  const auto knobs = static_cast<Eigen::Index>(modes.empty() ? 0 : modes.front().size());
  Eigen::MatrixXd relative(rows, knobs);
  for (Eigen::Index k = 0; k < knobs; ++k) {
    std::vector<double> values;
    for (const auto& mode : modes) values.push_back(mode[static_cast<std::size_t>(k)]);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    const bool positive = values.front() > 0 && values.back() / values.front() < 1e3;
    for (Eigen::Index m = 0; m < rows; ++m) {
      const double value = modes[static_cast<std::size_t>(m)][static_cast<std::size_t>(k)];
      if (positive) {
        relative(m, k) = value / values.back();
      } else {
        const auto rank = std::lower_bound(values.begin(), values.end(), value) - values.begin();
        relative(m, k) = 0.25 + 0.75 * static_cast<double>(rank + 1) / static_cast<double>(values.size());
      }
    }
  }
  return relative;
}

// One random device running one random workload.
struct Device {
  struct Part {
    double weight;    // of the time at full speed and batch 1
    double speed;     // time falls with knob^speed
    double fixed;     // share that does not grow with the batch, relative to the share that does
    double growth;    // exponent of the batch
    double watts;     // at full speed and fully busy
    double exponent;  // power grows with knob^exponent
    double idle;      // share of watts drawn when not busy
  };
  std::vector<Part> parts;  // one a knob, and one for what no knob moves
  double sharpness;         // of the soft maximum: 1 sums the parts, large takes the slowest
  double static_watts;

  Device(base::Random& random, Eigen::Index knobs) {
    for (Eigen::Index k = 0; k <= knobs; ++k) {
      const bool loose = k == knobs;
      Part part{};
      part.weight = std::exp(Normal(random) * 1.3 - (loose ? 1.5 : 0));
      const double kind = random.Uniform();
      part.speed = kind < 0.75   ? Between(random, 0.75, 1.1)
                   : kind < 0.94 ? Between(random, 0, 0.75)
                                 : Between(random, -0.6, 0);
      if (loose) part.speed = 0;
      part.fixed = std::exp(Normal(random) * 2 + (loose ? 1 : 0));
      part.growth = Between(random, 0.75, 1.03);
      part.watts = loose ? 0 : std::exp(Normal(random));
      part.exponent = Between(random, 0.7, 3);
      part.idle = Between(random, 0, 0.6);
      parts.push_back(part);
    }
    sharpness = std::array{1.0, 1.5, 2.5, 5.0}[random.Next() % 4];
    static_watts = std::exp(Normal(random) - 0.2);
  }

  // Logarithms of time and power. `scratch` has room for one value a part.
  std::pair<double, double> At(const Eigen::MatrixXd& log_knobs, Eigen::Index mode, double batch,
                               std::vector<double>& scratch) const {
    double sum = 0;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const Part& part = parts[k];
      const double log_knob =
          static_cast<Eigen::Index>(k) < log_knobs.cols() ? log_knobs(mode, static_cast<Eigen::Index>(k)) : 0;
      const double load = (part.fixed + std::pow(batch, part.growth)) / (part.fixed + 1);
      scratch[k] = part.weight * load * std::exp(-part.speed * log_knob);
      sum += std::pow(scratch[k], sharpness);
    }
    const double time = std::pow(sum, 1 / sharpness);
    double watts = static_watts;
    for (std::size_t k = 0; k + 1 < parts.size(); ++k) {
      const double busy = scratch[k] / time;
      watts += parts[k].watts * std::exp(parts[k].exponent * log_knobs(mode, static_cast<Eigen::Index>(k))) *
               (parts[k].idle + (1 - parts[k].idle) * busy);
    }
    return {std::log(time), std::log(watts)};
  }
};

}  // namespace

Prior::Prior(const std::vector<std::vector<double>>& modes, const std::vector<int>& batches,
             Quantity quantity)
    : columns_(modes.size() * batches.size()) {
  const Eigen::MatrixXd log_knobs = RelativeKnobs(modes).array().log();
  const auto mode_count = static_cast<Eigen::Index>(modes.size());
  const auto size = mode_count * static_cast<Eigen::Index>(batches.size());
  residual_ = quantity == Quantity::kTime ? kTimeResidual : kPowerResidual;
  ripple_ = quantity == Quantity::kTime ? kTimeRipple : kPowerRipple;

  draws_.resize(size, kDraws);
  base::Random random(20250920);  // fixed: the prior is part of the method
  std::vector<double> scratch(static_cast<std::size_t>(log_knobs.cols()) + 1);
  for (int draw = 0; draw < kDraws; ++draw) {
    const Device device(random, log_knobs.cols());
    for (std::size_t b = 0; b < batches.size(); ++b) {
      for (Eigen::Index m = 0; m < mode_count; ++m) {
        const auto [time, watts] = device.At(log_knobs, m, batches[b], scratch);
        draws_(static_cast<Eigen::Index>(b) * mode_count + m, draw) =
            static_cast<float>(quantity == Quantity::kTime ? time : watts);
      }
    }
  }
  // The level is measured, not believed: each draw is taken relative to its own average.
  const Eigen::RowVectorXf levels = draws_.colwise().mean();
  draws_.rowwise() -= levels;
  mean_ = draws_.rowwise().mean().array();
  draws_.colwise() -= mean_.matrix();
  draws_ /= std::sqrt(static_cast<float>(kDraws));
  variance_ = draws_.rowwise().squaredNorm().array() + kLevel * kLevel + residual_ * residual_;

  places_.resize(size, log_knobs.cols() + 1);
  const double most_batch = std::log(std::max(2.0, static_cast<double>(batches.back())));
  for (std::size_t b = 0; b < batches.size(); ++b) {
    for (Eigen::Index m = 0; m < mode_count; ++m) {
      const Eigen::Index row = static_cast<Eigen::Index>(b) * mode_count + m;
      for (Eigen::Index k = 0; k < log_knobs.cols(); ++k) {
        const double low = log_knobs.col(k).minCoeff();
        places_(row, k) = static_cast<float>(low < 0 ? 1 - log_knobs(m, k) / low : 1.0);
      }
      places_(row, log_knobs.cols()) = static_cast<float>(std::log(batches[b]) / most_batch);
    }
  }
}

Prior::~Prior() {
  for (auto& column : columns_) delete column.load();
}

Eigen::ArrayXf Prior::MakeColumn(Eigen::Index i) const {
  Eigen::ArrayXf column = (draws_ * draws_.row(i).transpose()).array() + kLevel * kLevel;
  const Eigen::ArrayXf distance = (places_.rowwise() - places_.row(i)).rowwise().squaredNorm().array();
  column += residual_ * residual_ * (distance * (-0.5F / (kLength * kLength))).exp();
  return column;
}

const Eigen::ArrayXf& Prior::Column(Eigen::Index i) const {
  auto& slot = columns_[static_cast<std::size_t>(i)];
  Eigen::ArrayXf* known = slot.load();
  if (known != nullptr) return *known;
  auto made = std::make_unique<Eigen::ArrayXf>(MakeColumn(i));
  if (slot.compare_exchange_strong(known, made.get())) return *made.release();
  return *known;  // another thread was first
}

std::shared_ptr<const Prior> SharedPrior(const std::vector<std::vector<double>>& modes,
                                         const std::vector<int>& batches, Quantity quantity) {
  struct Key {
    std::vector<std::vector<double>> modes;
    std::vector<int> batches;
    Quantity quantity;
    auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): its implied 0
  };
  static std::mutex mutex;
  static auto* priors = new std::map<Key, std::shared_ptr<const Prior>>;  // never destroyed: no order at exit
  const std::lock_guard lock(mutex);
  auto& prior = (*priors)[Key{modes, batches, quantity}];
  if (prior == nullptr) prior = std::make_shared<Prior>(modes, batches, quantity);
  return prior;
}

}  // namespace mortar::plan
