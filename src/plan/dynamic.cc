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
  const auto search = [&](std::size_t window, int points) {
    Terms terms = TermsOf(query);
    terms.rate = query.rates[window];
    const std::size_t had = planner.probes().size();
    planner.Solve(terms, std::min(points, left));
    left -= std::min(left, static_cast<int>(planner.probes().size() - had));
  };
  for (std::size_t i = 0; i < windows; ++i) {
    const int rest = static_cast<int>(windows - i) - 1;
    const int first = std::max(1, left - rest);
    search(order[i], i == 0 ? std::min(first, 15) : std::min(first, 2 + left / (rest + 1)));
  }
  // What is left goes round again: later windows taught what earlier ones could not know.
  for (std::size_t i = 0; announced && i < windows && left > 0; ++i) search(order[i], 4);
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
