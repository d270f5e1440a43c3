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

double TableProfiler::Noisy(double value) {
  if (sigma_ <= 0 || !std::isfinite(value)) return value;
  // Box–Muller; 1 − u keeps the logarithm's argument above 0.
  const double radius = std::sqrt(-2 * std::log(1 - random_.Uniform()));
  return value * std::exp(sigma_ * radius * std::cos(2 * std::numbers::pi * random_.Uniform()));
}

std::optional<Measurement> TableProfiler::Measure(const Choice& choice) {
  if (!space_.Exists(choice)) return std::nullopt;
  Measurement measured;
  const Sample truth = space_.SampleAt(choice);
  Pay(choice, truth);
  measured.sample = {Noisy(truth.t_in), Noisy(truth.p_in), Noisy(truth.t_bg), Noisy(truth.p_bg)};
  measured.spread = sigma_;
  return measured;
}

}  // namespace mortar::plan
