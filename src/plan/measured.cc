#include "plan/measured.h"

#include <cmath>
#include <map>
#include <tuple>

namespace mortar::plan {
namespace {

struct Average {
  double log_t_in = 0;
  double log_p_in = 0;
  double log_t_bg = 0;
  double log_p_bg = 0;
  double spread = 0;
  int readings = 0;
};

double LogOrZero(double value) { return value > 0 && std::isfinite(value) ? std::log(value) : 0; }

Sample SampleOf(const Average& sum, const Space& space) {
  Sample sample;
  const double n = sum.readings;
  if (space.has_inference()) {
    sample.t_in = std::exp(sum.log_t_in / n);
    sample.p_in = std::exp(sum.log_p_in / n);
  }
  if (space.has_background()) {
    sample.t_bg = std::exp(sum.log_t_bg / n);
    sample.p_bg = std::exp(sum.log_p_bg / n);
  }
  return sample;
}

void Offer(const Space& space, const Terms& terms, const Choice& choice, const Sample& sample, double spread,
           Plan* best) {
  const int batch = space.batches()[static_cast<std::size_t>(choice.batch)];
  const int batch2 = space.batches2()[static_cast<std::size_t>(choice.batch2)];
  const Outcome outcome = JudgeWithMargin(terms, batch, batch2, sample, spread, space.IdleWatts(choice.mode));
  if (!outcome.feasible || (best->feasible && outcome.score <= best->outcome.score)) return;
  best->feasible = true;
  best->mode = choice.mode;
  best->batch = batch;
  best->batch2 = batch2;
  best->sample = sample;
  best->outcome = outcome;
}

}  // namespace

Outcome JudgeWithMargin(const Terms& terms, int batch, int batch2, const Sample& sample, double spread,
                        double idle_w) {
  if (spread <= 0) return Judge(terms, batch, batch2, sample, idle_w);
  const double worse = std::exp(kMarginZ * spread);
  const Sample high{sample.t_in * worse, sample.p_in * worse, sample.t_bg * worse, sample.p_bg * worse};
  const Outcome careful = Judge(terms, batch, batch2, high, idle_w);
  Outcome outcome = Judge(terms, batch, batch2, sample, idle_w, careful.tau);
  outcome.feasible = careful.feasible;
  return outcome;
}

Plan BestMeasured(const Space& space, const Terms& terms, const std::vector<Probe>& probes) {
  Plan best;
  const bool noisy = !probes.empty() && probes.front().measured.spread > 0;
  if (!noisy) {
    for (const Probe& probe : probes) Offer(space, terms, probe.choice, probe.measured.sample, 0, &best);
    return best;
  }
  std::map<std::tuple<int, int, int>, Average> sums;
  for (const Probe& probe : probes) {
    Average& sum = sums[{probe.choice.mode, probe.choice.batch, probe.choice.batch2}];
    sum.log_t_in += LogOrZero(probe.measured.sample.t_in);
    sum.log_p_in += LogOrZero(probe.measured.sample.p_in);
    sum.log_t_bg += LogOrZero(probe.measured.sample.t_bg);
    sum.log_p_bg += LogOrZero(probe.measured.sample.p_bg);
    sum.spread = std::max(sum.spread, probe.measured.spread);
    ++sum.readings;
  }
  for (const auto& [key, sum] : sums) {
    const auto [mode, batch, batch2] = key;
    Offer(space, terms, Choice{mode, batch, batch2}, SampleOf(sum, space),
          sum.spread / std::sqrt(sum.readings), &best);
  }
  return best;
}

}  // namespace mortar::plan
