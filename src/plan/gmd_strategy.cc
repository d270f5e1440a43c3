// `gmd`: multi-dimensional gradient descent with bisection and back-tracking.
//
// Differs from Fulcrum: its abstract names the method and its budgets (10, 11 and 15 points), not its steps.
// Ours: (1) measure the middle of every knob; (2) one finite difference a knob, towards more speed where the
// power budget leaves room and towards less where not, and up to two for the batch; (3) descend on the
// log-linear model of these slopes, each step to the best choice it predicts to keep the budgets; (4) every
// measured point corrects the model around itself, which bisects towards a budget's edge and backs off from
// points that broke it.
#include <algorithm>
#include <array>
#include <cmath>

#include "plan/measured.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

constexpr int kParts = 4;  // t_in, p_in, t_bg, p_bg
// Steps aim a hundredth inside the budgets, as the model is not exact; where no such step is left, ever
// closer to what it rules out, to spend the budget of points.
constexpr double kCaution[] = {1.01, 1.0, 0.985, 0.97, 0.95, 0.92};

using Parts = std::array<double, kParts>;

Parts LogsOf(const Sample& sample) {
  const auto log_of = [](double value) { return value > 0 && value < kNoLimit ? std::log(value) : 0.0; };
  return {log_of(sample.t_in), log_of(sample.p_in), log_of(sample.t_bg), log_of(sample.p_bg)};
}

// One dimension: a knob, the batch, or the background's batch. Its effect is piecewise linear through what
// was measured along it, relative to the start.
struct Axis {
  std::vector<double> places;  // of each value, logarithmic where possible
  std::vector<int> known;      // measured values, ascending, the start included
  std::vector<Parts> effects;  // of the known
  std::vector<Parts> factors;  // of every value, exponentiated

  void Learn(int value, const Parts& effect) {
    const auto at = std::lower_bound(known.begin(), known.end(), value) - known.begin();
    known.insert(known.begin() + at, value);
    effects.insert(effects.begin() + at, effect);
    Refresh();
  }

  void Refresh() {
    factors.assign(places.size(), Parts{1, 1, 1, 1});
    if (known.size() < 2) return;
    for (std::size_t v = 0; v < places.size(); ++v) {
      auto right = static_cast<std::size_t>(
          std::lower_bound(known.begin(), known.end(), static_cast<int>(v)) - known.begin());
      right = std::clamp(right, std::size_t{1}, known.size() - 1);
      const double x0 = places[static_cast<std::size_t>(known[right - 1])];
      const double x1 = places[static_cast<std::size_t>(known[right])];
      const double part = (places[v] - x0) / (x1 - x0);
      for (std::size_t q = 0; q < kParts; ++q) {
        factors[v][q] = std::exp(effects[right - 1][q] + part * (effects[right][q] - effects[right - 1][q]));
      }
    }
  }
};

std::vector<double> PlacesOf(const std::vector<double>& values) {
  std::vector<double> places;
  for (std::size_t i = 0; i < values.size(); ++i) {
    places.push_back(values.front() > 0 ? std::log(values[i]) : static_cast<double>(i));
  }
  return places;
}

