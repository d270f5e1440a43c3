#include "plan/belief.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "plan/normal.h"

namespace mortar::plan {
namespace {

constexpr float kLeastChance = 1e-4F;
// A number of background minibatches is hoped for only at one chance in ten: the far tail of a log-normal
// belief promises wonders and is wrong about them.
// Where that leaves nothing, one chance in two hundred is better than points not spent.
struct Hope {
  double chance;
  double z;  // the quantile of that chance
};
constexpr Hope kFairHope{0.1, -1.2816};
constexpr Hope kFaintHope{0.005, -2.5758};

// How a quantity's logarithm will read once measured: its mean is known to `deviation`, and what the reading
// leaves unknown is `after`, for which a margin `shift` is kept.
struct View {
  float mean;
  float deviation;
  float after;
  float shift;
};

View ViewOf(const Gp& gp, Eigen::Index i) {
  const float variance = gp.variance(i);
  const float error = gp.reading_error();
  if (error <= 0) return {gp.mean()[i], std::sqrt(variance), 0, 0};
  const float after = variance * error * error / (variance + error * error);
  return {gp.mean()[i], std::sqrt(std::max(variance - after, 0.0F)), std::sqrt(after),
          static_cast<float>(kMarginZ) * std::sqrt(after)};
}

float ChanceBelow(const View& view, float log_budget) {
  const float room = log_budget - view.mean - view.shift;
  if (view.deviation < 1e-5F) return room >= 0 ? 1.0F : 0.0F;
  return Phi(room / view.deviation);
}

double Times(float shift) { return shift > 0 ? std::exp(static_cast<double>(shift)) : 1.0; }

float LogOf(double value) { return value < 1e30 ? static_cast<float>(std::log(value)) : 70.0F; }

double Root(double a, double b) { return std::sqrt(a * a + b * b); }

// A believed time in ms: what it is expected to read, how far the reading may be off that, and what error is
// left after it.
struct Believed {
  double expected;
  double deviation;
  double after;
  Believed(double value, const View& view)
      : expected(value),
        deviation(value * static_cast<double>(view.deviation)),
        after(value * static_cast<double>(view.after)) {}
};

// E[max(τ − τ0, 0)], each τ judged with the margin that JudgeWithMargin will keep.
double ExpectedGain(double window, const Believed& in, const Believed& bg, double tau0, const Hope& hope) {
  const double first = std::floor(tau0 + 1e-6) + 1;
  const double t_in = in.expected;
  const double t_bg = bg.expected;
  const double t_in_deviation = in.deviation;
  const double t_bg_deviation = bg.deviation;
  const auto margin = [&](double k) {
    return in.after > 0 || bg.after > 0 ? kMarginZ * Root(in.after, k * bg.after) : 0.0;
  };
  double room = window - t_in - first * t_bg - margin(first);
  double spread = Root(t_in_deviation, first * t_bg_deviation);
  if (room < hope.z * spread - kSlack * window) return 0;
  double ratio = (window - t_in) / t_bg;
  ratio -= margin(std::max(ratio, 0.0)) / t_bg;
  const double deviation = Root(t_in_deviation, std::max(ratio, 0.0) * t_bg_deviation) / t_bg;
  if (deviation > 3 || tau0 > 40) return ExpectedExcess(ratio - 0.5, deviation, tau0);
  double gain = 0;
  double worth = first - tau0;  // of the first step; each further is worth 1
  for (int step = 0; step < 40; ++step) {
    const double k = first + step;
    spread = Root(t_in_deviation, k * t_bg_deviation);
    room = window - t_in - k * t_bg - margin(k);
    const double chance = spread < 1e-6 * window
                              ? (room >= -kSlack * window ? 1.0 : 0.0)
                              : static_cast<double>(Phi(static_cast<float>(room / spread)));
    if (chance < hope.chance) break;
    gain += worth * chance;
    worth = 1;
  }
  return gain;
}

}  // namespace

struct Belief::Scan {
  std::vector<Candidate> found;
  Candidate nearest;  // by how likely its budgets hold, where nothing else is found
  double nearest_odds = -1e300;
  Hope hope = kFairHope;
  Eigen::ArrayXf t_in;  // believed times of every candidate, in ms
  Eigen::ArrayXf t_bg;
};

Belief::Belief(const Space& space) : space_(space) {
  const auto& modes = space.table().modes;
  if (space.has_inference()) {
    t_in_ = std::make_unique<Gp>(SharedPrior(modes, space.batches(), Quantity::kTime));
    p_in_ = std::make_unique<Gp>(SharedPrior(modes, space.batches(), Quantity::kPower));
  }
  if (space.has_background()) {
    t_bg_ = std::make_unique<Gp>(SharedPrior(modes, space.batches2(), Quantity::kTime));
    p_bg_ = std::make_unique<Gp>(SharedPrior(modes, space.batches2(), Quantity::kPower));
  }
}

void Belief::Reset() {
  for (const auto* gp : {&t_in_, &p_in_, &t_bg_, &p_bg_}) {
    if (*gp != nullptr) (*gp)->Reset();
  }
  count_ = 0;
}

void Belief::Learn(const Probe& probe) {
  ++count_;
  const Spread& spread = probe.measured.spread;
  const auto add = [](Gp& gp, Eigen::Index i, double value, double error) {
    gp.Add(i, LogOf(value), static_cast<float>(error));
  };
  const Sample& sample = probe.measured.sample;
  if (t_in_ != nullptr) {
    const Eigen::Index i = Cell(probe.choice.batch, probe.choice.mode);
    add(*t_in_, i, sample.t_in, spread.t_in);
    add(*p_in_, i, sample.p_in, spread.p_in);
  }
  if (t_bg_ != nullptr) {
    const Eigen::Index i = Cell(probe.choice.batch2, probe.choice.mode);
    add(*t_bg_, i, sample.t_bg, spread.t_bg);
    add(*p_bg_, i, sample.p_bg, spread.p_bg);
  }
}

void Belief::OfferTraining(const Terms& terms, std::optional<double> incumbent, Scan* scan) const {
  const float log_power = LogOf(terms.power_w);
  for (int m = 0; m < space_.modes(); ++m) {
    const Choice choice{m, 0, 0};
    if (!space_.Exists(choice)) continue;
    const View time = ViewOf(*t_bg_, m);
    const View power = ViewOf(*p_bg_, m);
    const float chance = ChanceBelow(power, log_power);
    const double odds = log_power - power.mean;
    if (odds > scan->nearest_odds) {
      scan->nearest_odds = odds;
      scan->nearest = {choice, 0, chance};
    }
    if (chance < kLeastChance) continue;
    double score = 0;
    double deviation = 0;
    switch (terms.objective) {
      case Objective::kThroughput:
        score = 1000 / std::exp(static_cast<double>(time.mean));
        deviation = score * time.deviation;
        break;
      case Objective::kEnergy:
        score = -std::exp(static_cast<double>(time.mean + power.mean));
        deviation = -score * Root(static_cast<double>(time.deviation), static_cast<double>(power.deviation));
        break;
      case Objective::kHeadroom: {
        const double share = std::exp(static_cast<double>(power.mean)) / terms.power_w;
        score = 1 - share;
        deviation = share * power.deviation;
        break;
      }
    }
    const double gain = incumbent ? ExpectedExcess(score, deviation, *incumbent) : score;
    scan->found.push_back({choice, gain * static_cast<double>(chance), chance});
  }
}

void Belief::OfferInference(const Terms& terms, std::optional<double> incumbent, int b, int m,
                            Scan* scan) const {
  const Eigen::Index i = Cell(b, m);
  const int batch = space_.batches()[static_cast<std::size_t>(b)];
  const View time = ViewOf(*t_in_, i);
  const View power = ViewOf(*p_in_, i);
  const float log_time = LogOf(terms.LongestInference(batch));
  const float log_power = LogOf(terms.power_w);
  const double odds = std::min(log_time - time.mean - time.shift, log_power - power.mean - power.shift);
  const float chance = ChanceBelow(time, log_time) * ChanceBelow(power, log_power);
  if (odds > scan->nearest_odds) {
    scan->nearest_odds = odds;
    scan->nearest = {Choice{m, b, 0}, 0, chance};
  }
  if (chance < kLeastChance) return;
  if (terms.problem != Problem::kInfer) {
    OfferBackground(terms, incumbent, b, m, static_cast<double>(chance), scan);
    return;
  }
  const double t = std::exp(static_cast<double>(time.mean));
  const double p = std::exp(static_cast<double>(power.mean));
  double score = 0;
  double deviation = 0;
  switch (terms.objective) {
    case Objective::kThroughput:
      score = -(terms.Queueing(batch) + t);
      deviation = t * time.deviation;
      break;
    case Objective::kEnergy:
      score = -t * p / batch;
      deviation = -score * Root(static_cast<double>(time.deviation), static_cast<double>(power.deviation));
      break;
    case Objective::kHeadroom: {
      const double latency = terms.Queueing(batch) + t;
      const double parts[] = {1 - t / terms.Window(batch), 1 - latency / terms.latency_ms,
                              1 - p / terms.power_w};
      const double deviations[] = {t / terms.Window(batch) * time.deviation,
                                   t / terms.latency_ms * time.deviation,
                                   p / terms.power_w * power.deviation};
      const auto least = std::min_element(parts, parts + 3) - parts;
      score = parts[least];
      deviation = deviations[least];
      break;
    }
  }
  const double gain = incumbent ? ExpectedExcess(score, deviation, *incumbent) : score;
  scan->found.push_back({Choice{m, b, 0}, gain * (incumbent ? static_cast<double>(chance) : 1.0), chance});
}

void Belief::OfferBackground(const Terms& terms, std::optional<double> incumbent, int b, int m,
                             double feasible, Scan* scan) const {
  const int batch = space_.batches()[static_cast<std::size_t>(b)];
  const double window = terms.Window(batch);
  const View in = ViewOf(*t_in_, Cell(b, m));
  const Believed t_in(static_cast<double>(scan->t_in[Cell(b, m)]), in);
  const float log_power = LogOf(terms.power_w);
  for (int b2 = 0; b2 < static_cast<int>(space_.batches2().size()); ++b2) {
    const Choice choice{m, b, b2};
    if (!space_.Exists(choice)) continue;
    const double unit =
        terms.problem == Problem::kMultiInfer ? space_.batches2()[static_cast<std::size_t>(b2)] : 1;
    const View bg = ViewOf(*t_bg_, Cell(b2, m));
    const Believed t_bg(static_cast<double>(scan->t_bg[Cell(b2, m)]), bg);
    double gain = 0;
    if (terms.objective == Objective::kThroughput) {
      const double scale = 1000 * unit / window;
      gain = scale * ExpectedGain(window, t_in, t_bg, incumbent ? *incumbent / scale : 0.0, scan->hope);
    } else {
      // Rare objectives: judged at the expected sample, with the spread of its times.
      Sample sample = Expected(choice);
      sample.t_in = t_in.expected * Times(in.shift);
      sample.t_bg = t_bg.expected * Times(bg.shift);
      const Outcome outcome = Judge(terms, batch, static_cast<int>(unit), sample);
      const double width = std::max(std::abs(outcome.score), 0.05) *
                           Root(static_cast<double>(in.deviation), static_cast<double>(bg.deviation));
      if (outcome.score > -1e200)
        gain = ExpectedExcess(outcome.score, width, incumbent.value_or(outcome.score - 1));
    }
    if (incumbent && gain <= 0) continue;
    const double trains = ChanceBelow(ViewOf(*p_bg_, Cell(b2, m)), log_power);
    if (incumbent && trains <= kLeastChance) continue;
    scan->found.push_back({choice, gain * trains * (incumbent ? feasible : 1.0), feasible});
  }
}

void Belief::Offer(const Terms& terms, std::optional<double> incumbent, Scan* scan) const {
  if (terms.problem == Problem::kTrain) return OfferTraining(terms, incumbent, scan);
  if (t_in_ != nullptr) scan->t_in = t_in_->mean().exp();
  if (t_bg_ != nullptr) scan->t_bg = t_bg_->mean().exp();
  for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
    if (terms.LongestInference(space_.batches()[static_cast<std::size_t>(b)]) <= 0) continue;
    for (int m = 0; m < space_.modes(); ++m) {
      if (space_.Exists(Choice{m, b, 0})) OfferInference(terms, incumbent, b, m, scan);
    }
  }
}

