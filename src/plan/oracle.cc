#include "plan/oracle.h"

namespace mortar::plan {

Plan SolveExhaustively(const Space& space, const Terms& terms) {
  Plan best;
  best.exhaustive = true;
  int points = 0;
  const int batches = static_cast<int>(space.batches().size());
  const int batches2 = static_cast<int>(space.batches2().size());
  for (int mode = 0; mode < space.modes(); ++mode) {
    const double idle_w = space.IdleWatts(mode);
    for (int b = 0; b < batches; ++b) {
      for (int b2 = 0; b2 < batches2; ++b2) {
        const Choice choice{mode, b, b2};
        if (!space.Exists(choice)) continue;
        ++points;
        const Sample sample = space.SampleAt(choice);
        const int batch = space.batches()[static_cast<std::size_t>(b)];
        const int batch2 = space.batches2()[static_cast<std::size_t>(b2)];
        const Outcome outcome = Judge(terms, batch, batch2, sample, idle_w);
        if (!outcome.feasible || (best.feasible && outcome.score <= best.outcome.score)) continue;
        best.feasible = true;
        best.mode = mode;
        best.batch = batch;
        best.batch2 = batch2;
        best.sample = sample;
        best.outcome = outcome;
      }
    }
  }
  best.points = points;
  return best;
}

}  // namespace mortar::plan
