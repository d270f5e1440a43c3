// `auto`, ours: a Gaussian process with a physical prior chooses the point whose measurement promises most;
// the answer is the best point it measured. Not in Fulcrum; it keeps GMD's budgets.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "plan/belief.h"
#include "plan/measured.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

// Where nothing promises a ten-thousandth more, the rest of the budget is worth keeping.
constexpr double kLeastGain = 1e-4;

class Auto final : public Planner {
 public:
  Auto(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : Planner(space, profiler), options_(options), belief_(space), central_(CentralFirst(space.table())) {}

  void StartOver() override {
    probes_.clear();
    belief_.Reset();
  }

  // Every point is the one that promises most over all queries together.
  void Explore(const std::vector<Terms>& queries, int points) override {
    if (queries.empty()) return;
    for (int left = points; left > 0; --left) {
      std::vector<std::optional<double>> incumbents;
      for (const Terms& terms : queries) {
        const Plan plan = Answer(terms);
        incumbents.push_back(plan.feasible ? std::optional(plan.outcome.score) : std::nullopt);
      }
      std::optional<Choice> choice;
      if (probes_.empty()) {
        choice = First(queries.front());
      } else if (const auto next =
                     belief_.Next(queries, incumbents, {true, static_cast<double>(left) / points});
                 next && next->worth > kLeastGain) {
        choice = next->choice;
      }
      if (!choice || !Learn(*choice)) break;
    }
  }

  Plan Solve(const Terms& terms, int more) override {
    // A budget of its own is there to be spent; one shared with other queries is spent at fair odds alone.
    const bool faint = more < 0;
    if (faint) more = options_.probes;
    for (int left = more; left > 0; --left) {
      const Plan best = Answer(terms);
      const auto choice =
          probes_.empty() ? First(terms) : Choose(terms, best, {faint, static_cast<double>(left) / more});
      if (!choice || !Learn(*choice)) break;
    }
    Plan plan = Answer(terms);
    plan.points = static_cast<int>(probes_.size());
    return plan;
  }

 private:
  bool Learn(const Choice& choice) {
    const Probe* probe = Measure(choice);
    if (probe != nullptr) belief_.Learn(*probe);
    return probe != nullptr;
  }

  Plan Answer(const Terms& terms) const {
    const bool noisy = !probes_.empty() && probes_.front().measured.spread.Greatest() > 0;
    return noisy ? belief_.BestBelieved(terms, probes_) : BestMeasured(space_, terms, probes_);
  }

  std::optional<Choice> Choose(const Terms& terms, const Plan& best, const Effort& effort) const {
    const auto incumbent = best.feasible ? std::optional(best.outcome.score) : std::nullopt;
    const auto next = belief_.Next(terms, incumbent, effort);
    if (!next) return std::nullopt;
    if (incumbent && next->worth < kLeastGain * std::abs(*incumbent)) return std::nullopt;
    if (best.feasible && effort.faint && effort.left <= 0.5 && terms.problem != Problem::kTrain) {
      if (const auto small = SmallestBatch(terms, next->choice)) return small;
    }
    return next->choice;
  }

  // The promising mode at the smallest batch, if that was never measured. With a plan in hand and half of the
  // points spent, one of the rest tells how that batch behaves: an extrapolation down to it is often wrong,
  // and then never promises enough to be tried.
  std::optional<Choice> SmallestBatch(const Terms& terms, Choice choice) const {
    const bool known = std::any_of(probes_.begin(), probes_.end(),
                                   [](const Probe& probe) { return probe.choice.batch == 0; });
    choice.batch = 0;
    if (known || terms.LongestInference(space_.batches().front()) <= 0 || !space_.Exists(choice)) {
      return std::nullopt;
    }
    return choice;
  }

  // Before anything is known: the middle of every knob, and the middle one of the batches whose queueing
  // leaves half of the latency budget.
  std::optional<Choice> First(const Terms& terms) const {
    Choice choice;
    std::vector<int> fitting;
    for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
      if (terms.problem == Problem::kTrain ||
          terms.Queueing(space_.batches()[static_cast<std::size_t>(b)]) < terms.latency_ms / 2) {
        fitting.push_back(b);
      }
    }
    if (!fitting.empty()) choice.batch = fitting[fitting.size() / 2];
    choice.batch2 = static_cast<int>(space_.batches2().size()) / 2;
    for (const int m : central_) {
      if (!space_.Exists(Choice{m, choice.batch, choice.batch2})) continue;
      choice.mode = m;
      return choice;
    }
    return std::nullopt;
  }

  // Modes by their distance from the middle of every knob.
  static std::vector<int> CentralFirst(const Table& table) {
    std::vector<double> distance(table.modes.size());
    for (std::size_t k = 0; k < table.knobs.size(); ++k) {
      double low = kNoLimit;
      double high = -kNoLimit;
      for (const auto& mode : table.modes) {
        low = std::min(low, mode[k]);
        high = std::max(high, mode[k]);
      }
      if (!(high > low)) continue;
      for (std::size_t m = 0; m < table.modes.size(); ++m) {
        distance[m] += std::pow((table.modes[m][k] - low) / (high - low) - 0.5, 2);
      }
    }
    std::vector<int> order(table.modes.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return distance[static_cast<std::size_t>(a)] < distance[static_cast<std::size_t>(b)];
    });
    return order;
  }

  const StrategyOptions options_;
  Belief belief_;
  const std::vector<int> central_;
};

}  // namespace

std::unique_ptr<Planner> MakeAuto(const Space& space, Profiler& profiler, const StrategyOptions& options) {
  return std::make_unique<Auto>(space, profiler, options);
}

}  // namespace mortar::plan
