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
  const auto terms_of = [&](std::size_t window) {
    Terms terms = TermsOf(query);
    terms.rate = query.rates[window];
    return terms;
  };
  if (announced) {
    std::vector<Terms> queries;
    for (const std::size_t window : order) queries.push_back(terms_of(window));
    planner.Explore(queries, kPointsForSequence);
  } else {
    int left = kPointsForSequence;
    for (std::size_t i = 0; i < windows; ++i) {
      const int rest = static_cast<int>(windows - i) - 1;
      const int share = std::clamp(left - rest, std::min(left, 1), left);
      const std::size_t had = planner.probes().size();
      const int most = i == 0 ? std::min(share, 15) : std::min(share, 2 + left / (rest + 1));
      result.plans[i] = planner.Solve(terms_of(i), most);
      left -= std::min(left, static_cast<int>(planner.probes().size() - had));
    }
  }
  for (std::size_t i = 0; i < windows; ++i) {
    if (announced) result.plans[i] = planner.Solve(terms_of(i), 0);
    if (i > 0 && result.plans[i].mode != result.plans[i - 1].mode) ++result.mode_changes;
  }
  result.points = static_cast<int>(planner.probes().size() - before);
  return result;
}

}  // namespace mortar::plan
