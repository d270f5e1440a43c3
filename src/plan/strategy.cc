#include "plan/strategy.h"

#include <utility>

#include "plan/planners.h"

namespace mortar::plan {
namespace {

constexpr std::pair<StrategyId, std::string_view> kNames[] = {
    {StrategyId::kOracle, "oracle"}, {StrategyId::kMax, "max"}, {StrategyId::kRandom, "random"},
    {StrategyId::kGmd, "gmd"},       {StrategyId::kAls, "als"}, {StrategyId::kNn, "nn"},
    {StrategyId::kAuto, "auto"}};

}  // namespace

std::string_view StrategyName(StrategyId id) {
  for (const auto& [known, name] : kNames) {
    if (known == id) return name;
  }
  return "?";
}

std::optional<StrategyId> FindStrategy(std::string_view name) {
  for (const auto& [id, known] : kNames) {
    if (known == name) return id;
  }
  return std::nullopt;
}

int DefaultProbes(StrategyId id, Problem problem) {
  switch (id) {
    case StrategyId::kRandom:
      return 150;
    case StrategyId::kNn:
      return 250;
    case StrategyId::kAls:
      return 145;
    case StrategyId::kMax:
      return 1;
    case StrategyId::kOracle:
    case StrategyId::kGmd:
    case StrategyId::kAuto:
      break;
  }
  if (problem == Problem::kTrain) return 10;  // Fulcrum's GMD: 10, 11 and 15
  return problem == Problem::kInfer ? 11 : 15;
}

void Planner::Explore(const std::vector<Terms>& queries, int points) {
  int left = points;
  const auto search = [&](const Terms& terms, int most) {
    const std::size_t had = probes_.size();
    Solve(terms, std::min(most, left));
    left -= std::min(left, static_cast<int>(probes_.size() - had));
  };
  for (std::size_t i = 0; i < queries.size() && left > 0; ++i) {
    const int rest = static_cast<int>(queries.size() - i) - 1;
    const int share = std::max(1, left - rest);
    search(queries[i], i == 0 ? std::min(share, 15) : std::min(share, 2 + left / (rest + 1)));
  }
  // What is left goes round again: later queries taught what earlier ones could not know.
  for (std::size_t i = 0; i < queries.size() && left > 0; ++i) search(queries[i], 4);
}

const Probe* Planner::Measure(const Choice& choice) {
  const auto measured = profiler_.Measure(choice);
  if (!measured) return nullptr;
  probes_.push_back(Probe{choice, *measured});
  return &probes_.back();
}

std::unique_ptr<Planner> MakePlanner(StrategyId id, const Space& space, Profiler& profiler,
                                     const StrategyOptions& options) {
  StrategyOptions filled = options;
  if (filled.probes <= 0) filled.probes = DefaultProbes(id, space.problem());
  switch (id) {
    case StrategyId::kOracle:
      return MakeOracle(space, profiler, filled);
    case StrategyId::kMax:
      return MakeMax(space, profiler, filled);
    case StrategyId::kRandom:
      return MakeRandom(space, profiler, filled);
    case StrategyId::kAuto:
      return MakeAuto(space, profiler, filled);
    case StrategyId::kGmd:
      return MakeGmd(space, profiler, filled);
    case StrategyId::kAls:
      return MakeAls(space, profiler, filled);
    case StrategyId::kNn:
      return MakeNn(space, profiler, filled);
  }
  return nullptr;
}

}  // namespace mortar::plan