Belief::Scan Belief::Weigh(const Terms& terms, std::optional<double> incumbent, const Effort& effort) const {
  Scan scan;
  if (effort.faint) scan.hope = kFaintHope;
  Offer(terms, incumbent, &scan);
  if (!incumbent && !scan.found.empty()) {
    // No plan yet: a feasible one is worth half the range of the objective, whatever it yields, and the more
    // the fewer points are left.
    double low = scan.found.front().worth;
    double high = low;
    for (const Candidate& one : scan.found) {
      low = std::min(low, one.worth);
      high = std::max(high, one.worth);
    }
    const double range = std::max(high - low, 1e-9);
    for (Candidate& one : scan.found)
      one.worth = one.feasible * (0.5 + effort.left * (one.worth - low) / range);
  }
  return scan;
}

std::optional<Belief::Candidate> Belief::Best(const Terms& terms, std::optional<double> incumbent,
                                              const Effort& effort) const {
  const Scan scan = Weigh(terms, incumbent, effort);
  const auto best =
      std::max_element(scan.found.begin(), scan.found.end(),
                       [](const Candidate& a, const Candidate& b) { return a.worth < b.worth; });
  if (best != scan.found.end()) return *best;
  if (!incumbent && scan.nearest.choice.mode >= 0) return scan.nearest;
  return std::nullopt;
}

