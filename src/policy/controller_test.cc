#include "policy/controller.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "policy/view.h"

namespace mortar::policy {
namespace {

TEST(ControllerTest, HarmAboveTheLimitStopsFillsUntilTheWindowRecovers) {
  Controller controller(0.02);
  for (int i = 0; i < 20; ++i) controller.OnRequest(1'050'000, 50'000, false);
  EXPECT_TRUE(controller.exhausted());
  EXPECT_EQ(controller.caution(), 1.0);
  int until = 0;
  while (controller.exhausted() && until < 500) {
    controller.OnRequest(1'000'000, 0, false);
    ++until;
  }
  // 20 requests of 5 % within a window at 0.8 × 2 % = 1.6 %: 1000 / 1.6 = 62.5 requests, so 43 quiet ones.
  EXPECT_EQ(until, 43);
}

// Floors' harm makes nobody cautious, and ends no offers: it comes of no prediction. It ends floors.
TEST(ControllerTest, FloorHarmIsCountedApart) {
  Controller controller(0.02);
  for (int i = 0; i < 200; ++i) controller.OnRequest(1'000'000, 0, false);
  EXPECT_FALSE(controller.spent());
  // 200 requests of 1 ms have left an allowance of 100 × 1.6 % of 1 ms = 1.6 ms at most.
  controller.OnRequest(2'500'000, 0, false, 1'500'000);
  EXPECT_FALSE(controller.spent());
  controller.OnRequest(2'500'000, 0, false, 1'500'000);
  EXPECT_TRUE(controller.spent());
  EXPECT_EQ(controller.caution(), 0.0);
  EXPECT_NEAR(controller.ModelledSlowdown(), 3.0 / 202, 1e-6) << "the model knows of all harm";
}

// A floor fill longer than what a hundred requests allow: on average the limit holds all the same.
TEST(ControllerTest, FloorsYieldUntilTheLimitHoldsOnAverage) {
  for (const double limit : {0.005, 0.02, 0.1}) {
    Controller controller(limit);
    double harm = 0;
    constexpr int kRequests = 20'000;
    for (int i = 0; i < kRequests; ++i) {
      const std::int64_t floor = controller.spent() ? 0 : 10'000'000;  // 10 ms into a request of 1 ms
      harm += static_cast<double>(floor);
      controller.OnRequest(1'000'000 + floor, 0, false, floor);
    }
    const double share = harm / (kRequests * 1e6);
    EXPECT_LE(share, limit * Controller::kAim + 0.001) << limit;
    EXPECT_GE(share, limit * Controller::kAim * 0.9) << limit;
  }
}

TEST(ControllerTest, FillsHarmLeavesFloorsLess) {
  Controller controller(0.02);
  for (int i = 0; i < 100; ++i) controller.OnRequest(1'030'000, 30'000, false);
  EXPECT_TRUE(controller.spent());
  controller.set_limit(0.05);
  EXPECT_FALSE(controller.spent()) << "a new limit, a new account";
}

// What is on the device when a limit is set went by the old one: the request that meets it counts for
// nothing.
TEST(ControllerTest, WhatTheOldLimitStillCostsIsNotHeldAgainstTheNew) {
  for (const bool rules : {false, true}) {
    Controller controller(10);
    for (int i = 0; i < 100; ++i) controller.OnRequest(8'000'000, 6'000'000, false);
    rules ? controller.Restart() : controller.set_limit(1);
    controller.OnRequest(22'000'000, 20'000'000, false);
    EXPECT_FALSE(controller.exhausted());
    EXPECT_FALSE(controller.spent());
    controller.OnRequest(102'000'000, 100'000'000, false);
    EXPECT_TRUE(controller.exhausted()) << "the next one counts";
  }
}

TEST(ControllerTest, WithoutAnyAllowanceFloorsYieldAlways) {
  Controller controller(0);
  EXPECT_TRUE(controller.spent());
  for (int i = 0; i < 1000; ++i) controller.OnRequest(1'000'000, 0, false);
  EXPECT_TRUE(controller.spent());
}

// What a request may be harmed by: 2 % of 20 ms, once it is bold; nothing before one was seen.
TEST(ControllerTest, LetsAsMuchBeInFlightAsOneRequestMayBeHarmedBy) {
  Controller controller(0.02);
  EXPECT_EQ(controller.allowed_in_flight_ns(), 0);
  for (int i = 0; i < 200; ++i) controller.OnRequest(20'000'000, 0, false);
  EXPECT_EQ(controller.allowed_in_flight_ns(), 400'000);
  for (int i = 0; i < 20; ++i) controller.OnRequest(21'000'000, 1'000'000, false);
  EXPECT_LT(controller.allowed_in_flight_ns(), 400'000) << "cautious";
  for (int i = 0; i < 80; ++i) controller.OnRequest(21'000'000, 1'000'000, false);
  EXPECT_TRUE(controller.exhausted());
  EXPECT_EQ(controller.allowed_in_flight_ns(), 0);
  Controller slow(0.02);
  for (int i = 0; i < 200; ++i) slow.OnRequest(5'000'000'000, 0, false);
  EXPECT_EQ(slow.allowed_in_flight_ns(), kMostInFlightNs);
}

TEST(ControllerTest, NoHarmMakesItBold) {
  Controller controller(0.02);
  for (int i = 0; i < 200; ++i) controller.OnRequest(1'000'000, 0, false);
  EXPECT_EQ(controller.caution(), 0.0);
}

TEST(ControllerTest, LongRequestsWithoutHarmMakeItBoldSooner) {
  Controller controller(0.02);
  // Caution 0.3 falls by 0.004 for each 10 ms: after 8 requests of 100 ms it is gone.
  for (int i = 0; i < 7; ++i) controller.OnRequest(100'000'000, 0, false);
  EXPECT_NEAR(controller.caution(), 0.02, 1e-9);
  controller.OnRequest(100'000'000, 0, false);
  EXPECT_EQ(controller.caution(), 0.0);
}

TEST(ControllerTest, WindowKeepsTheLimitWhateverTheFillsWouldDo) {
  // Fills cost 4 % when offered at all; the window mean must stay at or under the limit.
  Controller controller(0.01);
  base::Random random(1);
  double harms[2000];
  for (double& harm : harms) {
    const double cost = controller.exhausted() ? 0 : 0.08 * random.Uniform();
    harm = cost;
    controller.OnRequest(static_cast<std::int64_t>(1e6 * (1 + cost)), static_cast<std::int64_t>(1e6 * cost),
                         false);
  }
  for (int end = 120; end <= 2000; ++end) {
    double sum = 0;
    for (int i = end - 100; i < end; ++i) sum += harms[i];
    EXPECT_LE(sum / 100, 0.01) << end;
  }
}

TEST(ControllerTest, MeasurementAboveTheModelScalesIt) {
  Controller controller(0.02);
  base::Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const bool control = controller.NextIsControl(random.Uniform());
    const double noise = 1 + 0.002 * (random.Uniform() - 0.5);
    // The model sees 0.5 %, the truth is 3 %.
    const double request = 1e6 * noise * (control ? 1.0 : 1.03);
    controller.OnRequest(static_cast<std::int64_t>(request), control ? 0 : 5000, control);
  }
  const MeasuredSlowdown measured = controller.Measured();
  ASSERT_TRUE(measured.known);
  EXPECT_NEAR(measured.mean, 0.03, 0.002);
  EXPECT_GT(measured.low, 0.025);
  EXPECT_NEAR(controller.ModelledSlowdown(), 0.005, 0.0005);
  EXPECT_NEAR(controller.scale(), 6, 0.8);
  EXPECT_TRUE(controller.exhausted());
}

// A program that is stopped, or reads a file, in one request of 250: the controls never were. It shows in
// what is measured, and is held against nobody.
TEST(ControllerTest, WhatHappensOnceInAWhileIsNoFillsDoing) {
  Controller controller(0.02);
  base::Random random(4);
  for (int i = 1; i <= 10'000; ++i) {
    const bool control = i % 100 == 0;
    const double noise = 1 + 0.02 * (random.Uniform() - 0.5);
    const double request = i % 250 == 7 ? 0.5e9 : 1e6 * noise;
    controller.OnRequest(static_cast<std::int64_t>(request), control ? 0 : 2'000, control);
    EXPECT_FALSE(controller.exhausted()) << i;
  }
  EXPECT_GT(controller.Measured().low, 0.3);
  EXPECT_LT(controller.scale() * controller.ModelledSlowdown(), 0.01);
}

TEST(ControllerTest, MeasurementBelowTheModelScalesItDown) {
  Controller controller(0.02);
  base::Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const bool control = controller.NextIsControl(random.Uniform());
    const double request = 1e6 * (1 + 0.002 * (random.Uniform() - 0.5));
    // The model sees 1.6 %, the truth is none.
    controller.OnRequest(static_cast<std::int64_t>(request), control ? 0 : 16'000, control);
  }
  EXPECT_EQ(controller.scale(), 0.5);  // no further, whatever was measured
}

// 10 controls of 100 and 10 treated of 110 on the mean, each ±10: variance of either mean 100 / 9, relative
// error sqrt(100 / 9 / 100² + 100 / 9 / 110²) = 0.04505, half an interval 1.96 · 1.1 · 0.04505 = 0.0971.
TEST(ControllerTest, IntervalIsThatOfARatioOfMeans) {
  Controller controller;
  for (int i = 0; i < 10; ++i) controller.OnRequest(i % 2 == 0 ? 90 : 110, 0, true);
  for (int i = 0; i < 10; ++i) controller.OnRequest(i % 2 == 0 ? 100 : 120, 0, false);
  const MeasuredSlowdown measured = controller.Measured();
  ASSERT_TRUE(measured.known);
  EXPECT_NEAR(measured.mean, 0.1, 1e-9);
  EXPECT_NEAR(measured.low, 0.1 - 0.0971, 1e-4);
  EXPECT_NEAR(measured.high, 0.1 + 0.0971, 1e-4);
}

TEST(ControllerTest, CautionRisesTenTimesAsFastAsItFalls) {
  Controller controller(0.02);
  // Harm at 1.5 %, under the aim of 1.6 % and above seven tenths of it.
  controller.OnRequest(1'015'000, 15'000, false);
  EXPECT_NEAR(controller.caution(), 0.34, 1e-9);
  for (int i = 0; i < 25; ++i) controller.OnRequest(1'000'000, 0, false);
  // For one more request 15 in 1,000 stand against 2 requests, 0.75 %: calm enough. 25 steps down from then
  // on.
  EXPECT_NEAR(controller.caution(), 0.34 - 25 * 0.004, 1e-9);
}

TEST(ControllerTest, AFewControlsSayNothing) {
  Controller controller;
  for (int i = 0; i < 7; ++i) controller.OnRequest(1'000'000, 0, true);
  for (int i = 0; i < 100; ++i) controller.OnRequest(2'000'000, 0, false);
  EXPECT_FALSE(controller.Measured().known);
}

// Up to the default limit fills get what is not noticed; above it, what the limit allows.
TEST(ControllerTest, OnlyAGenerousLimitIsOffered) {
  for (const double limit : {0.0, 0.005, 0.01, 0.02}) {
    Controller controller(limit);
    for (int i = 0; i < 500; ++i) controller.OnRequest(1'000'000, 0, false);
    EXPECT_EQ(controller.offer_ns(), 0) << limit;
  }
  Controller controller(0.05);
  controller.OnRequest(1'000'000, 0, false);
  EXPECT_EQ(controller.offer_ns(), 24'000) << "0.8 of 3 % of the request";
  for (int i = 0; i < 500; ++i) controller.OnRequest(1'000'000, 0, false);
  EXPECT_EQ(controller.offer_ns(), 50'000) << "never more than the limit on one request";
  controller.set_limit(0.02);
  EXPECT_EQ(controller.offer_ns(), 0);
}

TEST(ControllerTest, WhatIsOfferedKeepsTheLimit) {
  for (const double limit : {0.05, 0.1, 0.5}) {
    Controller controller(limit);
    double harm = 0;
    for (int i = 0; i < 1000; ++i) {
      const std::int64_t taken = controller.offer_ns();  // all of it, by fills that fit nowhere else
      harm += static_cast<double>(taken);
      controller.OnRequest(1'000'000 + taken, taken, false);
    }
    EXPECT_LE(harm / 1000e6, limit) << limit;
    EXPECT_GE(harm / 1000e6, 0.7 * (limit - Controller::kOfferAbove)) << limit;
    EXPECT_FALSE(controller.exhausted()) << "nobody stands still because of what was offered";
  }
}

TEST(ControllerTest, ANewLimitDoesNotLookBack) {
  Controller controller(10);
  for (int i = 0; i < 200; ++i) controller.OnRequest(5'000'000, 4'000'000, false);
  EXPECT_FALSE(controller.exhausted());
  controller.set_limit(1);
  controller.OnRequest(1'500'000, 500'000, false);
  EXPECT_FALSE(controller.exhausted()) << "400 % were allowed then";
  controller.OnRequest(5'000'000, 4'000'000, false);
  EXPECT_TRUE(controller.exhausted());
}

TEST(ControllerTest, WhatOtherRulesCostIsForgotten) {
  Controller controller(0.02);
  for (int i = 0; i < 20; ++i) controller.OnRequest(1'000'000, 0, true);
  for (int i = 0; i < 200; ++i) controller.OnRequest(2'000'000, 500'000, false);
  EXPECT_TRUE(controller.exhausted() && controller.spent());
  EXPECT_GT(controller.scale(), 1) << "half of it was not foreseen";
  controller.Restart();
  EXPECT_FALSE(controller.exhausted() || controller.spent());
  EXPECT_EQ(controller.scale(), 1);
  EXPECT_EQ(controller.caution(), Controller::kFirstCaution);
  EXPECT_FALSE(controller.Measured().known);
  for (int i = 0; i < 10; ++i) controller.OnRequest(1'000'000, 0, false);
  EXPECT_TRUE(controller.Measured().known) << "controls ran without fills: they still count";
  EXPECT_EQ(controller.Measured().mean, 0);
}

}  // namespace
}  // namespace mortar::policy