class Gmd final : public Planner {
 public:
  Gmd(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : Planner(space, profiler), options_(options) {
    const Table& table = space.table();
    for (std::size_t k = 0; k < table.knobs.size(); ++k) {
      std::vector<double> values;
      for (const auto& mode : table.modes) values.push_back(mode[k]);
      std::sort(values.begin(), values.end());
      values.erase(std::unique(values.begin(), values.end()), values.end());
      fresh_.push_back({PlacesOf(values), {}, {}, {}});
      for (const auto& mode : table.modes) {
        const auto at = std::lower_bound(values.begin(), values.end(), mode[k]) - values.begin();
        index_.push_back(static_cast<int>(at));
      }
    }
    for (const auto& batches : {space.batches(), space.batches2()}) {
      fresh_.push_back({PlacesOf({batches.begin(), batches.end()}), {}, {}, {}});
    }
    StartOver();
  }

  void StartOver() override {
    probes_.clear();
    axes_ = fresh_;
    corrections_.clear();
    nearest_.assign(static_cast<std::size_t>(space_.modes()), 0);
    distance_.assign(static_cast<std::size_t>(space_.modes()), 1e300);
  }

  Plan Solve(const Terms& terms, int more) override {
    int left = more < 0 ? options_.probes : more;
    if (probes_.empty() && left > 0) left -= Start(terms, left);
    std::size_t level = 0;
    for (; left > 0; --left) {
      const Plan best = BestMeasured(space_, terms, probes_);
      auto next = Descend(terms, best, kCaution[level]);
      while (!next && level + 1 < std::size(kCaution)) next = Descend(terms, best, kCaution[++level]);
      if (!next || !Step(*next)) break;
    }
    Plan plan = BestMeasured(space_, terms, probes_);
    plan.points = static_cast<int>(probes_.size());
    return plan;
  }

 private:
  std::size_t knobs() const { return space_.table().knobs.size(); }
  int ValueOf(std::size_t knob, int mode) const {
    return index_[knob * static_cast<std::size_t>(space_.modes()) + static_cast<std::size_t>(mode)];
  }
  bool Tried(const Choice& choice) const {
    return std::any_of(probes_.begin(), probes_.end(),
                       [&](const Probe& probe) { return probe.choice == choice; });
  }

  // The mode nearest to `mode` with the value of one knob at, or nearest to, `value`; and nothing else
  // changed where that exists.
  int Along(int mode, std::size_t knob, int value) const {
    int best = -1;
    double least = 1e300;
    for (int m = 0; m < space_.modes(); ++m) {
      if (ValueOf(knob, m) == ValueOf(knob, mode)) continue;
      double distance = std::abs(ValueOf(knob, m) - value);
      for (std::size_t k = 0; k < knobs() && distance < least; ++k) {
        if (k != knob) distance += 100.0 * std::abs(ValueOf(k, m) - ValueOf(k, mode));
      }
      if (distance < least) {
        least = distance;
        best = m;
      }
    }
    return least < 100 ? best : -1;
  }

  int Middle() const {
    int best = 0;
    double least = 1e300;
    for (int m = 0; m < space_.modes(); ++m) {
      double distance = 0;
      for (std::size_t k = 0; k < knobs(); ++k) {
        distance +=
            std::abs(ValueOf(k, m) / std::max(1.0, static_cast<double>(axes_[k].places.size() - 1)) - 0.5);
      }
      if (distance < least) {
        least = distance;
        best = m;
      }
    }
    return best;
  }

  // Largest batch position whose queueing leaves `share` of the latency budget.
  int BatchWithin(const Terms& terms, double share) const {
    int best = 0;
    if (terms.problem == Problem::kTrain) return best;
    for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
      if (terms.Queueing(space_.batches()[static_cast<std::size_t>(b)]) <= terms.latency_ms * share) best = b;
    }
    return best;
  }

