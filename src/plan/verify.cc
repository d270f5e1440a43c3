#include "plan/verify.h"

#include <algorithm>
#include <cmath>

#include "plan/measured.h"

namespace mortar::plan {
namespace {

double QuantileOf(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank > 0 ? rank - 1 : 0);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

ServingReport Serve(const Serving& serving, const std::vector<double>& arrivals_s, double latency_ms) {
  ServingReport report;
  std::vector<double> latencies;
  latencies.reserve(arrivals_s.size());
  const auto batch = static_cast<std::size_t>(serving.batch);
  std::size_t next = 0;
  double now = 0;
  double busy = 0;
  int credit = 0;
  std::size_t background = 0;
  while (next < arrivals_s.size()) {
    double ready = next + batch <= arrivals_s.size() ? arrivals_s[next + batch - 1] * 1000 : kNoLimit;
    ready = std::min(ready, arrivals_s[next] * 1000 + serving.timeout_ms);
    if (!(ready < kNoLimit)) break;
    if (now + 1e-9 >= ready) {
      std::size_t count = 0;
      while (count < batch && next + count < arrivals_s.size() &&
             arrivals_s[next + count] * 1000 <= now + 1e-9) {
        ++count;
      }
      now += serving.t_in;
      busy += serving.t_in;
      for (std::size_t i = 0; i < count; ++i) {
        const double latency = now - arrivals_s[next + i] * 1000;
        latencies.push_back(latency);
        if (latency > latency_ms * (1 + 1e-6)) ++report.missed;
      }
      if (count < batch) ++report.partial_batches;
      next += count;
      credit = serving.tau;
      continue;
    }
    if (credit > 0 && serving.t_bg < kNoLimit) {
      now += serving.t_bg;
      busy += serving.t_bg;
      --credit;
      ++background;
      continue;
    }
    now = ready;
  }
  report.requests = latencies.size();
  report.p50_ms = QuantileOf(latencies, 0.50);
  report.p99_ms = QuantileOf(latencies, 0.99);
  report.max_ms = QuantileOf(latencies, 1.0);
  if (now > 0) {
    report.background_per_s = 1000 * static_cast<double>(background) / now;
    report.busy = busy / now;
  }
  return report;
}

std::optional<KeptPlan> KeepP99(const Space& space, const Terms& terms, const std::vector<Probe>& probes,
                                const std::vector<double>& arrivals_s) {
  std::optional<KeptPlan> best;
  double best_score = -1;
  for (const Probe& probe : probes) {
    const Sample& sample = probe.measured.sample;
    const int batch = space.batches()[static_cast<std::size_t>(probe.choice.batch)];
    const int batch2 = space.batches2()[static_cast<std::size_t>(probe.choice.batch2)];
    // Power and stability as ever; latency is what the simulation decides.
    Terms relaxed = terms;
    relaxed.latency_ms = kNoLimit;
    relaxed.objective = Objective::kThroughput;
    const Outcome outcome = JudgeWithMargin(relaxed, batch, batch2, sample, probe.measured.spread,
                                            space.IdleWatts(probe.choice.mode));
    if (!outcome.feasible) continue;
    const double room = terms.latency_ms - sample.t_in;
    const double blocked = outcome.tau > 0 ? sample.t_bg : 0;
    for (const double timeout : {kNoLimit, room - blocked, 0.5 * (room - blocked), 0.0}) {
      if (timeout < 0) continue;
      for (const double part : {1.0, 0.75, 0.5, 0.25, 0.1, 0.0}) {
        const int tau = static_cast<int>(std::floor(part * outcome.tau));
        const Serving serving{batch, tau, sample.t_in, sample.t_bg, timeout};
        const ServingReport report = Serve(serving, arrivals_s, terms.latency_ms);
        if (report.requests == 0 || report.p99_ms > terms.latency_ms * (1 + 1e-6)) continue;
        const double unit = terms.problem == Problem::kMultiInfer ? batch2 : 1;
        const double score =
            terms.problem == Problem::kInfer ? 1 / report.p99_ms : report.background_per_s * unit;
        if (score > best_score) {
          best_score = score;
          KeptPlan kept;
          kept.plan.feasible = true;
          kept.plan.mode = probe.choice.mode;
          kept.plan.batch = batch;
          kept.plan.batch2 = batch2;
          kept.plan.sample = sample;
          kept.plan.outcome = Judge(relaxed, batch, batch2, sample, space.IdleWatts(probe.choice.mode), tau);
          kept.plan.points = static_cast<int>(probes.size());
          kept.serving = serving;
          kept.report = report;
          best = kept;
        }
        break;  // fewer background minibatches only lower the score
      }
    }
  }
  return best;
}

}  // namespace mortar::plan
