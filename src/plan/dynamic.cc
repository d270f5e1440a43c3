#include "plan/dynamic.h"

#include <algorithm>
#include <numeric>

namespace mortar::plan {

DynamicPlan PlanRates(Planner& planner, const Query& query, bool announced) {
  DynamicPlan result;
  const std::size_t windows = query.rates.size();
  std::vector<std::size_t> order(windows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Announced: the highest rate first, as it is the hardest to serve; what it teaches serves the others.
  if (announced) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return query.rates[a] > query.rates[b]; });
  }
  result.plans.resize(windows);
  const std::size_t before = planner.probes().size();
  int left = kPointsForSequence;
  for (std::size_t i = 0; i < windows; ++i) {
    Terms terms = TermsOf(query);
    terms.rate = query.rates[order[i]];
    const std::size_t had = planner.probes().size();
    const int rest = static_cast<int>(windows - i) - 1;
    const int first = std::max(1, left - rest);
    planner.Solve(terms, i == 0 ? std::min(first, 15) : std::min(first, 2 + left / (rest + 1)));
    left = std::max(0, left - static_cast<int>(planner.probes().size() - had));
  }
  for (std::size_t i = 0; i < windows; ++i) {
    Terms terms = TermsOf(query);
    terms.rate = query.rates[i];
    result.plans[i] = planner.Solve(terms, 0);
    if (i > 0 && result.plans[i].mode != result.plans[i - 1].mode) ++result.mode_changes;
  }
  result.points = static_cast<int>(planner.probes().size() - before);
  return result;
}

}  // namespace mortar::plan
