#include "policy/lanes.h"

#include <gtest/gtest.h>

namespace mortar::policy {
namespace {

constexpr std::int64_t kUs = 1'000;
constexpr std::int64_t kMs = 1'000'000;

TEST(AssumedLengthTest, ShrinksSoThatAnUnknownKernelIsTriedInTheEnd) {
  EXPECT_EQ(AssumedLength(0), 200 * kUs);
  EXPECT_EQ(AssumedLength(50 * kMs), 100 * kUs);
  EXPECT_EQ(AssumedLength(1'000'000 * kMs), 20 * kUs);
}

TEST(MergeLaneTest, TwoRunningLanesAreBusyUntilTheLastAndSubmitAsTheFirst) {
  Peer peer;
  MergeLane({.busy_until_ns = 50, .next_submit_ns = 90, .latest_free_ns = 120, .last_activity_ns = 10}, 0,
            true, true, &peer);
  MergeLane({.doing = Doing::kWaiting,
             .busy_until_ns = 70,
             .next_submit_ns = 100,
             .latest_free_ns = 110,
             .last_activity_ns = 5},
            0, false, true, &peer);
  EXPECT_EQ(peer.doing, Doing::kRunning);
  EXPECT_EQ(peer.busy_until_ns, 70);
  EXPECT_EQ(peer.next_submit_ns, 90);
  EXPECT_EQ(peer.latest_free_ns, 110);
  EXPECT_EQ(peer.last_activity_ns, 10);
}

TEST(MergeLaneTest, ALaneThatIsSilentForLongCountsWithWhatIsForetoldOfItsSilence) {
  // The first has been silent since 10 and will be for 500 in all; the second is at work.
  const LaneNews silent{.next_submit_ns = 90, .latest_free_ns = 95, .last_activity_ns = 10};
  const LaneNews at_work{.next_submit_ns = 300, .latest_free_ns = 400, .last_activity_ns = 200};
  for (const bool again : {true, false}) {
    for (const bool silent_first : {true, false}) {
      Peer peer;
      MergeLane(silent_first ? silent : at_work, silent_first ? 500 : 0, true, again, &peer);
      MergeLane(silent_first ? at_work : silent, silent_first ? 0 : 500, false, again, &peer);
      EXPECT_EQ(peer.next_submit_ns, again ? 300 : 90);
      EXPECT_EQ(peer.latest_free_ns, again ? 400 : 95);
    }
  }
}

TEST(MergeLaneTest, AHeldLaneSaysWhatItWaitsWithAndNotWhatItsClientDoes) {
  Peer peer;
  MergeLane({.doing = Doing::kGated, .next_submit_ns = 5, .pending_length_ns = 30, .wake_at_ns = 40}, 0, true,
            true, &peer);
  EXPECT_EQ(peer.doing, Doing::kGated);
  MergeLane({.next_submit_ns = 80}, 7, false, true, &peer);
  EXPECT_EQ(peer.doing, Doing::kRunning);
  EXPECT_EQ(peer.next_submit_ns, 80);
  EXPECT_EQ(peer.foretold_gap_ns, 7);
  EXPECT_EQ(peer.pending_length_ns, 30);
}

TEST(OutlivedTest, CountsFromTheLastSignOfLifeOnceThePredictedSubmitDidNotCome) {
  const LaneNews lane{.busy_until_ns = 50, .next_submit_ns = 90, .last_activity_ns = 10};
  EXPECT_EQ(OutlivedFor(lane, 89), -1);
  EXPECT_EQ(OutlivedFor(lane, 95), 45);
}

TEST(CheckedClaimTest, PastAndFarAheadDoNotCount) {
  EXPECT_EQ(CheckedClaim(100, 100), 0);
  EXPECT_EQ(CheckedClaim(101, 100), 101);
  EXPECT_EQ(CheckedClaim(101 + kStandstillNs, 100), 0);
}

}  // namespace
}  // namespace mortar::policy