  // Middle, one difference a knob, the batches. Returns the points paid.
  int Start(const Terms& terms, int budget) {
    const Choice middle{Middle(), BatchWithin(terms, 0.4), static_cast<int>(space_.batches2().size()) / 2};
    const std::size_t before = probes_.size();
    if (!Step(middle)) return budget;
    start_ = middle;
    const Sample& sample = probes_.front().measured.sample;
    base_ = LogsOf(sample);
    for (std::size_t d = 0; d < knobs(); ++d) axes_[d].Learn(ValueOf(d, middle.mode), Parts{});
    axes_[knobs()].Learn(middle.batch, Parts{});
    axes_[knobs() + 1].Learn(middle.batch2, Parts{});
    const bool room = std::max(sample.p_in, sample.p_bg) <= terms.power_w;
    const int differences = std::max(1, budget / 2 - 1);
    for (std::size_t k = 0; k < knobs() && static_cast<int>(probes_.size() - before) <= differences; ++k) {
      if (axes_[k].places.size() < 2 || static_cast<int>(probes_.size() - before) >= budget) continue;
      const int mode = Along(middle.mode, k, room ? static_cast<int>(axes_[k].places.size()) - 1 : 0);
      if (mode < 0 || !Step(Choice{mode, middle.batch, middle.batch2})) continue;
      axes_[k].Learn(ValueOf(k, mode), Difference(LogsOf(probes_.back().measured.sample)));
    }
    StepBatches(terms, middle, budget - static_cast<int>(probes_.size() - before));
    model_.resize(static_cast<std::size_t>(space_.modes()));
    for (int m = 0; m < space_.modes(); ++m) model_[static_cast<std::size_t>(m)] = ModelAt(m);
    for (std::size_t i = before; i < probes_.size(); ++i) Correct(probes_[i]);
    return static_cast<int>(probes_.size() - before);
  }

  void StepBatches(const Terms& terms, const Choice& middle, int left) {
    const int last = BatchWithin(terms, 0.9);
    const int last2 = static_cast<int>(space_.batches2().size()) - 1;
    const std::array<std::pair<int, int>, 2> ends{std::pair{last, last2}, std::pair{0, 0}};
    for (const auto& [b, b2] : ends) {
      const Choice choice{middle.mode, b, b2};
      if (left-- <= 2 || Tried(choice) || !Step(choice)) continue;
      const Parts effect = Difference(LogsOf(probes_.back().measured.sample));
      if (b != middle.batch) axes_[knobs()].Learn(b, effect);
      if (b2 != middle.batch2) axes_[knobs() + 1].Learn(b2, effect);
    }
  }

  Parts Difference(const Parts& logs) const {
    Parts difference;
    for (std::size_t q = 0; q < kParts; ++q) difference[q] = logs[q] - base_[q];
    return difference;
  }

  bool Step(const Choice& choice) {
    const Probe* probe = Measure(choice);
    if (probe == nullptr) return false;
    if (!corrections_.empty()) Correct(*probe);
    return true;
  }

  Parts ModelAt(int mode) const {
    Parts parts;
    for (std::size_t q = 0; q < kParts; ++q) parts[q] = std::exp(base_[q]);
    for (std::size_t k = 0; k < knobs(); ++k) {
      const Parts& factor = axes_[k].factors[static_cast<std::size_t>(ValueOf(k, mode))];
      for (std::size_t q = 0; q < kParts; ++q) parts[q] *= factor[q];
    }
    return parts;
  }

  static Sample SampleOf(const Space& space, const Parts& at_mode, const Parts& batch, const Parts& batch2) {
    Sample sample;
    if (space.has_inference()) {
      sample.t_in = at_mode[0] * batch[0];
      sample.p_in = at_mode[1] * batch[1];
    }
    if (space.has_background()) {
      sample.t_bg = at_mode[2] * batch2[2];
      sample.p_bg = at_mode[3] * batch2[3];
    }
    return sample;
  }

  // What the model got wrong at a measured point holds for the modes nearest to it.
  void Correct(const Probe& probe) {
    const Sample model = SampleOf(space_, model_[static_cast<std::size_t>(probe.choice.mode)],
                                  axes_[knobs()].factors[static_cast<std::size_t>(probe.choice.batch)],
                                  axes_[knobs() + 1].factors[static_cast<std::size_t>(probe.choice.batch2)]);
    const Parts truth = LogsOf(probe.measured.sample);
    const Parts guess = LogsOf(model);
    Parts ratio;
    for (std::size_t q = 0; q < kParts; ++q) ratio[q] = std::exp(truth[q] - guess[q]);
    corrections_.push_back(ratio);
    const int number = static_cast<int>(corrections_.size()) - 1;
    for (int m = 0; m < space_.modes(); ++m) {
      double distance = 0;
      for (std::size_t k = 0; k < knobs(); ++k) {
        distance += std::abs(ValueOf(k, m) - ValueOf(k, probe.choice.mode)) /
                    static_cast<double>(axes_[k].places.size());
      }
      // The latest wins ties: it stands nearest to where the descent is.
      if (distance <= distance_[static_cast<std::size_t>(m)]) {
        distance_[static_cast<std::size_t>(m)] = distance;
        nearest_[static_cast<std::size_t>(m)] = number;
      }
    }
  }

