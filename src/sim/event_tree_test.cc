#include "sim/event_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace mortar::sim {
namespace {

TEST(EventTreeTest, EarliestIsOnTopAndTiesGoByActor) {
  base::Random random(1);
  for (const std::uint32_t actors : {1U, 2U, 3U, 19U, 64U, 100U}) {
    EventTree tree(actors);
    std::vector<Ns> at(actors, EventTree::kNever);
    for (int i = 0; i < 5000; ++i) {
      const auto actor = static_cast<std::uint32_t>(random.Next() % actors);
      at[actor] = random.Next() % 8 == 0 ? EventTree::kNever : static_cast<Ns>(random.Next() % 16);
      tree.Set(actor, at[actor]);
      const auto first = std::min_element(at.begin(), at.end());
      ASSERT_EQ(tree.top(), static_cast<std::uint32_t>(first - at.begin()));
      ASSERT_EQ(tree.top_at(), *first);
    }
  }
}

TEST(EventTreeTest, ClearedActorHasNoTurnUnlessItIsSetAgain) {
  EventTree tree(3);
  tree.Set(1, 10);
  tree.Set(2, 20);
  tree.Clear(1);
  EXPECT_EQ(tree.at(1), EventTree::kNever);
  tree.Settle(1);
  EXPECT_EQ(tree.top(), 2U);
  tree.Clear(2);
  tree.Set(2, 30);
  tree.Settle(2);
  EXPECT_EQ(tree.top_at(), 30);
}

TEST(EventTreeTest, FarInstantsKeepTheirOrder) {
  EventTree tree(1000);
  constexpr Ns kDays = 100LL * 86'400 * 1'000'000'000;
  tree.Set(7, kDays + 1);
  tree.Set(900, kDays);
  EXPECT_EQ(tree.top(), 900U);
  EXPECT_EQ(tree.top_at(), kDays);
}

}  // namespace
}  // namespace mortar::sim
