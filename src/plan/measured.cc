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
  Spread squares;  // sums of squared standard errors
  int readings = 0;
};

double Square(double value) { return value * value; }

Spread SpreadOf(const Average& sum) {
  const double n = sum.readings;
  return {std::sqrt(sum.squares.t_in) / n, std::sqrt(sum.squares.p_in) / n, std::sqrt(sum.squares.t_bg) / n,
          std::sqrt(sum.squares.p_bg) / n};
}

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

void Offer(const Space& space, const Terms& terms, const Choice& choice, const Sample& sample,
           const Spread& spread, Plan* best) {
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

double RoomWithMargin(double window_ms, double t_in, double spread_in, double spread_bg) {
  // The x with window − t_in − x = z·√((t_in·s_in)² + (x·s_bg)²): errors of the two are independent.
  const double room = window_ms - t_in;
  const double fixed = Square(kMarginZ * spread_in * t_in);
  const double slope = std::min(Square(kMarginZ * spread_bg), 0.9);
  if (room <= 0 || Square(room) <= fixed) return 0;
  return (room - std::sqrt(slope * Square(room) + (1 - slope) * fixed)) / (1 - slope);
}

Outcome JudgeWithMargin(const Terms& terms, int batch, int batch2, const Sample& sample, const Spread& spread,
                        double idle_w) {
  if (spread.Greatest() <= 0) return Judge(terms, batch, batch2, sample, idle_w);
  const auto worse = [](double value, double error) { return value * std::exp(kMarginZ * error); };
  const Sample high{worse(sample.t_in, spread.t_in), worse(sample.p_in, spread.p_in), sample.t_bg,
                    worse(sample.p_bg, spread.p_bg)};
  const Outcome careful = Judge(terms, batch, batch2, high, idle_w);
  const double room = RoomWithMargin(terms.Window(batch), sample.t_in, spread.t_in, spread.t_bg);
  const int most = careful.tau > 0 ? Ratio(room, 0, sample.t_bg) : 0;
  Outcome outcome = Judge(terms, batch, batch2, sample, idle_w, most);
  outcome.feasible = careful.feasible;
  return outcome;
}

Plan BestMeasured(const Space& space, const Terms& terms, const std::vector<Probe>& probes) {
  Plan best;
  const bool noisy = !probes.empty() && probes.front().measured.spread.Greatest() > 0;
  if (!noisy) {
    for (const Probe& probe : probes) Offer(space, terms, probe.choice, probe.measured.sample, {}, &best);
    return best;
  }
  std::map<std::tuple<int, int, int>, Average> sums;
  for (const Probe& probe : probes) {
    Average& sum = sums[{probe.choice.mode, probe.choice.batch, probe.choice.batch2}];
    sum.log_t_in += LogOrZero(probe.measured.sample.t_in);
    sum.log_p_in += LogOrZero(probe.measured.sample.p_in);
    sum.log_t_bg += LogOrZero(probe.measured.sample.t_bg);
    sum.log_p_bg += LogOrZero(probe.measured.sample.p_bg);
    const Spread& spread = probe.measured.spread;
    sum.squares.t_in += Square(spread.t_in);
    sum.squares.p_in += Square(spread.p_in);
    sum.squares.t_bg += Square(spread.t_bg);
    sum.squares.p_bg += Square(spread.p_bg);
    ++sum.readings;
  }
  for (const auto& [key, sum] : sums) {
    const auto [mode, batch, batch2] = key;
    Offer(space, terms, Choice{mode, batch, batch2}, SampleOf(sum, space), SpreadOf(sum), &best);
  }
  return best;
}

}  // namespace mortar::plan