std::optional<Belief::Candidate> Belief::Next(const Terms& terms, std::optional<double> incumbent,
                                              const Effort& effort) const {
  const auto worthy = [&](const std::optional<Candidate>& one) {
    return one && (!incumbent || one->worth > 0);
  };
  auto best = Best(terms, incumbent, {false, effort.left});
  if (!worthy(best) && effort.faint) best = Best(terms, incumbent, effort);
  return worthy(best) ? best : std::nullopt;
}

std::optional<Belief::Candidate> Belief::Next(const std::vector<Terms>& queries,
                                              const std::vector<std::optional<double>>& incumbents,
                                              const Effort& effort) const {
  const std::size_t batches2 = space_.batches2().size();
  std::vector<double> sums(space_.batches().size() * space_.batches2().size() *
                           static_cast<std::size_t>(space_.modes()));
  std::optional<Candidate> best;
  std::optional<Candidate> nearest;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const Scan scan = Weigh(queries[q], incumbents[q], effort);
    for (const Candidate& one : scan.found) {
      const Choice& choice = one.choice;
      // One background minibatch a window more is the least that can be gained.
      const double step = queries[q].rate / space_.batches()[static_cast<std::size_t>(choice.batch)];
      const double whole = incumbents[q] ? std::max(std::abs(*incumbents[q]), step) : 1.5;
      const auto at = [](int value) { return static_cast<std::size_t>(value); };
      const std::size_t cell =
          (at(choice.batch) * batches2 + at(choice.batch2)) * at(space_.modes()) + at(choice.mode);
      sums[cell] += std::min(one.worth / whole, 1.0);
      if (!best || sums[cell] > best->worth) best = Candidate{choice, sums[cell], one.feasible};
    }
    if (!incumbents[q] && scan.found.empty() && scan.nearest.choice.mode >= 0) nearest = scan.nearest;
  }
  if (best && best->worth > 0) return best;
  return nearest;
}

