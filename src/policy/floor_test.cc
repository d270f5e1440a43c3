// The account behind --min-share; where a floor fill may go stands in the table of policy_test.cc.
#include "policy/floor.h"

#include <gtest/gtest.h>

namespace mortar::policy {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kNow = 1'000'000 * kMs;
constexpr std::uint32_t kTenPercent = 100'000;

TEST(FloorTest, EachFillIsTheWholeShareOfItsStep) {
  // 10 ms are 10 % of 100 ms, and 2 % of 500 ms.
  EXPECT_EQ(FloorDueAfter(kNow, kNow, 10 * kMs, kTenPercent, true), kNow + 100 * kMs);
  EXPECT_EQ(FloorDueAfter(kNow, kNow, 10 * kMs, 20'000, true), kNow + 500 * kMs);
  // It was late: the next is due as if it had not been.
  EXPECT_EQ(FloorDueAfter(kNow - 30 * kMs, kNow, 10 * kMs, kTenPercent, true), kNow + 70 * kMs);
}

TEST(FloorTest, WhatIsOwedNeverGrowsBeyondAWindow) {
  const std::int64_t long_ago = kNow - 3'600'000 * kMs;
  EXPECT_EQ(FloorDueAfter(long_ago, kNow, 10 * kMs, kTenPercent, true), kNow - kFloorWindowNs + 100 * kMs);
  EXPECT_EQ(FloorDueOnArrival(long_ago, kNow - kMs, kNow), kNow - kFloorWindowNs);
}

TEST(FloorTest, AbsenceIsForgiven) {
  EXPECT_EQ(FloorDueOnArrival(kNow - 500 * kMs, kNow - 101 * kMs, kNow), kNow) << "nothing was saved up";
  EXPECT_EQ(FloorDueOnArrival(kNow - 500 * kMs, kNow - 100 * kMs, kNow), kNow - 500 * kMs);
  EXPECT_EQ(FloorDueOnArrival(kNow + 500 * kMs, 0, kNow), kNow + 500 * kMs);
}

TEST(FloorTest, WhatItHadOtherwiseCountsForAWindowAtMost) {
  // An hour of the device to itself; then a holder comes, and the floor is kept again within a second.
  std::int64_t due = kNow;
  std::int64_t now = kNow;
  for (int i = 0; i < 360'000; ++i, now += 10 * kMs)
    due = FloorDueAfter(due, now, 10 * kMs, kTenPercent, false);
  EXPECT_GT(due, now);
  EXPECT_LE(due, now + kFloorWindowNs);
  // A floor fill longer than a window's share is charged in full.
  EXPECT_EQ(FloorDueAfter(kNow, kNow, 300 * kMs, kTenPercent, true), kNow + 3'000 * kMs);
}

TEST(FloorTest, NonsenseHealsByItself) {
  for (const std::uint32_t share : {0U, 1U, 1'000'000U, UINT32_MAX}) {
    for (const std::int64_t length : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
      for (const std::int64_t due : {INT64_MIN / 2, std::int64_t{0}, INT64_MAX / 2}) {
        const std::int64_t after = FloorDueAfter(due, kNow, length, share, true);
        EXPECT_GE(after, kNow - kFloorWindowNs);
        EXPECT_LE(after, kNow + 200'000 * kMs);
      }
    }
  }
}

TEST(FloorTest, RoomIsForgottenByHalves) {
  RoomSeen seen;
  seen.Add(800, kNow);
  seen.Add(100, kNow + kMs);
  EXPECT_EQ(seen.room_ns, 800);
  seen.Add(100, kNow + kFloorWindowNs + 1);
  EXPECT_EQ(seen.room_ns, 400);
}

// A greedy client of 10 ms kernels at every moment that is due, over 60 s: its share is the floor.
TEST(FloorTest, SharesComeOutAsAsked) {
  for (const std::uint32_t share : {10'000U, 50'000U, 100'000U, 400'000U}) {
    std::int64_t due = kNow;
    std::int64_t had = 0;
    for (std::int64_t now = kNow; now < kNow + 60'000 * kMs; now += kMs) {
      due = FloorDueOnArrival(due, now - kMs, now);
      if (now < due) continue;
      due = FloorDueAfter(due, now, 10 * kMs, share, true);
      had += 10 * kMs;
      now += 9 * kMs;
    }
    EXPECT_NEAR(static_cast<double>(had) / 60e9, share / 1e6, 0.002);
  }
}

}  // namespace
}  // namespace mortar::policy
