// `als`: active-learning sampling. A set of points is chosen once a workload pair, whatever will be asked; a
// surrogate over it gives a Pareto set, from which any later query and rate is answered, with up to five
// points to verify.
//
// Differs from Fulcrum: the surrogate is auto's Gaussian process and each next point the one it knows least
// about; the abstract names active learning and the sizes 50 and 145, not the model, the acquisition or the
// verification.
#include <algorithm>
#include <cmath>

#include "plan/belief.h"
#include "plan/measured.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

constexpr int kVerify = 5;
// Verification starts with choices that should keep the budgets by half a standard deviation, and grows
// bolder.
constexpr double kCaution[kVerify] = {0.5, 0.25, 0, -0.25, -0.5};

class Als final : public Planner {
 public:
  Als(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : Planner(space, profiler), options_(options), belief_(space) {}

  void StartOver() override { probes_.resize(std::min(probes_.size(), set_)); }

  Plan Solve(const Terms& terms, int more) override {
    if (set_ == 0) CollectSet();
    const int verify = more < 0 ? kVerify : std::min(more, kVerify);
    std::size_t level = 0;
    for (int i = 0; i < verify; ++i) {
      const Plan best = BestMeasured(space_, terms, probes_);
      auto choice = Promising(terms, best, kCaution[level]);
      while (!choice && level + 1 < std::size(kCaution)) choice = Promising(terms, best, kCaution[++level]);
      if (!choice || Measure(*choice) == nullptr) break;
    }
    Plan plan = BestMeasured(space_, terms, probes_);
    plan.points = static_cast<int>(probes_.size());
    return plan;
  }

 private:
  void CollectSet() {
    base::Random random(options_.seed);
    for (int i = 0; i < options_.probes; ++i) {
      const auto choice = belief_.MostUncertain(random);
      if (!choice) break;
      const Probe* probe = Measure(*choice);
      if (probe == nullptr) break;
      belief_.Learn(*probe);
    }
    set_ = probes_.size();
    pareto_ = belief_.ParetoSet();
  }

  bool Tried(const Choice& choice) const {
    return std::any_of(probes_.begin(), probes_.end(),
                       [&](const Probe& probe) { return probe.choice == choice; });
  }

  // The best of the Pareto set by the surrogate, if it should beat the best measured; while nothing measured
  // is feasible, else the one that breaks its budgets least.
  std::optional<Choice> Promising(const Terms& terms, const Plan& best, double caution) const {
    std::optional<Choice> chosen;
    std::optional<Choice> mildest;
    double score = best.feasible ? best.outcome.score : -kNoLimit;
    double least = 1e300;
    for (const Belief::Estimate& estimate : pareto_) {
      const Choice& choice = estimate.choice;
      const Sample sample = estimate.Shifted(caution);
      const int batch = space_.batches()[static_cast<std::size_t>(choice.batch)];
      const int batch2 = space_.batches2()[static_cast<std::size_t>(choice.batch2)];
      const Outcome outcome = Judge(terms, batch, batch2, sample, space_.IdleWatts(choice.mode));
      if (outcome.feasible) {
        if (outcome.score <= score || Tried(choice)) continue;
        score = outcome.score;
        chosen = choice;
      } else if (!best.feasible && !chosen) {
        const double excess = terms.problem == Problem::kTrain
                                  ? sample.p_bg / terms.power_w
                                  : std::max(sample.t_in / std::max(terms.LongestInference(batch), 1e-9),
                                             sample.p_in / terms.power_w);
        if (excess >= least || Tried(choice)) continue;
        least = excess;
        mildest = choice;
      }
    }
    return chosen ? chosen : mildest;
  }

  const StrategyOptions options_;
  Belief belief_;
  std::size_t set_ = 0;  // points of the set; what follows in probes_ verified the query at hand
  std::vector<Belief::Estimate> pareto_;
};

}  // namespace

std::unique_ptr<Planner> MakeAls(const Space& space, Profiler& profiler, const StrategyOptions& options) {
  return std::make_unique<Als>(space, profiler, options);
}

}  // namespace mortar::plan