Sample Belief::Expected(const Choice& choice) const {
  Sample sample;
  if (t_in_ != nullptr) {
    const Eigen::Index i = Cell(choice.batch, choice.mode);
    sample.t_in = std::exp(static_cast<double>(t_in_->mean()[i]));
    sample.p_in = std::exp(static_cast<double>(p_in_->mean()[i]));
  }
  if (t_bg_ != nullptr) {
    const Eigen::Index i = Cell(choice.batch2, choice.mode);
    sample.t_bg = std::exp(static_cast<double>(t_bg_->mean()[i]));
    sample.p_bg = std::exp(static_cast<double>(p_bg_->mean()[i]));
  }
  return sample;
}

std::vector<Estimate> Belief::Estimates() const {
  std::vector<Estimate> all;
  for (int m = 0; m < space_.modes(); ++m) {
    for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
      for (int b2 = 0; b2 < static_cast<int>(space_.batches2().size()); ++b2) {
        const Choice choice{m, b, b2};
        if (!space_.Exists(choice)) continue;
        Estimate estimate{choice, Expected(choice)};
        if (t_in_ != nullptr) {
          estimate.sd_t_in = std::sqrt(t_in_->variance(Cell(b, m)));
          estimate.sd_p_in = std::sqrt(p_in_->variance(Cell(b, m)));
        }
        if (t_bg_ != nullptr) {
          estimate.sd_t_bg = std::sqrt(t_bg_->variance(Cell(b2, m)));
          estimate.sd_p_bg = std::sqrt(p_bg_->variance(Cell(b2, m)));
        }
        all.push_back(estimate);
      }
    }
  }
  return all;
}

