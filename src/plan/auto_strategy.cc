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

class Auto final : public Planner {
 public:
  Auto(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : Planner(space, profiler), options_(options), belief_(space), central_(CentralFirst(space.table())) {}

  void StartOver() override {
    probes_.clear();
    belief_.Reset();
  }

  Plan Solve(const Terms& terms, int more) override {
    // A budget of its own is there to be spent; one shared with other queries is spent at fair odds alone.
    const bool faint = more < 0;
    if (faint) more = options_.probes;
    for (int left = more; left > 0; --left) {
      const Plan best = Answer(terms);
      const auto choice = probes_.empty() ? First(terms) : Choose(terms, best, faint);
      if (!choice) break;
      const Probe* probe = Measure(*choice);
      if (probe == nullptr) break;
      belief_.Learn(*probe);
    }
    Plan plan = Answer(terms);
    plan.points = static_cast<int>(probes_.size());
    return plan;
  }

 private:
  Plan Answer(const Terms& terms) const {
    const bool noisy = !probes_.empty() && probes_.front().measured.spread > 0;
    return noisy ? belief_.BestBelieved(terms, probes_) : BestMeasured(space_, terms, probes_);
  }

  std::optional<Choice> Choose(const Terms& terms, const Plan& best, bool faint) const {
    const auto incumbent = best.feasible ? std::optional(best.outcome.score) : std::nullopt;
    const auto next = belief_.Next(terms, incumbent, faint);
    if (!next) return std::nullopt;
    // Nothing promises a ten-thousandth more: the rest of the budget is worth keeping.
    if (incumbent && next->worth < 1e-4 * std::abs(*incumbent)) return std::nullopt;
    return next->choice;
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
