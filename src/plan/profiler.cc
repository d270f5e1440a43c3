#include "plan/profiler.h"

#include <cmath>
#include <numbers>

namespace mortar::plan {

void Profiler::Pay(const Choice& choice, const Sample& sample) {
  ++points_;
  if (choice.mode != mode_) {
    ++mode_switches_;
    mode_ = choice.mode;
  }
  const double background_ms = std::isfinite(sample.t_bg) ? sample.t_bg : 0;
  seconds_ += kMinibatches * (sample.t_in + background_ms) / 1000;
}

namespace {

double Normal(base::Random& random) {
  // Box–Muller; 1 − u keeps the logarithm's argument above 0.
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

}  // namespace

double TableProfiler::Noisy(double value) {
  if (sigma_ <= 0 || !std::isfinite(value)) return value;
  return value * std::exp(sigma_ * Normal(random_));
}

// The standard error of a mean of `kMinibatches`, as their sample deviation tells it: a chi variable over the
// root of its degrees of freedom (Wilson and Hilferty's approximation).
double TableProfiler::EstimatedError() {
  if (sigma_ <= 0) return 0;
  constexpr double kPart = 2.0 / (9 * (kMinibatches - 1));
  return sigma_ * std::pow(1 - kPart + std::sqrt(kPart) * Normal(random_), 1.5);
}

std::optional<Measurement> TableProfiler::Measure(const Choice& choice) {
  if (!space_.Exists(choice)) return std::nullopt;
  Measurement measured;
  const Sample truth = space_.SampleAt(choice);
  Pay(choice, truth);
  measured.sample = {Noisy(truth.t_in), Noisy(truth.p_in), Noisy(truth.t_bg), Noisy(truth.p_bg)};
  measured.spread = {EstimatedError(), EstimatedError(), EstimatedError(), EstimatedError()};
  return measured;
}

}  // namespace mortar::plan