Plan Belief::BestBelieved(const Terms& terms, const std::vector<Probe>& probes) const {
  Plan best;
  for (const Probe& probe : probes) {
    const Choice& choice = probe.choice;
    Spread spread;
    const auto error = [](const Gp& gp, Eigen::Index i) {
      return std::sqrt(static_cast<double>(gp.variance(i)));
    };
    if (t_in_ != nullptr) {
      const Eigen::Index i = Cell(choice.batch, choice.mode);
      spread.t_in = error(*t_in_, i);
      spread.p_in = error(*p_in_, i);
    }
    if (t_bg_ != nullptr) {
      const Eigen::Index i = Cell(choice.batch2, choice.mode);
      spread.t_bg = error(*t_bg_, i);
      spread.p_bg = error(*p_bg_, i);
    }
    const Sample sample = Expected(choice);
    const int batch = space_.batches()[static_cast<std::size_t>(choice.batch)];
    const int batch2 = space_.batches2()[static_cast<std::size_t>(choice.batch2)];
    const Outcome outcome =
        JudgeWithMargin(terms, batch, batch2, sample, spread, space_.IdleWatts(choice.mode));
    if (!outcome.feasible || (best.feasible && outcome.score <= best.outcome.score)) continue;
    best.feasible = true;
    best.mode = choice.mode;
    best.batch = batch;
    best.batch2 = batch2;
    best.sample = sample;
    best.outcome = outcome;
  }
  return best;
}

std::optional<Choice> Belief::MostUncertain(base::Random& random) const {
  std::optional<Choice> best;
  float most = 0;
  for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
    for (int m = 0; m < space_.modes(); ++m) {
      const auto batches2 = static_cast<std::uint64_t>(space_.batches2().size());
      const Choice choice{m, b, static_cast<int>(random.Next() % batches2)};
      if (!space_.Exists(choice)) continue;
      float variance = 0;
      if (t_in_ != nullptr) variance += t_in_->variance(Cell(b, m)) + p_in_->variance(Cell(b, m));
      if (t_bg_ != nullptr) {
        variance += t_bg_->variance(Cell(choice.batch2, m)) + p_bg_->variance(Cell(choice.batch2, m));
      }
      if (variance > most) {
        most = variance;
        best = choice;
      }
    }
  }
  return best;
}

}  // namespace mortar::plan
