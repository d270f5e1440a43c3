// The oracle against a second brute force, written apart from Judge, and against recorded answers where those
// are present (shared_data.h).
#include "plan/oracle.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "plan/csv.h"
#include "plan/dynamic.h"
#include "plan/query_json.h"
#include "support/shared_data.h"

namespace mortar::plan {
namespace {

// Random values with many near-ties: times are small multiples, so τ lands on whole numbers often.
Table RandomTable(base::Random& random) {
  Table table;
  table.device = "random";
  table.knobs = {"a", "b"};
  for (int a = 1; a <= 4; ++a) {
    for (int b = 1; b <= 3; ++b) table.modes.push_back({a * 100.0, b * 10.0});
  }
  const auto add = [&](const char* name, Role role, std::vector<int> batches) {
    Series series{name, role, batches, {}, {}};
    for (std::size_t i = 0; i < batches.size() * table.modes.size(); ++i) {
      series.time_ms.push_back(1 + static_cast<double>(random.Next() % 40) * 0.5);
      series.power_w.push_back(5 + static_cast<double>(random.Next() % 20));
    }
    table.series.push_back(std::move(series));
  };
  add("net", Role::kInfer, {1, 4, 16});
  add("bg", Role::kInfer, {1, 8});
  add("job", Role::kTrain, {16});
  return table;
}

struct Best {
  bool feasible = false;
  double value = 0;
};

// The formulas of the problem once more, in the plainest form, over CSV-like rows.
Best BruteForce(const Table& table, const Query& query) {
  const Series& infer = table.series[0];
  const Series& bg = query.problem == Problem::kMultiInfer ? table.series[1] : table.series[2];
  const std::size_t modes = table.modes.size();
  Best best;
  const auto offer = [&](double value) {
    if (!best.feasible || value > best.value) best = {true, value};
  };
  for (std::size_t m = 0; m < modes; ++m) {
    if (query.problem == Problem::kTrain) {
      if (bg.power_w[m] <= query.power_w + 1e-9) offer(1000 / bg.time_ms[m]);
      continue;
    }
    for (std::size_t i = 0; i < infer.batches.size(); ++i) {
      const double t = infer.time_ms[i * modes + m];
      const double p = infer.power_w[i * modes + m];
      const double b = infer.batches[i];
      const double window = b / query.rate * 1000;
      const double waits = query.rule == LatencyRule::kB ? b : b - 1;
      const double latency = waits / query.rate * 1000 + t;
      if (t > window + 1e-9 || latency > query.latency_ms + 1e-9 || p > query.power_w + 1e-9) continue;
      if (query.problem == Problem::kInfer) {
        offer(query.objective == Objective::kHeadroom
                  ? std::min({1 - t / window, 1 - latency / query.latency_ms, 1 - p / query.power_w})
                  : -latency);
        continue;
      }
      for (std::size_t j = 0; j < bg.batches.size(); ++j) {
        int tau = 0;
        while (bg.power_w[j * modes + m] <= query.power_w + 1e-9 &&
               t + (tau + 1) * bg.time_ms[j * modes + m] <= window + 1e-8) {
          ++tau;
        }
        const double unit = query.problem == Problem::kMultiInfer ? bg.batches[j] : 1;
        offer(tau * unit / window * 1000);
      }
    }
  }
  return best;
}

TEST(OracleTest, AgreesWithASecondBruteForceOnRandomTables) {
  base::Random random(7);
  int feasible = 0;
  for (int round = 0; round < 400; ++round) {
    const Table table = RandomTable(random);
    Query query;
    const Problem problems[] = {Problem::kTrain, Problem::kInfer, Problem::kConcurrent, Problem::kMultiInfer};
    query.problem = problems[round % 4];
    query.train = "job";
    query.infer = "net";
    query.infer2 = "bg";
    query.rate = 20 + static_cast<double>(random.Next() % 200);
    query.latency_ms = 3 + static_cast<double>(random.Next() % 100);
    query.power_w = 5 + static_cast<double>(random.Next() % 20);
    if (round % 3 == 0) query.rule = LatencyRule::kB;
    if (query.problem == Problem::kInfer && round % 8 == 1) query.objective = Objective::kHeadroom;
    const auto space = Space::Make(table, query);
    ASSERT_TRUE(space) << space.error().message;
    const Plan plan = SolveExhaustively(*space, TermsOf(query));
    const Best best = BruteForce(table, query);
    ASSERT_EQ(plan.feasible, best.feasible) << "round " << round;
    if (!best.feasible) continue;
    ++feasible;
    EXPECT_NEAR(plan.outcome.score, best.value, 1e-6) << "round " << round;
  }
  EXPECT_GT(feasible, 150);  // the budgets above leave most rounds feasible
}

TEST(OracleTest, TauZeroWhereTrainingDrawsTooMuch) {
  Table table;
  table.knobs = {"f"};
  table.modes = {{1}, {2}};
  table.series = {{"net", Role::kInfer, {1}, {10, 5}, {8, 12}},
                  {"job", Role::kTrain, {8}, {10, 5}, {30, 40}}};
  Query query;
  query.infer = "net";
  query.train = "job";
  query.rate = 20;  // W = 50 ms
  query.latency_ms = 20;
  query.power_w = 15;
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  Plan plan = SolveExhaustively(*space, TermsOf(query));
  EXPECT_TRUE(plan.feasible);
  EXPECT_EQ(plan.outcome.tau, 0);
  EXPECT_EQ(plan.outcome.throughput, 0);
  Terms terms = TermsOf(query);
  terms.power_w = 30;  // mode 0 trains: ⌊(50 − 10) / 10⌋ = 4 in 50 ms
  plan = SolveExhaustively(*space, terms);
  EXPECT_EQ(plan.outcome.tau, 4);
  EXPECT_DOUBLE_EQ(plan.outcome.throughput, 80);
}

TEST(OracleTest, RecordedAnswers) {
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  std::map<std::string, Table> tables;
  int compared = 0;
  for (const char* set : {"open", "variants", "dynamic"}) {
    std::ifstream queries(*root + "/planner_queries/" + set + ".jsonl");
    std::ifstream answers(*root + "/planner_queries/" + set + ".answers.jsonl");
    std::string line;
    std::string answer_line;
    while (std::getline(queries, line) && std::getline(answers, answer_line)) {
      const auto query = ParseQuery(line);
      ASSERT_TRUE(query) << query.error().message;
      const auto answer = nlohmann::json::parse(answer_line);
      ASSERT_EQ(answer["id"], query->id);
      if (!tables.contains(query->profile)) {
        auto table = ReadProfiles(*root + "/profiles/" + query->profile);
        ASSERT_TRUE(table) << table.error().message;
        tables.emplace(query->profile, std::move(table).value());
      }
      const auto space = Space::Make(tables.at(query->profile), *query);
      ASSERT_TRUE(space) << space.error().message;
      ++compared;
      if (query->problem == Problem::kDynamic) {
        for (std::size_t w = 0; w < query->rates.size(); ++w) {
          Terms terms = TermsOf(*query);
          terms.rate = query->rates[w];
          const Plan plan = SolveExhaustively(*space, terms);
          EXPECT_NEAR(plan.feasible ? plan.outcome.throughput : 0, answer["theta"][w].get<double>(), 1e-6);
        }
        continue;
      }
      const Plan plan = SolveExhaustively(*space, TermsOf(*query));
      ASSERT_EQ(plan.feasible, answer["feasible"].get<bool>()) << set << " " << query->id;
      if (!plan.feasible) continue;
      EXPECT_NEAR(plan.outcome.throughput, answer["throughput"].get<double>(), 1e-6)
          << set << " " << query->id;
      if (query->problem == Problem::kInfer && query->objective == Objective::kThroughput) {
        EXPECT_NEAR(plan.outcome.latency_ms, answer["latency_ms"].get<double>(), 1e-6)
            << set << " " << query->id;
      }
    }
  }
  EXPECT_GT(compared, 1000);
}

}  // namespace
}  // namespace mortar::plan
