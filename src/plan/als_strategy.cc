// `als`: active-learning sampling. A set of points is chosen once a workload pair, whatever will be asked; a
// surrogate over it gives a Pareto set, from which any later query and rate is answered, with up to five
// points to verify.
//
// Differs from Fulcrum: the surrogate is auto's Gaussian process and each next point the one it knows least
// about; the abstract names active learning and the sizes 50 and 145, not the model, the acquisition or the
// verification.
#include "plan/belief.h"
#include "plan/estimate.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

class Als final : public SetPlanner {
 public:
  Als(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : SetPlanner(space, profiler), options_(options) {}

 private:
  std::vector<Estimate> Collect() override {
    Belief belief(space_);
    base::Random random(options_.seed);
    for (int i = 0; i < options_.probes; ++i) {
      const auto choice = belief.MostUncertain(random);
      if (!choice) break;
      const Probe* probe = Measure(*choice);
      if (probe == nullptr) break;
      belief.Learn(*probe);
    }
    return belief.Estimates();
  }

  const StrategyOptions options_;
};

}  // namespace

std::unique_ptr<Planner> MakeAls(const Space& space, Profiler& profiler, const StrategyOptions& options) {
  return std::make_unique<Als>(space, profiler, options);
}

}  // namespace mortar::plan
