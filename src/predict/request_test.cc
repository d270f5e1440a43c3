#include "predict/request.h"

#include <gtest/gtest.h>

namespace mortar::predict {
namespace {

constexpr std::int64_t kUs = 1000;

class RequestTest : public testing::Test {
 protected:
  // One submit now and its wait, `length_us` later; then `gap_us` until the next. Returns what ended, if
  // anything.
  RequestTracker::Ended Step(std::int64_t gap_us, bool starts_period = false, std::int64_t harm_us = 0) {
    RequestTracker::Ended ended = tracker.OnSubmit(now_, returned_, starts_period);
    now_ += 100 * kUs;
    returned_ = now_;
    const RequestTracker::Ended at_wait = tracker.OnWaitReturn(now_, harm_us * kUs);
    if (at_wait.valid) ended = at_wait;
    now_ += gap_us * kUs;
    return ended;
  }

  RequestTracker tracker;

 private:
  std::int64_t now_ = 1'000'000 * kUs;
  std::int64_t returned_ = 0;
};

TEST_F(RequestTest, EndsWhereThePeriodBeginsAnew) {
  Step(50);
  Step(50, false, 7);
  const auto ended = Step(50, /*starts_period=*/true);
  ASSERT_TRUE(ended.valid);
  EXPECT_EQ(ended.request_ns, 250 * kUs);  // two steps of 100 us and the gap between them
  EXPECT_EQ(ended.harm_ns, 7 * kUs);
  EXPECT_FALSE(ended.control);
}

TEST_F(RequestTest, EndsAtASilenceAndLeavesTheSilenceOut) {
  Step(50);
  Step(1'001);
  const auto ended = Step(50);
  ASSERT_TRUE(ended.valid);
  EXPECT_EQ(ended.request_ns, 250 * kUs);
}

TEST_F(RequestTest, SilenceIsLongAgainstTheUsualGap) {
  // The usual gap is 2 ms: 6 ms are less than four times that, 9 ms are more.
  for (int i = 0; i < 70; ++i) Step(2'000, true);
  Step(6'000);
  EXPECT_FALSE(Step(9'000).valid);
  EXPECT_TRUE(Step(50).valid);
}

TEST_F(RequestTest, EndsAfterManyWaits) {
  for (int i = 1; i < RequestTracker::kMostWaits; ++i) ASSERT_FALSE(Step(50).valid) << i;
  const auto ended = Step(50);
  ASSERT_TRUE(ended.valid);
  EXPECT_EQ(ended.request_ns, (20 * 100 + 19 * 50) * kUs);
}

TEST_F(RequestTest, MarksOverrideWhatIsFoundWithoutThem) {
  Step(50);
  EXPECT_FALSE(tracker.OnMark(true, 1'001'000 * kUs).control);
  RequestTracker::Ended ended;
  std::int64_t now = 1'001'000 * kUs;
  // Periods, silences and many waits end nothing any more.
  for (int i = 0; i < 3 * RequestTracker::kMostWaits; ++i) {
    now += 2'000 * kUs;
    EXPECT_FALSE(tracker.WantsSubmit(now - 10));
    EXPECT_FALSE(tracker.OnWaitReturn(now, kUs).valid) << i;
  }
  ended = tracker.OnMark(false, now + 5 * kUs);
  ASSERT_TRUE(ended.valid);
  EXPECT_EQ(ended.request_ns, now + 5 * kUs - 1'001'000 * kUs);
  EXPECT_EQ(ended.harm_ns, 60 * kUs);
  // Between requests nothing is counted, and an end without a beginning says nothing.
  tracker.OnWaitReturn(now + 10 * kUs, 9 * kUs);
  EXPECT_FALSE(tracker.OnMark(false, now + 20 * kUs).valid);
  tracker.OnMark(true, now + 30 * kUs);
  tracker.OnWaitReturn(now + 40 * kUs, 0);
  ended = tracker.OnMark(true, now + 50 * kUs);
  ASSERT_TRUE(ended.valid) << "an unfinished request ends where the next begins";
  EXPECT_EQ(ended.harm_ns, 0) << "what came between requests is nobody's";
  EXPECT_EQ(ended.request_ns, 10 * kUs);
}

// Of a withheld pair the first is nobody's and the second the control.
TEST_F(RequestTest, ControlIsTheSecondOfTwoWithoutFills) {
  Step(50, true);
  tracker.PlanNext(true);
  EXPECT_TRUE(tracker.withheld());
  tracker.PlanNext(true);  // a plan that stands is not put off
  const auto first = Step(50, true);
  EXPECT_FALSE(first.valid) << "it clears what fills left on the device";
  EXPECT_TRUE(tracker.withheld());
  const auto second = Step(50, true);
  EXPECT_TRUE(second.valid && second.control);
  EXPECT_FALSE(tracker.withheld());
  const auto third = Step(50, true);
  EXPECT_TRUE(third.valid && !third.control);
}

TEST_F(RequestTest, NoControlFollowsAnother) {
  Step(50, true);
  tracker.PlanNext(true);
  Step(50, true);
  EXPECT_TRUE(Step(50, true).control);
  tracker.PlanNext(true);
  EXPECT_FALSE(tracker.withheld());
  EXPECT_TRUE(Step(50, true).valid);
  tracker.PlanNext(true);
  EXPECT_TRUE(tracker.withheld());
}

}  // namespace
}  // namespace mortar::predict
