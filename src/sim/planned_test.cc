#include "sim/planned.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/test_programs.h"

namespace mortar::sim {
namespace {

TEST(PlannedTest, ReadsWhatThePlannerPrints) {
  const auto work = ReadPlanned(
      R"({"feasible":true,"batch":4,"tau":2,"latency_ms":70.5,"rate":60,"t_in_ms":20,"t_background_ms":15})",
      "p");
  ASSERT_TRUE(work.ok()) << work.error().message;
  EXPECT_EQ(work->batch, 4);
  EXPECT_EQ(work->tau, 2);
  EXPECT_DOUBLE_EQ(work->t_background_ms, 15);
}

TEST(PlannedTest, RefusesWhatCannotBeRun) {
  for (const char* text : {"", "[]", "{\"feasible\":false}", R"({"feasible":true,"batch":4})",
                           R"({"feasible":true,"batch":1,"tau":0,"rate":60,"t_in_ms":"20"})",
                           R"({"feasible":true,"batch":1,"tau":0,"rate":60,"t_in_ms":20})"}) {
    const auto work = ReadPlanned(text, "plan.json");
    ASSERT_FALSE(work.ok()) << text;
    EXPECT_NE(work.error().message.find("plan.json"), std::string::npos);
  }
}

TEST(PlannedTest, FillUsesWhatThePlanLeavesIdle) {
  // A batch of 20 ms every 66.7 ms; 15 ms a minibatch: 3 fit whole, 1.7 ms are left: 0.11 of a minibatch.
  const PlannedWork work{60, 4, 3, 20, 15, 70};
  const PlannedReport report = RunPlanned(work, 4000 * kMs, 1);
  EXPECT_NEAR(report.plan.background_per_s, 3 / 0.0666667, 1.0);
  // Less what caution, controls and kernels that do not fit keep.
  EXPECT_GT(report.fill.background_per_s, 0.97 * report.plan.background_per_s);
  EXPECT_LT(report.fill.background_per_s, (66.667 - 20) / 15 / 0.0666667 + 0.5);
  // Three requests wait for the fourth, then the batch runs.
  EXPECT_NEAR(report.plan.p50_ms, 3 / 0.060 + 20, 0.5);
  EXPECT_NEAR(report.fill.max_ms, 3 / 0.060 + 20, 1.0);
  EXPECT_TRUE(std::isnan(report.fill.p99_ms));  // of 60 batches there is none
}

}  // namespace
}  // namespace mortar::sim
