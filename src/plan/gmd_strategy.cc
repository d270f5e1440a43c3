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

#include "plan/gmd_model.h"
#include "plan/measured.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

// Steps aim a hundredth inside the budgets, as the model is not exact; where no such step is left, ever
// closer to what it rules out, to spend the budget of points.
constexpr double kCaution[] = {1.01, 1.0, 0.985, 0.97, 0.95, 0.92};

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

  // For inference alone the smallest batch that keeps up is the quickest: where it is within reach from the
  // middle, slopes are taken there, as what limits a large batch (often another knob) says little of it.
  bool StartsSmall(const Terms& terms, Choice choice) {
    if (terms.problem != Problem::kInfer || choice.batch == 0) return false;
    choice.batch = 0;
    if (!Step(choice)) return false;
    return probes_.back().measured.sample.t_in <= 1.5 * terms.LongestInference(space_.batches().front());
  }

  // Middle, one difference a knob, the batches. Returns the points paid.
  int Start(const Terms& terms, int budget) {
    Choice middle{Middle(), BatchWithin(terms, 0.4), static_cast<int>(space_.batches2().size()) / 2};
    const std::size_t before = probes_.size();
    const bool small = StartsSmall(terms, middle);
    if (small) middle.batch = 0;
    if (!Tried(middle) && !Step(middle)) return budget;
    const Sample sample = probes_.back().measured.sample;
    base_ = LogsOf(sample);
    for (std::size_t d = 0; d < knobs(); ++d) axes_[d].Learn(ValueOf(d, middle.mode), Parts{});
    axes_[knobs()].Learn(middle.batch, Parts{});
    axes_[knobs() + 1].Learn(middle.batch2, Parts{});
    if (probes_.size() > before + 1)
      axes_[knobs()].Learn(0, Difference(LogsOf(probes_[before].measured.sample)));
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

  // What one step's look at the whole model has found so far.
  struct Scan {
    Terms careful;                // budgets tightened, or loosened, by the step's caution
    std::vector<double> longest;  // inference at each batch, by careful
    bool have_plan = false;
    double score = -kNoLimit;  // to beat
    double slack = -1;
    double least = 1e300;  // excess of the mildest
    std::optional<Choice> chosen, mildest;
  };

  // The best choice that the model says keeps the budgets, if it says better than the best measured; else the
  // one that breaks them least, while nothing feasible was measured.
  std::optional<Choice> Descend(const Terms& terms, const Plan& best, double caution) const {
    Scan scan;
    scan.careful = terms;
    scan.have_plan = best.feasible;
    if (best.feasible) scan.score = best.outcome.score;
    scan.careful.power_w /= caution;
    scan.careful.latency_ms /= caution;
    for (const int batch : space_.batches()) {
      scan.longest.push_back(std::max(scan.careful.LongestInference(batch), 1e-9));
    }
    const bool train = terms.problem == Problem::kTrain;
    for (int m = 0; m < space_.modes(); ++m) {
      Parts parts = model_[static_cast<std::size_t>(m)];
      const Parts& ratio = corrections_[static_cast<std::size_t>(nearest_[static_cast<std::size_t>(m)])];
      for (std::size_t q = 0; q < kParts; ++q) parts[q] *= ratio[q];
      parts[0] *= std::min(caution, 1.0);
      parts[2] *= std::min(caution, 1.0);
      for (std::size_t b = 0; b < space_.batches().size(); ++b) {
        const Parts& by_batch = axes_[knobs()].factors[b];
        const double excess = train ? parts[3] / scan.careful.power_w
                                    : std::max(parts[0] * by_batch[0] / scan.longest[b],
                                               parts[1] * by_batch[1] / scan.careful.power_w);
        const Choice choice{m, static_cast<int>(b), 0};
        if (excess <= 1) {
          OfferFeasible(choice, parts, by_batch, &scan);
        } else if (!scan.have_plan && excess < scan.least && space_.Exists(choice) && !Tried(choice)) {
          scan.least = excess;
          scan.mildest = choice;
        }
      }
    }
    return scan.chosen ? scan.chosen : scan.mildest;
  }

  void OfferFeasible(Choice choice, const Parts& parts, const Parts& by_batch, Scan* scan) const {
    const Terms& careful = scan->careful;
    const int batch = space_.batches()[static_cast<std::size_t>(choice.batch)];
    const bool bounded =
        space_.has_background() && space_.has_inference() && careful.objective == Objective::kThroughput;
    for (std::size_t b2 = 0; b2 < space_.batches2().size(); ++b2) {
      const Sample sample = SampleOf(space_, parts, by_batch, axes_[knobs() + 1].factors[b2]);
      const int batch2 = space_.batches2()[b2];
      // No number of background minibatches does better than the whole rest of the window.
      const double unit = careful.problem == Problem::kMultiInfer ? batch2 : 1;
      if (bounded &&
          1001 * unit * (1 - sample.t_in * careful.rate / (1000 * batch)) < scan->score * sample.t_bg) {
        continue;
      }
      const Outcome outcome = Judge(careful, batch, batch2, sample, space_.IdleWatts(choice.mode));
      if (!outcome.feasible || outcome.score < scan->score) continue;
      // Among equal scores, the one with most power to spare is the safest.
      const double spare = 1 - outcome.power_w / careful.power_w;
      const bool equal = outcome.score <= scan->score * (1 + 1e-12);
      if (equal && (spare <= scan->slack || (scan->have_plan && !scan->chosen))) continue;
      choice.batch2 = static_cast<int>(b2);
      if (!space_.Exists(choice) || Tried(choice)) continue;
      scan->score = outcome.score;
      scan->slack = spare;
      scan->chosen = choice;
    }
  }

  const StrategyOptions options_;
  std::vector<Axis> fresh_;  // knobs, then batch, then batch2
  std::vector<Axis> axes_;
  std::vector<int> index_;  // [knob * modes + mode]: position of the mode's value
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
