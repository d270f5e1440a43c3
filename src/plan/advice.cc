#include "plan/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plan/belief.h"

namespace mortar::plan {
namespace {

struct Known {
  Choice choice;
  Sample sample;
  bool measured;
};

std::vector<Known> Collect(const Space& space, const Plan& plan, const std::vector<Probe>& probes) {
  std::vector<Known> known;
  if (!plan.exhaustive) {
    for (const Probe& probe : probes) known.push_back({probe.choice, probe.measured.sample, true});
    if (probes.empty()) return known;
  }
  constexpr std::size_t kMostLearned = 80;  // keeps advice in milliseconds after a large set
  Belief belief(space);
  for (std::size_t i = 0; i < std::min(probes.size(), kMostLearned); ++i) belief.Learn(probes[i]);
  for (int m = 0; m < space.modes(); ++m) {
    for (int b = 0; b < static_cast<int>(space.batches().size()); ++b) {
      for (int b2 = 0; b2 < static_cast<int>(space.batches2().size()); ++b2) {
        const Choice choice{m, b, b2};
        if (!space.Exists(choice)) continue;
        known.push_back(plan.exhaustive ? Known{choice, space.SampleAt(choice), true}
                                        : Known{choice, belief.Expected(choice), false});
      }
    }
  }
  return known;
}

Outcome JudgeKnown(const Space& space, const Terms& terms, const Known& known) {
  return Judge(terms, space.batches()[static_cast<std::size_t>(known.choice.batch)],
               space.batches2()[static_cast<std::size_t>(known.choice.batch2)], known.sample,
               space.IdleWatts(known.choice.mode));
}

double BestScore(const Space& space, const Terms& terms, const std::vector<Known>& known) {
  double best = -kNoLimit;
  for (const Known& one : known) {
    const Outcome outcome = JudgeKnown(space, terms, one);
    if (outcome.feasible) best = std::max(best, outcome.score);
  }
  return best;
}

void Keep(std::optional<Relaxation>* nearest, Relaxation offer) {
  // A measured relaxation is kept over an estimated one that is not at least a tenth nearer.
  const bool closer = !*nearest || offer.away < (*nearest)->away * (offer.measured ? 1.0 : 0.9);
  if (closer) *nearest = offer;
}

std::vector<Relaxation> Relax(const Space& space, const Terms& terms, const std::vector<Known>& known) {
  std::optional<Relaxation> watts;
  std::optional<Relaxation> ms;
  std::optional<Relaxation> rate;
  for (const Known& one : known) {
    const Sample& sample = one.sample;
    if (terms.problem == Problem::kTrain) {
      Keep(&watts,
           {Relaxation::Kind::kWatts, sample.p_bg, sample.p_bg - terms.power_w, one.choice, one.measured});
      continue;
    }
    const int batch = space.batches()[static_cast<std::size_t>(one.choice.batch)];
    const double latency = terms.Queueing(batch) + sample.t_in;
    const bool stable = sample.t_in <= terms.Window(batch);
    const bool quick = latency <= terms.latency_ms;
    const bool frugal = sample.p_in <= terms.power_w;
    if (stable && quick && !frugal) {
      Keep(&watts,
           {Relaxation::Kind::kWatts, sample.p_in, sample.p_in - terms.power_w, one.choice, one.measured});
    }
    if (stable && frugal && !quick) {
      Keep(&ms,
           {Relaxation::Kind::kMilliseconds, latency, latency - terms.latency_ms, one.choice, one.measured});
    }
    if (frugal && sample.t_in < terms.latency_ms) {
      // The highest rate at which this is stable, if its batch still fills in time there.
      const double most = 1000 * batch / sample.t_in;
      Terms slower = terms;
      slower.rate = most;
      if (most < terms.rate && slower.Queueing(batch) + sample.t_in <= terms.latency_ms) {
        Keep(&rate, {Relaxation::Kind::kRate, most, terms.rate - most, one.choice, one.measured});
      }
    }
  }
  std::vector<Relaxation> found;
  for (const auto& one : {watts, ms, rate}) {
    if (one) found.push_back(*one);
  }
  return found;
}

// The choice whose worst broken budget is broken least, and the budgets that it would need.
std::optional<JointRelaxation> RelaxTogether(const Space& space, const Terms& terms,
                                             const std::vector<Known>& known) {
  std::optional<JointRelaxation> nearest;
  double least = kNoLimit;
  for (const Known& one : known) {
    const Sample& sample = one.sample;
    JointRelaxation offer{terms.power_w, terms.latency_ms, terms.rate, one.measured};
    const int batch = space.batches()[static_cast<std::size_t>(one.choice.batch)];
    const double power = terms.problem == Problem::kTrain ? sample.p_bg : sample.p_in;
    offer.power_w = std::max(offer.power_w, power);
    double excess = power / terms.power_w;
    if (terms.problem != Problem::kTrain) {
      Terms slower = terms;
      slower.rate = offer.rate = std::min(terms.rate, 1000 * batch / sample.t_in);
      offer.latency_ms = std::max(terms.latency_ms, slower.Queueing(batch) + sample.t_in);
      excess = std::max({excess, terms.rate / offer.rate, offer.latency_ms / terms.latency_ms});
    }
    if (excess < least) {
      least = excess;
      nearest = offer;
    }
  }
  return nearest;
}

}  // namespace

std::string RelaxationText(const JointRelaxation& relaxation) {
  std::string text = fmt::format("together: power budget {:.2f} W", relaxation.power_w);
  if (relaxation.rate > 0) {
    text += fmt::format(", latency budget {:.1f} ms, rate {:.2f}/s", relaxation.latency_ms, relaxation.rate);
  }
  return text + (relaxation.measured ? " (measured)" : " (estimated)");
}

std::string RelaxationText(const Relaxation& relaxation) {
  const char* how = relaxation.measured ? "measured" : "estimated";
  switch (relaxation.kind) {
    case Relaxation::Kind::kWatts:
      return fmt::format("power budget {:.2f} W (+{:.2f} W, {})", relaxation.value, relaxation.away, how);
    case Relaxation::Kind::kMilliseconds:
      return fmt::format("latency budget {:.1f} ms (+{:.1f} ms, {})", relaxation.value, relaxation.away, how);
    case Relaxation::Kind::kRate:
      return fmt::format("rate {:.2f}/s (-{:.2f}/s, {})", relaxation.value, relaxation.away, how);
  }
  return "?";
}

Advice Advise(const Space& space, const Terms& terms, const Plan& plan, const std::vector<Probe>& probes) {
  Advice advice;
  const std::vector<Known> known = Collect(space, plan, probes);
  advice.binding = "none";
  if (!plan.feasible) {
    advice.relaxations = Relax(space, terms, known);
    if (advice.relaxations.empty()) advice.together = RelaxTogether(space, terms, known);
    return advice;
  }
  const auto offer = [&](const char* name, double used) {
    if (used > advice.used && used >= 0.5) {
      advice.binding = name;
      advice.used = used;
    }
  };
  offer("power", plan.outcome.power_w / terms.power_w);
  if (terms.problem != Problem::kTrain) {
    offer("latency", plan.outcome.latency_ms / terms.latency_ms);
    const double window = terms.Window(plan.batch);
    const double background = plan.outcome.tau > 0 ? plan.outcome.tau * plan.sample.t_bg : 0;
    offer("stability", (plan.sample.t_in + background) / window);
  }
  // Both sides of each difference come from the same knowledge, so that estimation errors cancel.
  const double now = std::max(BestScore(space, terms, known), plan.outcome.score);
  advice.estimated = !plan.exhaustive;
  Terms more = terms;
  more.power_w += 1;
  advice.per_watt = std::max(0.0, BestScore(space, more, known) - now);
  if (terms.problem != Problem::kTrain) {
    more = terms;
    more.latency_ms += 1;
    advice.per_ms = std::max(0.0, BestScore(space, more, known) - now);
  }
  return advice;
}

}  // namespace mortar::plan
