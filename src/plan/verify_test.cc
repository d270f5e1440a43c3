#include "plan/verify.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "plan/advice.h"
#include "plan/oracle.h"

namespace mortar::plan {
namespace {

std::vector<double> Periodic(double rate, int count) {
  std::vector<double> instants;
  for (int i = 0; i < count; ++i) instants.push_back(i / rate);
  return instants;
}

std::vector<double> Poisson(double rate, int count) {
  base::Random random(3);
  std::vector<double> instants;
  double now = 0;
  for (int i = 0; i < count; ++i) instants.push_back(now -= std::log(1 - random.Uniform()) / rate);
  return instants;
}

// Batch 4 at 20/s: W = 200 ms, the first of a batch waits 150 ms; inference 40 ms, training 30 ms: τ =
// ⌊160/30⌋ = 5.
constexpr Serving kServing{4, 5, 40, 30, kNoLimit};

TEST(VerifyTest, PeriodicArrivalsSeeWhatTheFormulaPromises) {
  const ServingReport report = Serve(kServing, Periodic(20, 4000), 190);
  EXPECT_EQ(report.requests, 4000u);
  EXPECT_NEAR(report.max_ms, 190, 1e-6);
  EXPECT_EQ(report.missed, 0u);
  EXPECT_NEAR(report.background_per_s, 25, 0.1);  // 5 in 200 ms
  EXPECT_NEAR(report.busy, 0.95, 0.01);           // (40 + 150) / 200
}

TEST(VerifyTest, PoissonArrivalsBreakThePromise) {
  const ServingReport report = Serve(kServing, Poisson(20, 20000), 190);
  EXPECT_GT(report.p99_ms, 190);
  EXPECT_GT(report.missed, 1000u);
}

TEST(VerifyTest, ATimeOutServesPartialBatches) {
  // One request alone: nothing fills the batch, the time-out of 25 ms starts it, 40 ms later it is done.
  Serving serving = kServing;
  serving.timeout_ms = 25;
  const ServingReport report = Serve(serving, {0.0}, 100);
  EXPECT_EQ(report.requests, 1u);
  EXPECT_EQ(report.partial_batches, 1u);
  EXPECT_NEAR(report.max_ms, 65, 1e-9);
  EXPECT_EQ(Serve(kServing, {0.0}, 100).requests, 0u);  // without one it waits for ever
}

Table SmallTable() {
  Table table;
  table.device = "d";
  table.knobs = {"f"};
  table.modes = {{1}, {2}};
  // batches 1 and 4: time ms [batch * 2 + mode], then watts.
  table.series = {{"net", Role::kInfer, {1, 4}, {16, 8, 40, 20}, {8, 14, 9, 16}},
                  {"job", Role::kTrain, {8}, {30, 15}, {10, 20}}};
  return table;
}

Query SmallQuery() {
  Query query;
  query.infer = "net";
  query.train = "job";
  query.rate = 20;
  query.latency_ms = 190;
  query.power_w = 12;
  return query;
}

std::vector<Probe> AllProbes(const Space& space) {
  std::vector<Probe> probes;
  for (int mode = 0; mode < 2; ++mode) {
    for (int b = 0; b < 2; ++b) probes.push_back({{mode, b, 0}, {space.SampleAt({mode, b, 0}), {}}});
  }
  return probes;
}

TEST(VerifyTest, KeepP99KeepsItUnderPoisson) {
  const Table table = SmallTable();
  const auto space = Space::Make(table, SmallQuery());
  ASSERT_TRUE(space);
  const Terms terms = TermsOf(SmallQuery());
  const auto arrivals = Poisson(20, 20000);
  // The best deterministic plan is mode 1 with batch 4, τ = 5, and breaks p99.
  const Plan plan = SolveExhaustively(*space, terms);
  EXPECT_EQ(plan.batch, 4);
  EXPECT_EQ(plan.outcome.tau, 5);
  const auto kept = KeepP99(*space, terms, AllProbes(*space), arrivals);
  ASSERT_TRUE(kept);
  EXPECT_LE(kept->report.p99_ms, 190);
  EXPECT_GT(kept->report.background_per_s, 1);
  EXPECT_LE(kept->plan.outcome.power_w, 12);
}

TEST(AdviceTest, NamesTheBindingBudgetAndWhatMoreWouldBuy) {
  const Table table = SmallTable();
  Query query = SmallQuery();
  query.power_w = 19.5;  // mode 2 trains at 20 W: one more watt doubles the speed of training
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  const Terms terms = TermsOf(query);
  const Plan plan = SolveExhaustively(*space, terms);
  EXPECT_DOUBLE_EQ(plan.outcome.throughput, 25);
  const Advice advice = Advise(*space, terms, plan, {});
  EXPECT_EQ(advice.binding, "latency");  // 190 of 190 ms
  ASSERT_TRUE(advice.per_watt);
  EXPECT_NEAR(*advice.per_watt, 35, 1e-9);  // mode 2, batch 4: ⌊180/15⌋ = 12 in 200 ms = 60/s
  EXPECT_FALSE(advice.estimated);
  EXPECT_TRUE(advice.relaxations.empty());
}

TEST(AdviceTest, WithoutAPlanSaysHowFarTheNearestIs) {
  const Table table = SmallTable();
  Query query = SmallQuery();
  query.power_w = 7;
  const auto space = Space::Make(table, query);
  ASSERT_TRUE(space);
  const Plan plan = SolveExhaustively(*space, TermsOf(query));
  ASSERT_FALSE(plan.feasible);
  EXPECT_TRUE(plan.exhaustive);
  const Advice advice = Advise(*space, TermsOf(query), plan, {});
  ASSERT_EQ(advice.relaxations.size(), 1u);
  EXPECT_EQ(advice.relaxations[0].kind, Relaxation::Kind::kWatts);
  EXPECT_NEAR(advice.relaxations[0].away, 1, 1e-9);  // batch 1 at mode 1 draws 8 W
  EXPECT_TRUE(advice.relaxations[0].measured);
  EXPECT_EQ(RelaxationText(advice.relaxations[0]), "power budget 8.00 W (+1.00 W, measured)");
}

}  // namespace
}  // namespace mortar::plan
