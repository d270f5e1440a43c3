#include "policy/rule.h"

#include <gtest/gtest.h>

namespace mortar::policy {
namespace {

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kNow = 1'000'000 * kUs;
constexpr std::int64_t kBound = 200 * kUs;

View HolderInGap(std::int64_t gap_left_us) {
  View view;
  view.now_ns = kNow;
  view.count = 1;
  view.peers[0] = {.slot = 0,
                   .priority = 0,
                   .last_activity_ns = kNow - 10 * kUs,
                   .busy_until_ns = kNow - 10 * kUs,
                   .next_submit_ns = kNow + gap_left_us * kUs};
  return view;
}
Ask Filler(std::int64_t length_us) { return {.priority = 5, .length_ns = length_us * kUs}; }

TEST(RuleTest, FillFitsExactlyAtTheLimitAndNotBeyond) {
  EXPECT_TRUE(FindChance(HolderInGap(144), Filler(144), true, true).fits);
  EXPECT_FALSE(FindChance(HolderInGap(143), Filler(144), true, true).fits);
}

TEST(RuleTest, SlicedDeviceChargesTwiceTheSwitchCost) {
  View view = HolderInGap(200);
  view.settings.mode = model::DeviceMode::kSliced;
  view.settings.switch_cost_ns = 30 * kUs;
  EXPECT_FALSE(FindChance(view, Filler(144), true, true).fits);  // 144 + 60 > 200
  EXPECT_TRUE(FindChance(view, Filler(140), true, true).fits);
  view.settings.margin_ns = kUs;
  EXPECT_FALSE(FindChance(view, Filler(140), true, true).fits);
}

TEST(RuleTest, SlicedDeviceFillsOnlyWhenTheHolderIsOffIt) {
  View view = HolderInGap(500);
  view.peers[0].busy_until_ns = kNow + 50 * kUs;
  EXPECT_TRUE(FindChance(view, Filler(144), true, true).fits);
  view.settings.mode = model::DeviceMode::kSliced;
  const Chance chance = FindChance(view, Filler(144), true, true);
  EXPECT_FALSE(chance.fits);
  EXPECT_EQ(chance.wake_at_ns, kNow + 50 * kUs);
}

TEST(RuleTest, OverdueWaitIsLookedAtAgainSoonNotAtTheNextSubmit) {
  View view = HolderInGap(100);
  view.peers[0].doing = Doing::kWaiting;
  view.peers[0].busy_until_ns = kNow - 8 * kUs;
  const Chance chance = FindChance(view, Filler(144), true, true);
  EXPECT_FALSE(chance.fits);
  EXPECT_LE(chance.wake_at_ns, kNow + 5 * kUs);
}

TEST(RuleTest, SlackReachesPastTheNextSubmitButGapDoesNot) {
  View view = HolderInGap(100);
  view.peers[0].latest_free_ns = kNow + 5000 * kUs;
  EXPECT_TRUE(FindChance(view, Filler(144), true, true).fits);
  EXPECT_FALSE(FindChance(view, Filler(144), false, true).fits);
}

TEST(RuleTest, FillStartsBehindEarlierFillsAndTheHoldersWork) {
  View view = HolderInGap(500);
  view.fill_until_ns = kNow + 300 * kUs;
  const Chance chance = FindChance(view, Filler(144), true, true);
  EXPECT_EQ(chance.start_ns, kNow + 300 * kUs);
  EXPECT_EQ(chance.end_ns, kNow + 444 * kUs);
  EXPECT_TRUE(chance.fits);
  view.peers[0].busy_until_ns = kNow + 400 * kUs;
  EXPECT_FALSE(FindChance(view, Filler(144), true, true).fits);
}

TEST(RuleTest, FillStartsBehindTheAskersOwnFills) {
  Ask ask = Filler(144);
  ask.own_until_ns = kNow + 356 * kUs;
  EXPECT_TRUE(FindChance(HolderInGap(500), ask, true, true).fits);
  ask.own_until_ns = kNow + 357 * kUs;
  EXPECT_FALSE(FindChance(HolderInGap(500), ask, true, true).fits);
}

TEST(RuleTest, GapThatOutlivedItsPredictionIsForetoldAgain) {
  View view = HolderInGap(-100);
  EXPECT_FALSE(FindChance(view, Filler(144), true, true).fits);
  view.peers[0].foretold_gap_ns = 300'000 * kUs;
  EXPECT_TRUE(FindChance(view, Filler(10'000), true, true).fits);
  EXPECT_FALSE(FindChance(view, Filler(10'000), true, false).fits);
}

TEST(RuleTest, WaitingHolderThatOverrunsMovesItsLimitAlong) {
  View view = HolderInGap(500);
  view.peers[0].doing = Doing::kWaiting;
  view.peers[0].busy_until_ns = kNow - 50 * kUs;  // should have ended 50 us ago
  const Chance chance = FindChance(view, Filler(144), true, true);
  EXPECT_EQ(chance.start_ns, kNow);
  EXPECT_EQ(chance.limit_ns, kNow + 550 * kUs);
}

TEST(RuleTest, WithheldRequestOffersNothing) {
  View view = HolderInGap(5000);
  view.peers[0].withheld = true;
  const Chance chance = FindChance(view, Filler(10), true, true);
  EXPECT_FALSE(chance.fits);
  EXPECT_EQ(chance.reason, Reason::kWithheld);
}

TEST(RuleTest, OwnWorkInFlightIsWaitedForUntilThereIsRoom) {
  View view = HolderInGap(500);
  Ask ask = Filler(150);
  ask.own_until_ns = kNow + 100 * kUs;
  EXPECT_FALSE(WithinBound(view, ask, kBound));
  // 150 of 200 us: there is room once 50 us are left in flight.
  EXPECT_EQ(WithinBoundAt(view, ask, kBound), kNow + 50 * kUs);
  // A kernel of unknown length goes with nothing in flight, not at an instant that is past.
  ask.length_ns = 0;
  ask.assumed_length_ns = 100 * kUs;
  EXPECT_EQ(WithinBoundAt(view, ask, kBound), kNow + 100 * kUs);
}

TEST(RuleTest, UnknownNextSubmitOffersNothing) {
  View view = HolderInGap(500);
  view.peers[0].next_submit_ns = 0;
  EXPECT_FALSE(FindChance(view, Filler(10), true, true).fits);
}

TEST(RuleTest, HolderIsInactiveAfterItsIdleTimeAndAfterAStandstill) {
  Peer peer{.last_activity_ns = kNow, .idle_after_ns = 5000 * kUs};
  EXPECT_TRUE(IsActive(peer, kNow + 4999 * kUs));
  EXPECT_FALSE(IsActive(peer, kNow + 5000 * kUs));
  peer.busy_until_ns = kNow + 80'000 * kUs;
  EXPECT_TRUE(IsActive(peer, kNow + 84'000 * kUs));
  peer.busy_until_ns = kNow + 900'000 * kUs;  // predicted work does not outlive the standstill
  EXPECT_TRUE(IsActive(peer, kNow + 99'000 * kUs));
  EXPECT_FALSE(IsActive(peer, kNow + 100'000 * kUs));
}

TEST(RuleTest, InFlightBoundCountsPredictedTimeAndLetsLongKernelsGoAlone) {
  View view = HolderInGap(0);
  Ask ask = Filler(144);
  EXPECT_TRUE(WithinBound(view, ask, kBound));
  ask.own_until_ns = kNow + 56 * kUs;
  EXPECT_TRUE(WithinBound(view, ask, kBound));
  ask.own_until_ns = kNow + 57 * kUs;
  EXPECT_FALSE(WithinBound(view, ask, kBound));
  Ask longer = Filler(10'000);
  EXPECT_TRUE(WithinBound(view, longer, kBound));
  longer.own_until_ns = kNow + kUs;
  EXPECT_FALSE(WithinBound(view, longer, kBound));
  Ask unknown{.priority = 5, .assumed_length_ns = 10 * kUs, .own_until_ns = kNow + kUs};
  EXPECT_FALSE(WithinBound(view, unknown, kBound));
}

TEST(RuleTest, BestPriorityFitsFirstThenTheLongest) {
  View view = HolderInGap(500);
  view.count = 2;
  view.peers[1] = {
      .slot = 1, .priority = 5, .doing = Doing::kGated, .pending_length_ns = 200 * kUs, .wake_at_ns = kNow};
  const Ask ask = Filler(144);
  const Chance chance = FindChance(view, ask, true, true);
  EXPECT_TRUE(BetterPlacedWaits(view, ask, chance));
  view.peers[1].pending_length_ns = 100 * kUs;  // equal priority, shorter: I go first
  EXPECT_FALSE(BetterPlacedWaits(view, ask, chance));
  view.peers[1].priority = 3;  // better priority, and it fits
  EXPECT_TRUE(BetterPlacedWaits(view, ask, chance));
  view.peers[1].pending_length_ns = 600 * kUs;  // better priority, but it does not fit
  EXPECT_FALSE(BetterPlacedWaits(view, ask, chance));
  view.peers[1].pending_length_ns = 200 * kUs;
  view.peers[1].wake_at_ns = kNow - 51 * kUs;  // overdue: perhaps dead
  EXPECT_FALSE(BetterPlacedWaits(view, ask, chance));
}

TEST(RuleTest, EqualsTakeTurnsByDeviceTime) {
  View view;
  view.now_ns = kNow;
  view.count = 1;
  view.peers[0] = {.slot = 0,
                   .priority = 5,
                   .doing = Doing::kGated,
                   .last_activity_ns = kNow,
                   .wake_at_ns = kNow,
                   .served_ns = 10'000'000};
  Ask ask = Filler(144);
  std::int64_t wake_at = 0;
  std::uint64_t forgiven = 0;
  ask.served_ns = 12'000'000;
  EXPECT_FALSE(EqualsTurn(view, ask, 2'000'000, &wake_at, &forgiven));
  ask.served_ns = 12'000'001;
  EXPECT_TRUE(EqualsTurn(view, ask, 2'000'000, &wake_at, &forgiven));
  EXPECT_GT(wake_at, kNow);
  EXPECT_EQ(forgiven, 0U);
  ask.served_ns = 37'000'000;
  EXPECT_TRUE(EqualsTurn(view, ask, 2'000'000, &wake_at, &forgiven));
  EXPECT_EQ(forgiven, 7'000'000U) << "what is beyond ten turns";
  view.peers[0].doing = Doing::kRunning;  // nothing waiting, nothing on the device: work goes on
  EXPECT_FALSE(EqualsTurn(view, ask, 2'000'000, &wake_at, &forgiven));
}

TEST(RuleTest, NobodyWaitsForAnEqualsTurnForEver) {
  View view = HolderInGap(500);
  view.peers[0].priority = 5;
  view.peers[0].busy_until_ns = kNow + 100 * kUs;
  Ask ask = Filler(100);
  ask.served_ns = 9'000'000'000;  // 9 s more than the equal: taken for true
  ask.waiting_since_ns = kNow - kLongestTurnNs;
  std::int64_t wake_at = 0;
  std::uint64_t forgiven = 0;
  EXPECT_TRUE(EqualsTurn(view, ask, 2'000 * kUs, &wake_at, &forgiven));
  ask.waiting_since_ns -= 1;
  EXPECT_FALSE(EqualsTurn(view, ask, 2'000 * kUs, &wake_at, &forgiven));
}

TEST(RuleTest, AFillStartsALeadAfterItsSubmit) {
  View view = HolderInGap(150);
  Ask ask = Filler(144);
  ask.lead_ns = 6 * kUs;
  EXPECT_TRUE(FindChance(view, ask, true, true).fits);
  ask.lead_ns = 7 * kUs;
  EXPECT_FALSE(FindChance(view, ask, true, true).fits);
  // Behind work of its own nothing of the lead is left.
  ask.own_until_ns = kNow + 6 * kUs;
  ask.lead_ns = 6 * kUs;
  EXPECT_EQ(EarliestStart(view, ask), kNow + 6 * kUs);
}

TEST(RuleTest, AFillDoesNotOvertakeASubmitOnItsWay) {
  View view = HolderInGap(500);
  view.peers[0].busy_until_ns = kNow + 40 * kUs;
  view.peers[0].arrived_ns = kNow + 10 * kUs;
  Ask ask = Filler(144);
  ask.lead_ns = 6 * kUs;
  const Chance chance = FindChance(view, ask, true, true);
  EXPECT_FALSE(chance.fits);
  EXPECT_EQ(chance.wake_at_ns, kNow + 4 * kUs);
  ask.lead_ns = 10 * kUs;
  EXPECT_TRUE(FindChance(view, ask, true, true).fits);
}

// What was put behind a kernel that outlasts its prediction has not run yet, whatever its own prediction
// says.
TEST(RuleTest, NothingPilesUpBehindAKernelThatOutlastsItsPrediction) {
  View view = HolderInGap(5'000);
  view.peers[0].doing = Doing::kWaiting;
  view.peers[0].busy_until_ns = kNow - 300 * kUs;
  Ask ask = Filler(50);
  ask.own_until_ns = kNow - 200 * kUs;
  EXPECT_TRUE(WithinBound(view, ask, kBound)) << "100 us of the bound of 200 are behind it";
  ask.own_until_ns = kNow - 100 * kUs;
  EXPECT_FALSE(WithinBound(view, ask, kBound));
  EXPECT_GE(WithinBoundAt(view, ask, kBound), kNow + 2 * kUs)
      << "nobody knows when: no looking again at once";
  view.peers[0].doing = Doing::kRunning;
  EXPECT_TRUE(WithinBound(view, ask, kBound));
}

TEST(RuleTest, ALongKernelWaitsForTwiceTheSilence) {
  View view = HolderInGap(0);
  view.peers[0].idle_after_ns = 20'000 * kUs;
  view.now_ns = view.peers[0].last_activity_ns + 30'000 * kUs;
  EXPECT_FALSE(AnyAbove(view, Filler(200)));
  EXPECT_TRUE(AnyAbove(view, Filler(201)));
  view.now_ns += 10'000 * kUs;
  EXPECT_FALSE(AnyAbove(view, Filler(201)));
}

TEST(RuleTest, ACopyRunsBesideKernelsUnlessThoseAboveCopyTheSameWay) {
  View view = HolderInGap(10);
  Ask ask = Filler(3'000);
  EXPECT_FALSE(RunsBeside(view, ask)) << "a kernel";
  ask.copies = model::CopiesOf(model::Engine::kCopyIn);
  EXPECT_TRUE(RunsBeside(view, ask));
  view.peers[0].copies = model::CopiesOf(model::Engine::kCopyOut);
  EXPECT_TRUE(RunsBeside(view, ask));
  view.peers[0].copies = model::CopiesOf(model::Engine::kCopyIn);
  EXPECT_FALSE(RunsBeside(view, ask));
  view.peers[0].copies = 0;
  ask.copies = model::kAnyCopies;
  EXPECT_FALSE(RunsBeside(view, ask)) << "which engine it takes is not known";
}

}  // namespace
}  // namespace mortar::policy
