// The yardsticks: `oracle` reads everything, `max` sets every knob to its largest value, `random` draws
// modes.
#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "plan/measured.h"
#include "plan/oracle.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

// Exact on a table. Through a noisy profiler it would be fooled, so it asks the table, and says so by its
// name.
class Oracle final : public Planner {
 public:
  Oracle(const Space& space, Profiler& profiler) : Planner(space, profiler) {}
  Plan Solve(const Terms& terms, int) override { return SolveExhaustively(space_, terms); }
  void StartOver() override {}
};

// Differs from Fulcrum: what its MAXN baseline does where the largest mode breaks the power budget is not
// said. Ours stays at that mode and tries the batches there, smallest first; one point each.
class Max final : public Planner {
 public:
  Max(const Space& space, Profiler& profiler) : Planner(space, profiler) {}

  Plan Solve(const Terms& terms, int) override {
    if (probes_.empty()) MeasureAll();
    Plan plan = BestMeasured(space_, terms, probes_);
    plan.points = static_cast<int>(probes_.size());
    return plan;
  }
  void StartOver() override {}

 private:
  void MeasureAll() {
    int mode = space_.table().LargestMode();
    if (mode < 0) mode = HungriestMode();
    const int batches = static_cast<int>(space_.batches().size());
    const int batches2 = static_cast<int>(space_.batches2().size());
    for (int b = 0; b < batches; ++b) {
      for (int b2 = 0; b2 < batches2; ++b2) Measure(Choice{mode, b, b2});
    }
  }

  // Where the largest mode was not profiled: the mode whose row draws most power, known from the recording.
  int HungriestMode() const {
    int best = 0;
    double most = -1;
    for (int mode = 0; mode < space_.modes(); ++mode) {
      for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
        const Choice choice{mode, b, 0};
        if (!space_.Exists(choice)) continue;
        const Sample sample = space_.SampleAt(choice);
        const double power = std::max(sample.p_in, sample.p_bg);
        if (power > most) {
          most = power;
          best = mode;
        }
      }
    }
    return best;
  }
};

// `probes` counts modes, each measured at every batch: Fulcrum's RND50, RND150 and RND250 as we read them.
class RandomModes final : public Planner {
 public:
  RandomModes(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : Planner(space, profiler), options_(options) {}

  Plan Solve(const Terms& terms, int) override {
    if (probes_.empty()) MeasureAll(terms);
    Plan plan = BestMeasured(space_, terms, probes_);
    plan.points = static_cast<int>(probes_.size());
    return plan;
  }
  void StartOver() override { probes_.clear(); }

 private:
  // Each query draws anew, so that no verdict on a pair hangs on one draw; the same query draws the same.
  void MeasureAll(const Terms& terms) {
    const double asked[] = {terms.rate, terms.latency_ms, terms.power_w};
    std::vector<int> modes(static_cast<std::size_t>(space_.modes()));
    std::iota(modes.begin(), modes.end(), 0);
    base::Random random(base::Combine(options_.seed, base::HashBytes(asked, sizeof asked)));
    const std::size_t count = std::min(modes.size(), static_cast<std::size_t>(options_.probes));
    for (std::size_t i = 0; i < count; ++i) {
      std::swap(modes[i], modes[i + static_cast<std::size_t>(random.Next() % (modes.size() - i))]);
      for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
        for (int b2 = 0; b2 < static_cast<int>(space_.batches2().size()); ++b2)
          Measure(Choice{modes[i], b, b2});
      }
    }
  }

  const StrategyOptions options_;
};

}  // namespace

std::unique_ptr<Planner> MakeOracle(const Space& space, Profiler& profiler, const StrategyOptions&) {
  return std::make_unique<Oracle>(space, profiler);
}

std::unique_ptr<Planner> MakeMax(const Space& space, Profiler& profiler, const StrategyOptions&) {
  return std::make_unique<Max>(space, profiler);
}

std::unique_ptr<Planner> MakeRandom(const Space& space, Profiler& profiler, const StrategyOptions& options) {
  return std::make_unique<RandomModes>(space, profiler, options);
}

}  // namespace mortar::plan
