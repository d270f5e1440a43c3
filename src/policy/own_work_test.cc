#include "policy/own_work.h"

#include <gtest/gtest.h>

#include "policy/policy.h"
#include "policy/rule.h"

namespace mortar::policy {
namespace {

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kNow = 1'000'000 * kUs;

// A client below one that has nothing to do for 100 ms.
class OwnWorkTest : public testing::Test {
 protected:
  OwnWorkTest() {
    view_.now_ns = kNow;
    view_.allowed_in_flight_ns = 200 * kUs;
    view_.count = 1;
    view_.peers[0] = {.slot = 0,
                      .priority = 0,
                      .last_activity_ns = kNow - 10 * kUs,
                      .busy_until_ns = kNow - 10 * kUs,
                      .next_submit_ns = kNow + 100'000 * kUs};
  }

  Ask Of(std::int64_t length_us, std::uint64_t stream) const {
    Ask ask{.priority = 5, .length_ns = length_us * kUs};
    own_.Tell(stream, &ask);
    return ask;
  }
  Verdict Submit(std::int64_t length_us, std::uint64_t stream) {
    const Ask ask = Of(length_us, stream);
    const Verdict verdict = Decide(view_, ask);
    if (verdict.action != Action::kWait) own_.Admitted(ask, stream, verdict, view_.settings, view_.now_ns);
    return verdict;
  }

  View view_;
  OwnWork own_;
};

TEST_F(OwnWorkTest, ShortKernelsRunOneAfterTheOtherWhateverTheirStreams) {
  EXPECT_EQ(Submit(80, 1).until_ns, kNow + 80 * kUs);
  EXPECT_EQ(Submit(80, 2).until_ns, kNow + 160 * kUs);
  const Verdict third = Submit(80, 3);
  EXPECT_EQ(third.reason, Reason::kInFlight);
  EXPECT_EQ(third.wake_at_ns, kNow + 40 * kUs);
}

TEST_F(OwnWorkTest, OtherStreamsGoOnBesideALongKernel) {
  EXPECT_EQ(Submit(5000, 1).until_ns, kNow + 5000 * kUs);
  const Verdict beside = Submit(120, 2);
  EXPECT_EQ(beside.action, Action::kFill);
  EXPECT_EQ(beside.end_ns, kNow + 120 * kUs);
  EXPECT_EQ(beside.until_ns, kNow + 5000 * kUs) << "the device is not free before";
  // One after the other among themselves, within the bound.
  const Verdict next = Submit(120, 3);
  EXPECT_EQ(next.reason, Reason::kInFlight);
  EXPECT_EQ(next.wake_at_ns, kNow + 40 * kUs);
  view_.now_ns = next.wake_at_ns;
  EXPECT_EQ(Submit(120, 3).end_ns, kNow + 240 * kUs);
  EXPECT_EQ(own_.until_ns, kNow + 5000 * kUs);
}

TEST_F(OwnWorkTest, NoSecondLongKernelRunsBesideOne) {
  Submit(5000, 1);
  for (const std::int64_t length : {300, 0}) {
    const Verdict verdict = Submit(length, 2);
    EXPECT_EQ(verdict.reason, Reason::kInFlight) << length;
    EXPECT_EQ(verdict.wake_at_ns, kNow + 5000 * kUs) << length;
  }
}

TEST_F(OwnWorkTest, AsMuchAsTheBoundFollowsALongKernel) {
  Submit(5000, 1);
  EXPECT_EQ(Submit(150, 1).until_ns, kNow + 5150 * kUs);
  EXPECT_EQ(Submit(60, 1).reason, Reason::kInFlight);
  EXPECT_EQ(Submit(50, 1).until_ns, kNow + 5200 * kUs);
  view_.now_ns = kNow + 5100 * kUs;
  EXPECT_EQ(Submit(100, 1).until_ns, kNow + 5300 * kUs) << "100 us in flight, 100 more";
}

TEST_F(OwnWorkTest, NothingRunsBesideWhatHasNotBegun) {
  Submit(5000, 1);
  // The one above waits past its prediction: the long kernel is behind it.
  view_.peers[0].doing = Doing::kWaiting;
  EXPECT_FALSE(WithinBound(view_, Of(50, 2), 200 * kUs));
}

TEST_F(OwnWorkTest, AWaitEndsTheLongKernelToo) {
  Submit(5000, 1);
  own_.EndsAt(kNow + 10 * kUs);
  view_.now_ns = kNow + 10 * kUs;
  EXPECT_EQ(Submit(120, 2).until_ns, kNow + 130 * kUs);
}

TEST_F(OwnWorkTest, CopiesBesideKernelsHoldUpTheirStreamAlone) {
  Ask copy{.priority = 5, .copies = model::CopiesOf(model::Engine::kCopyIn), .length_ns = 900 * kUs};
  own_.Tell(1, &copy);
  const Verdict verdict = Decide(view_, copy);
  ASSERT_EQ(verdict.reason, Reason::kBeside);
  own_.Admitted(copy, 1, verdict, view_.settings, kNow);
  EXPECT_EQ(Of(50, 2).own_until_ns, 0);
  EXPECT_EQ(Of(50, 1).own_until_ns, kNow + 900 * kUs);
}

// More than the bound only where those above allow it, and room is foretold for many times as much.
TEST_F(OwnWorkTest, AFillsBoundIsWhatThoseAboveAllowAndASmallPartOfTheRoom) {
  view_.allowed_in_flight_ns = 0;
  EXPECT_EQ(FillBound(view_, 100'000 * kUs), 200 * kUs);
  view_.allowed_in_flight_ns = 1000 * kUs;
  EXPECT_EQ(FillBound(view_, 100'000 * kUs), 1000 * kUs);
  EXPECT_EQ(FillBound(view_, 12'000 * kUs), 500 * kUs);
  EXPECT_EQ(FillBound(view_, 1'000 * kUs), 200 * kUs);
  Submit(180, 1);
  EXPECT_EQ(Submit(180, 1).action, Action::kFill);
  view_.settings.policy = model::PolicyId::kPriority;
  EXPECT_EQ(Decide(view_, Of(180, 1)).reason, Reason::kInFlight) << "it foretells nothing";
}

class ALongKernelGoesAlone : public OwnWorkTest, public testing::WithParamInterface<bool> {};

TEST_P(ALongKernelGoesAlone, UnderOtherPoliciesAndWhereThoseAboveAllowNoMore) {
  if (GetParam()) view_.settings.policy = model::PolicyId::kPriority;
  if (!GetParam()) view_.allowed_in_flight_ns = 50 * kUs;
  Submit(5000, 1);
  for (const std::uint64_t stream : {std::uint64_t{1}, std::uint64_t{2}}) {
    const Verdict verdict = Submit(50, stream);
    EXPECT_EQ(verdict.reason, Reason::kInFlight);
    EXPECT_EQ(verdict.wake_at_ns, kNow + (GetParam() ? 5000 : 4850) * kUs);
  }
}

INSTANTIATE_TEST_SUITE_P(Either, ALongKernelGoesAlone, testing::Bool());

}  // namespace
}  // namespace mortar::policy
