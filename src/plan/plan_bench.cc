// What one plan costs the processor, profiling aside: `gmd` and `auto` searching a recorded table, and a
// proposal from the Pareto set that `als` keeps. The table is the simulated board's size: 441 modes, five
// batches.
#include <benchmark/benchmark.h>

#include <cmath>

#include "plan/estimate.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

Table MakeTable() {
  Table table;
  table.device = "made up";
  table.knobs = {"cores", "cpu_mhz", "gpu_mhz", "mem_mhz"};
  for (const double cores : {4.0, 8.0, 12.0}) {
    for (int c = 1; c <= 7; ++c) {
      for (int g = 1; g <= 7; ++g) {
        for (const double mem : {665.0, 2133.0, 3199.0})
          table.modes.push_back({cores, 310.0 * c, 185.0 * g, mem});
      }
    }
  }
  const auto add = [&](const char* name, Role role, std::vector<int> batches, double work) {
    Series series{name, role, batches, {}, {}};
    for (const int batch : batches) {
      for (const auto& mode : table.modes) {
        const double gpu = mode[2] / 1295;
        const double time =
            work * (0.5 / (mode[1] / 2170) + batch * (0.6 / gpu + 0.4 / (mode[3] / 3199)) / 4);
        series.time_ms.push_back(time);
        series.power_w.push_back(6 + 2 * mode[0] * mode[1] / 2170 / 3 + 28 * gpu * gpu + 5 * mode[3] / 3199 +
                                 std::log2(batch));
      }
    }
    table.series.push_back(std::move(series));
  };
  add("net", Role::kInfer, {1, 4, 16, 32, 64}, 10);
  add("job", Role::kTrain, {16}, 4);
  return table;
}

struct Bench {
  Table table = MakeTable();
  std::vector<Query> queries;
  Bench() {
    base::Random random(3);
    for (int i = 0; i < 64; ++i) {
      Query query;
      query.train = "job";
      query.infer = "net";
      query.rate = 10 + 60 * random.Uniform();
      query.latency_ms = 60 + 500 * random.Uniform();
      query.power_w = 14 + 30 * random.Uniform();
      queries.push_back(query);
    }
  }
};

// `more`: points each query may pay; the strategy's own budget where negative.
void Solve(benchmark::State& state, StrategyId id, int probes, int more) {
  const Bench bench;
  const auto space = Space::Make(bench.table, bench.queries.front());
  TableProfiler profiler(*space, 0, 1);
  const auto planner = MakePlanner(id, *space, profiler, {probes, 1});
  for (const Query& query : bench.queries) planner->Solve(TermsOf(query));  // sets collected, columns known
  std::size_t next = 0;
  for (auto _ : state) {
    planner->StartOver();
    benchmark::DoNotOptimize(planner->Solve(TermsOf(bench.queries[next++ % bench.queries.size()]), more));
  }
}

void BM_PlanGmd(benchmark::State& state) { Solve(state, StrategyId::kGmd, 15, -1); }
void BM_PlanAuto(benchmark::State& state) { Solve(state, StrategyId::kAuto, 15, -1); }
void BM_PlanAlsVerified(benchmark::State& state) { Solve(state, StrategyId::kAls, 145, -1); }

// The plan that the set proposes, before any of it is verified.
void BM_PlanAlsProposal(benchmark::State& state) {
  const Bench bench;
  const auto space = Space::Make(bench.table, bench.queries.front());
  TableProfiler profiler(*space, 0, 1);
  const auto planner = MakeAls(*space, profiler, {145, 1});
  planner->Solve(TermsOf(bench.queries.front()));
  const auto& set = dynamic_cast<const SetPlanner&>(*planner);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(set.Propose(TermsOf(bench.queries[next++ % bench.queries.size()])));
  }
}

BENCHMARK(BM_PlanGmd)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_PlanAlsProposal)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_PlanAlsVerified)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_PlanAuto)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mortar::plan