  // The best choice that the model says keeps the budgets, if it says better than the best measured; else the
  // one that breaks them least, while nothing feasible was measured.
  std::optional<Choice> Descend(const Terms& terms, const Plan& best, double caution) const {
    std::optional<Choice> chosen;
    std::optional<Choice> mildest;
    double score = best.feasible ? best.outcome.score : -kNoLimit;
    double slack = -1;
    double least = 1e300;
    Terms careful = terms;
    careful.power_w /= caution;
    careful.latency_ms /= caution;
    for (int m = 0; m < space_.modes(); ++m) {
      Parts parts = model_[static_cast<std::size_t>(m)];
      const Parts& ratio = corrections_[static_cast<std::size_t>(nearest_[static_cast<std::size_t>(m)])];
      for (std::size_t q = 0; q < kParts; ++q) parts[q] *= ratio[q];
      parts[0] *= std::min(caution, 1.0);
      parts[2] *= std::min(caution, 1.0);
      for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
        const int batch = space_.batches()[static_cast<std::size_t>(b)];
        const Parts& by_batch = axes_[knobs()].factors[static_cast<std::size_t>(b)];
        const double excess =
            terms.problem == Problem::kTrain
                ? parts[3] / careful.power_w
                : std::max(parts[0] * by_batch[0] / std::max(careful.LongestInference(batch), 1e-9),
                           parts[1] * by_batch[1] / careful.power_w);
        if (excess > 1) {
          if (!best.feasible && excess < least && space_.Exists({m, b, 0}) && !Tried({m, b, 0})) {
            least = excess;
            mildest = Choice{m, b, 0};
          }
          continue;
        }
        for (int b2 = 0; b2 < static_cast<int>(space_.batches2().size()); ++b2) {
          const Sample sample =
              SampleOf(space_, parts, by_batch, axes_[knobs() + 1].factors[static_cast<std::size_t>(b2)]);
          const Outcome outcome = Judge(careful, batch, space_.batches2()[static_cast<std::size_t>(b2)],
                                        sample, space_.IdleWatts(m));
          if (!outcome.feasible || outcome.score < score) continue;
          // Among equal scores, the one with most power to spare is the safest.
          const double spare = 1 - outcome.power_w / terms.power_w;
          if (outcome.score <= score * (1 + 1e-12) && (spare <= slack || (best.feasible && !chosen)))
            continue;
          const Choice choice{m, b, b2};
          if (!space_.Exists(choice) || Tried(choice)) continue;
          score = outcome.score;
          slack = spare;
          chosen = choice;
        }
      }
    }
    return chosen ? chosen : mildest;
  }

  const StrategyOptions options_;
  std::vector<Axis> fresh_;  // knobs, then batch, then batch2
  std::vector<Axis> axes_;
  std::vector<int> index_;  // [knob * modes + mode]: position of the mode's value
  Choice start_;
  Parts base_{};
  std::vector<Parts> model_;        // of every mode, at the start's batches
  std::vector<Parts> corrections_;  // measured over modelled, one a probe
  std::vector<int> nearest_;        // correction in force at each mode
  std::vector<double> distance_;
};

}  // namespace

std::unique_ptr<Planner> MakeGmd(const Space& space, Profiler& profiler, const StrategyOptions& options) {
  return std::make_unique<Gmd>(space, profiler, options);
}

}  // namespace mortar::plan
