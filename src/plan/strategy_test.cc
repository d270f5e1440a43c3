// One table of cases over every strategy, and what `auto` reaches on devices unlike those it was tried on.
#include "plan/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "plan/dynamic.h"
#include "plan/measured.h"
#include "plan/oracle.h"
#include "plan/score.h"

namespace mortar::plan {
namespace {

enum class Odd { kSmooth, kPlateau, kCliff, kHurting, kRipple };

// A device of 108 modes (3 x 6 x 6), an inference of three batches and a training, with one oddity.
Table MakeTable(Odd odd, std::uint64_t seed) {
  base::Random random(seed);
  Table table;
  table.device = "odd";
  table.knobs = {"units", "core_mhz", "mem_mhz"};
  for (const double units : {2.0, 4.0, 8.0}) {
    for (int c = 1; c <= 6; ++c) {
      for (int m = 1; m <= 6; ++m) table.modes.push_back({units, 250.0 * c, 500.0 * m});
    }
  }
  const auto add = [&](const char* name, Role role, std::vector<int> batches) {
    Series series{name, role, batches, {}, {}};
    const double core = 5 + 20 * random.Uniform();
    const double mem = 2 + 10 * random.Uniform();
    const double fixed = 0.5 + random.Uniform();
    for (const int batch : batches) {
      for (const auto& mode : table.modes) {
        double speed = mode[1] / 1500;
        double bandwidth = mode[2] / 3000;
        const double watts_speed = speed;
        if (odd == Odd::kPlateau) speed = std::min(speed, 0.6);  // no faster above 900 MHz
        if (odd == Odd::kCliff && mode[0] == 8 && speed > 0.8 && bandwidth > 0.6) speed *= 0.55;  // throttled
        if (odd == Odd::kHurting) bandwidth = 1.2 - 0.7 * bandwidth;  // more is slower
        double time = (fixed + batch * (core / speed / std::pow(mode[0], 0.6) + mem / bandwidth) / 8);
        double watts =
            6 + 14 * watts_speed * watts_speed * mode[0] / 8 + 5 * mode[2] / 3000 + 2 * std::log2(batch);
        if (odd == Odd::kRipple) {
          time *= std::exp(0.06 * (random.Uniform() - 0.5) * 2);
          watts *= std::exp(0.05 * (random.Uniform() - 0.5) * 2);
        }
        series.time_ms.push_back(time);
        series.power_w.push_back(watts);
      }
    }
    table.series.push_back(std::move(series));
  };
  add("net", Role::kInfer, {1, 4, 16});
  add("bg", Role::kInfer, {1, 8});
  add("job", Role::kTrain, {16});
  return table;
}

Query MakeQuery(Problem problem, base::Random& random) {
  Query query;
  query.problem = problem;
  query.train = problem == Problem::kTrain || problem == Problem::kConcurrent ? "job" : "";
  query.infer = "net";
  query.infer2 = "bg";
  query.rate = 10 + 150 * random.Uniform();
  query.latency_ms = 20 + 400 * random.Uniform();
  query.power_w = 10 + 22 * random.Uniform();
  return query;
}

struct Case {
  StrategyId id;
  int probes;
  int most_points;  // of one query, verification included
};

class StrategyTest : public ::testing::TestWithParam<Case> {};

TEST_P(StrategyTest, AnswersRestOnPaidPointsAndBreakNothing) {
  base::Random random(11);
  const Table table = MakeTable(Odd::kSmooth, 5);
  int answered = 0;
  for (const Problem problem :
       {Problem::kTrain, Problem::kInfer, Problem::kConcurrent, Problem::kMultiInfer}) {
    for (int round = 0; round < 6; ++round) {
      const Query query = MakeQuery(problem, random);
      const auto space = Space::Make(table, query);
      ASSERT_TRUE(space);
      const Terms terms = TermsOf(query);
      TableProfiler profiler(*space, 0, 1);
      const auto planner = MakePlanner(GetParam().id, *space, profiler, {GetParam().probes, 3});
      const Plan plan = planner->Solve(terms);
      EXPECT_EQ(profiler.points(), static_cast<int>(planner->probes().size()));
      EXPECT_LE(profiler.points(), GetParam().most_points);
      const Plan best = SolveExhaustively(*space, terms);
      EXPECT_FALSE(Score(*space, terms, plan, best).violating);
      if (GetParam().id == StrategyId::kOracle) {
        EXPECT_EQ(plan.feasible, best.feasible);
        continue;
      }
      EXPECT_FALSE(plan.exhaustive);  // only the oracle may say infeasible
      if (!plan.feasible) continue;
      ++answered;
      const bool paid =
          std::any_of(planner->probes().begin(), planner->probes().end(), [&](const Probe& probe) {
            return probe.choice.mode == plan.mode &&
                   space->batches()[static_cast<std::size_t>(probe.choice.batch)] == plan.batch;
          });
      EXPECT_TRUE(paid);
    }
  }
  const bool searches = GetParam().id != StrategyId::kOracle && GetParam().id != StrategyId::kMax;
  EXPECT_GE(answered, searches ? 9 : 0);
}

TEST_P(StrategyTest, SameSeedSameAnswer) {
  base::Random random(12);
  const Table table = MakeTable(Odd::kRipple, 6);
  const Query query = MakeQuery(Problem::kConcurrent, random);
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  Plan plans[2];
  for (Plan& plan : plans) {
    TableProfiler profiler(*space, 0.03, 9);
    plan = MakePlanner(GetParam().id, *space, profiler, {GetParam().probes, 3})->Solve(TermsOf(query));
  }
  EXPECT_EQ(plans[0].mode, plans[1].mode);
  EXPECT_EQ(plans[0].outcome.tau, plans[1].outcome.tau);
  EXPECT_EQ(plans[0].points, plans[1].points);
}

INSTANTIATE_TEST_SUITE_P(All, StrategyTest,
                         ::testing::Values(Case{StrategyId::kOracle, 0, 0}, Case{StrategyId::kMax, 0, 6},
                                           Case{StrategyId::kRandom, 30, 30 * 6},
                                           Case{StrategyId::kGmd, 15, 15}, Case{StrategyId::kAls, 40, 45},
                                           Case{StrategyId::kNn, 30, 30 * 3 + 5},
                                           Case{StrategyId::kAuto, 15, 15}),
                         [](const auto& param_info) {
                           return std::string(StrategyName(param_info.param.id));
                         });

class OddDeviceTest : public ::testing::TestWithParam<Odd> {};

TEST_P(OddDeviceTest, AutoStaysNearTheBest) {
  base::Random random(13);
  Tally tally;
  for (int device = 0; device < 6; ++device) {
    const Table table = MakeTable(GetParam(), 100 + static_cast<std::uint64_t>(device));
    for (int round = 0; round < 25; ++round) {
      const Query query = MakeQuery(Problem::kConcurrent, random);
      const auto space = Space::Make(table, query);
      ASSERT_TRUE(space);
      TableProfiler profiler(*space, 0, 1);
      const Plan plan = MakePlanner(StrategyId::kAuto, *space, profiler, {})->Solve(TermsOf(query));
      tally.Add(Score(*space, TermsOf(query), plan, SolveExhaustively(*space, TermsOf(query))), plan.points,
                0, 0);
    }
  }
  RecordProperty("solved", std::to_string(tally.solved()));
  RecordProperty("loss_mean", std::to_string(tally.LossMean()));
  EXPECT_GE(tally.solved(), 0.97);
  EXPECT_EQ(tally.violating(), 0);
  EXPECT_LE(tally.LossMean(), 0.08);
}

INSTANTIATE_TEST_SUITE_P(All, OddDeviceTest,
                         ::testing::Values(Odd::kSmooth, Odd::kPlateau, Odd::kCliff, Odd::kHurting,
                                           Odd::kRipple));

TEST(DynamicTest, ASequenceSharesItsPoints) {
  base::Random random(14);
  const Table table = MakeTable(Odd::kSmooth, 7);
  Query query = MakeQuery(Problem::kDynamic, random);
  query.train = "job";
  query.power_w = 25;
  query.latency_ms = 300;
  for (int w = 0; w < 12; ++w) query.rates.push_back(30 + 40 * random.Uniform());
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  for (const bool announced : {true, false}) {
    TableProfiler profiler(*space, 0, 1);
    const auto planner = MakePlanner(StrategyId::kAuto, *space, profiler, {});
    const DynamicPlan plans = PlanRates(*planner, query, announced);
    ASSERT_EQ(plans.plans.size(), 12u);
    EXPECT_LE(profiler.points(), kPointsForSequence);
    for (std::size_t w = 0; w < 12; ++w) {
      Terms terms = TermsOf(query);
      terms.rate = query.rates[w];
      const Verdict verdict = Score(*space, terms, plans.plans[w], SolveExhaustively(*space, terms));
      EXPECT_FALSE(verdict.violating);
      EXPECT_EQ(verdict.solved, verdict.feasible) << w;
    }
  }
}

TEST(DynamicTest, UnannouncedPlansRestOnWhatWasPaidBefore) {
  base::Random random(17);
  const Table table = MakeTable(Odd::kSmooth, 10);
  Query query = MakeQuery(Problem::kDynamic, random);
  query.train = "job";
  query.power_w = 22;
  query.latency_ms = 300;
  for (int w = 0; w < 12; ++w) query.rates.push_back(20 + 60 * random.Uniform());
  // The first window's plan is the same whatever comes after it.
  std::optional<Plan> first;
  for (const double later : {20.0, 80.0}) {
    std::fill(query.rates.begin() + 1, query.rates.end(), later);
    const auto space = Space::Make(table, query);
    ASSERT_TRUE(space);
    TableProfiler profiler(*space, 0, 1);
    const auto planner = MakePlanner(StrategyId::kAuto, *space, profiler, {});
    const Plan plan = PlanRates(*planner, query, /*announced=*/false).plans.front();
    if (first) {
      EXPECT_EQ(plan.mode, first->mode);
      EXPECT_EQ(plan.outcome.tau, first->outcome.tau);
    }
    first = plan;
  }
}

TEST(DynamicTest, InferenceAloneMayChangeItsRateToo) {
  base::Random random(18);
  const Table table = MakeTable(Odd::kSmooth, 11);
  Query query = MakeQuery(Problem::kDynamic, random);
  query.train.clear();
  query.latency_ms = 300;
  query.power_w = 30;
  query.rates = {20, 60, 1e6};
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  for (const StrategyId id : {StrategyId::kAuto, StrategyId::kGmd, StrategyId::kAls, StrategyId::kOracle}) {
    TableProfiler profiler(*space, 0, 1);
    const DynamicPlan plans = PlanRates(*MakePlanner(id, *space, profiler, {40, 1}), query);
    EXPECT_TRUE(plans.plans[0].feasible && plans.plans[1].feasible) << StrategyName(id);
    EXPECT_EQ(plans.plans[0].outcome.tau, 0);
    EXPECT_FALSE(plans.plans[2].feasible);
  }
}

TEST(MarginTest, InferenceAndBackgroundShareTheMarginOfAWindow) {
  // Exact readings: 100 − 40 = 60 ms are left. Otherwise x with 60 − x = 2.33·√((40·0.02)² + (x·0.01)²).
  EXPECT_DOUBLE_EQ(RoomWithMargin(100, 40, 0, 0), 60);
  const double room = RoomWithMargin(100, 40, 0.02, 0.01);
  EXPECT_NEAR(60 - room, 2.33 * std::hypot(0.8, room * 0.01), 1e-9);
  EXPECT_EQ(RoomWithMargin(100, 99, 0.02, 0.01), 0);  // 1 ms left, 4.6 ms of margin
  EXPECT_EQ(RoomWithMargin(100, 120, 0.02, 0.01), 0);

  Terms terms;
  terms.rate = 10;  // a window of 100 ms
  terms.latency_ms = 80;
  terms.power_w = 30;
  const Sample sample{40, 20, 6, 20};
  EXPECT_EQ(JudgeWithMargin(terms, 1, 1, sample, {}, -1).tau, 10);
  EXPECT_EQ(JudgeWithMargin(terms, 1, 1, sample, {0.02, 0.02, 0.01, 0.02}, -1).tau, 9);
  // A background that may draw more than the budget: none of it.
  EXPECT_EQ(JudgeWithMargin(terms, 1, 1, sample, {0, 0, 0, 0.2}, -1).tau, 0);
  EXPECT_FALSE(JudgeWithMargin(terms, 1, 1, sample, {0.3, 0, 0, 0}, -1).feasible);  // 40·e^0.7 = 80.5 ms
}

TEST(ScoreTest, AWindowThatOverflowsIsAViolation) {
  const Table table = MakeTable(Odd::kSmooth, 8);
  base::Random random(15);
  Query query = MakeQuery(Problem::kConcurrent, random);
  query.rate = 40;
  query.latency_ms = 400;
  query.power_w = 60;
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  const Plan best = SolveExhaustively(*space, TermsOf(query));
  ASSERT_TRUE(best.feasible);
  Plan greedy = best;
  greedy.outcome.tau += 1;
  EXPECT_FALSE(Score(*space, TermsOf(query), best, best).violating);
  EXPECT_EQ(*Score(*space, TermsOf(query), best, best).loss, 0);
  EXPECT_TRUE(Score(*space, TermsOf(query), greedy, best).violating);
}

TEST(ProfilerTest, NoiseHasTheSpreadItStates) {
  const Table table = MakeTable(Odd::kSmooth, 9);
  base::Random random(16);
  const Query query = MakeQuery(Problem::kConcurrent, random);
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  TableProfiler profiler(*space, 0.03, 2);
  const Sample truth = space->SampleAt({3, 1, 0});
  double sum = 0;
  double squares = 0;
  double stated = 0;
  double stated_squares = 0;
  constexpr int kReadings = 4000;
  for (int i = 0; i < kReadings; ++i) {
    const auto measured = profiler.Measure({3, 1, 0});
    const double off = std::log(measured->sample.t_in / truth.t_in);
    sum += off;
    squares += off * off;
    stated += measured->spread.t_in;
    stated_squares += measured->spread.t_in * measured->spread.t_in;
  }
  // What a point says of its own error is itself estimated, from 40 minibatches: unbiased in its square, and
  // off by 1/√(2·39) = 11 % of it.
  EXPECT_NEAR(stated_squares / kReadings, 0.0009, 0.00002);
  const double mean = stated / kReadings;
  EXPECT_NEAR(std::sqrt(stated_squares / kReadings - mean * mean) / 0.03, 0.113, 0.01);
  EXPECT_NEAR(sum / kReadings, 0, 0.002);
  EXPECT_NEAR(std::sqrt(squares / kReadings), 0.03, 0.002);
  EXPECT_EQ(profiler.points(), kReadings);
  EXPECT_EQ(profiler.mode_switches(), 1);
}

}  // namespace
}  // namespace mortar::plan
