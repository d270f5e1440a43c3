#include "client/memory.h"

#include <gtest/gtest.h>

namespace mortar::client {
namespace {

TEST(MemoryLedgerTest, EachEntryIsTakenOnce) {
  MemoryLedger ledger;
  ledger.Put(1, {nullptr, 10, nullptr});
  ledger.Put(2, {nullptr, 20, nullptr});
  const auto taken = ledger.Take(1);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->bytes, 10U);
  EXPECT_FALSE(ledger.Take(1).has_value());
  EXPECT_FALSE(ledger.Take(3).has_value());
  EXPECT_EQ(ledger.Take(2)->bytes, 20U);
}

TEST(MemoryLedgerTest, AnOwnerTakesItsOwnAlong) {
  MemoryLedger ledger;
  const int one = 0;
  const int two = 0;
  ledger.Put(1, {nullptr, 10, &one});
  ledger.Put(2, {nullptr, 20, &two});
  ledger.Put(3, {nullptr, 30, &one});
  EXPECT_EQ(ledger.TakeAllOf(&one).size(), 2U);
  EXPECT_TRUE(ledger.TakeAllOf(&one).empty());
  EXPECT_TRUE(ledger.Take(2).has_value());
}

TEST(MemoryUseTest, LeftIsNeverLessThanNothing) {
  EXPECT_EQ((MemoryUse{10, 30}.left()), 20U);
  EXPECT_EQ((MemoryUse{30, 10}.left()), 0U);
}

// Without a device nothing is counted and nothing refused.
TEST(MemoryUseTest, WithoutADeviceEverythingPasses) {
  EXPECT_TRUE(TakeMemory(nullptr, UINT64_MAX));
  GiveMemoryBack(nullptr, UINT64_MAX);
  AddMemory(nullptr, 1);
}

}  // namespace
}  // namespace mortar::client
