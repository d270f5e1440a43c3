// What one client alone forbids, against the rule over all of them, on drawn views.
#include <gtest/gtest.h>

#include "base/random.h"
#include "policy/rule.h"

namespace mortar::policy {
namespace {

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kNow = 10'000'000 * kUs;

class RuleAloneTest : public testing::Test {
 protected:
  std::int64_t Draw(std::int64_t from_us, std::int64_t to_us) {
    return kUs * (from_us + static_cast<std::int64_t>(random_.Next() %
                                                      static_cast<std::uint64_t>(to_us - from_us + 1)));
  }
  bool Toss(std::uint64_t sides) { return random_.Next() % sides == 0; }

  Peer DrawPeer() {
    Peer peer;
    peer.priority = static_cast<int>(random_.Next() % 8);
    peer.doing = static_cast<Doing>(random_.Next() % 3);
    peer.withheld = Toss(8);
    peer.last_activity_ns = kNow - Draw(0, 8000);
    peer.busy_until_ns = kNow + Draw(-300, 300);
    peer.next_submit_ns = Toss(6) ? 0 : kNow + Draw(-100, 500);
    peer.latest_free_ns = Toss(2) ? 0 : kNow + Draw(-100, 800);
    peer.foretold_gap_ns = Toss(2) ? 0 : Draw(1, 600);
    peer.arrived_ns = Toss(3) ? kNow + Draw(0, 20) : kNow - Draw(0, 20);
    return peer;
  }
  View DrawView(int peers) {
    View view;
    view.now_ns = kNow;
    view.fill_until_ns = Toss(2) ? 0 : kNow + Draw(0, 200);
    if (Toss(3)) view.settings.mode = model::DeviceMode::kSliced;
    view.settings.switch_cost_ns = Draw(0, 20);
    view.count = peers;
    for (int i = 0; i < peers; ++i) view.peers[static_cast<std::size_t>(i)] = DrawPeer();
    return view;
  }
  Ask DrawAsk() { return {.priority = 5, .length_ns = Draw(1, 400), .lead_ns = Draw(0, 10)}; }

  base::Random random_{3};
};

TEST_F(RuleAloneTest, OneClientForbidsWhatTheRuleForbidsAndIsLookedAtWhenTheRuleSays) {
  int excluded = 0;
  for (int i = 0; i < 20'000; ++i) {
    const View view = DrawView(1);
    const Ask ask = DrawAsk();
    const Chance chance = FindChance(view, ask, true, true);
    ASSERT_EQ(Excludes(view, ask, ObstacleOf(view, view.peers[0])), !chance.fits) << "view " << i;
    if (chance.fits) continue;
    ASSERT_EQ(LookAgainAt(view, ask, ObstacleOf(view, view.peers[0])), chance.wake_at_ns) << "view " << i;
    ++excluded;
  }
  EXPECT_GT(excluded, 2000);
  EXPECT_LT(excluded, 18'000);
}

TEST_F(RuleAloneTest, WhatOneForbidsNoOtherAllows) {
  int excluded = 0;
  for (int i = 0; i < 20'000; ++i) {
    const View view = DrawView(4);
    const Ask ask = DrawAsk();
    for (int k = 0; k < 4; ++k) {
      if (!Excludes(view, ask, ObstacleOf(view, view.peers[static_cast<std::size_t>(k)]))) continue;
      ++excluded;
      ASSERT_FALSE(FindChance(view, ask, true, true).fits) << "view " << i;
    }
  }
  EXPECT_GT(excluded, 5000);
}

// Time alone lifts it only when something comes due, or when the client no longer counts.
TEST_F(RuleAloneTest, ItLastsUntilItIsToBeLookedAtAgain) {
  int later = 0;
  for (int i = 0; i < 20'000; ++i) {
    View view = DrawView(1);
    view.fill_until_ns = 0;  // while it waits overdue, what it leaves behind a claim grows
    const Peer& peer = view.peers[0];
    const Ask ask = DrawAsk();
    if (!Excludes(view, ask, ObstacleOf(view, peer))) continue;
    view.now_ns += static_cast<std::int64_t>(
        random_.Uniform() *
        static_cast<double>(LookAgainAt(view, ask, ObstacleOf(view, peer)) - view.now_ns));
    if (!IsAbove(peer, ask, view.now_ns)) continue;
    later += view.now_ns > kNow ? 1 : 0;
    ASSERT_TRUE(Excludes(view, ask, ObstacleOf(view, peer))) << "view " << i;
  }
  EXPECT_GT(later, 2000);
}

}  // namespace
}  // namespace mortar::policy
