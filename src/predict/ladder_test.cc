#include "predict/ladder.h"

#include <gtest/gtest.h>

namespace mortar::predict {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(GapLaddersTest, IdleAfterIsTheP99OfGapsWithin5To50Ms) {
  GapLadders usual;
  for (int i = 0; i < 512; ++i) usual.Add(0, i % 50 == 0 ? 20 * kMs : kMs);  // 2 % are long
  EXPECT_NEAR(static_cast<double>(usual.idle_after_ns()), 20e6, 2e6);        // buckets of 9 %
  GapLadders rare;
  for (int i = 0; i < 512; ++i) rare.Add(0, i % 256 == 0 ? 20 * kMs : 7 * kMs);  // 0.4 %
  EXPECT_NEAR(static_cast<double>(rare.idle_after_ns()), 7e6, 0.7e6);
  GapLadders brief;
  for (int i = 0; i < 512; ++i) brief.Add(0, kMs / 10);
  EXPECT_EQ(brief.idle_after_ns(), 5 * kMs);
  // One gap in 240 is a pause between requests: the p99 of all sees nothing of it.
  GapLadders between;
  for (int i = 0; i < 8192; ++i) between.Add(0, i % 240 == 0 ? 12 * kMs : kMs / 10);
  EXPECT_NEAR(static_cast<double>(between.idle_after_ns()), 12e6, 1.2e6);
  GapLadders slow;
  for (int i = 0; i < 512; ++i) slow.Add(0, 400 * kMs);
  EXPECT_EQ(slow.idle_after_ns(), 50 * kMs);
}

// Gaps of 40 us and of 8 ms in one class: one that has lasted 1 ms is one of the long ones.
TEST(GapLaddersTest, LengthIsThatOfTheGapsWhichLastedAsLong) {
  GapLadders ladders;
  for (int i = 0; i < 512; ++i) ladders.Add(3, i % 4 == 0 ? 8 * kMs : 40'000);
  EXPECT_NEAR(ladders.length_us(3, GapLadders::RungOf(20'000)), 40, 4);
  EXPECT_NEAR(ladders.length_us(3, GapLadders::RungOf(kMs)), 8000, 800);
  EXPECT_EQ(ladders.length_us(3, GapLadders::RungOf(20 * kMs)), 0U) << "none lasted so long";
}

TEST(GapLaddersTest, ClassesTellWaitsAndOctavesApart) {
  EXPECT_NE(GapLadders::ClassOf(100'000, true), GapLadders::ClassOf(100'000, false));
  EXPECT_NE(GapLadders::ClassOf(100'000, true), GapLadders::ClassOf(8 * 100'000, true));
  EXPECT_EQ(GapLadders::ClassOf(100'000, true), GapLadders::ClassOf(120'000, true));
  EXPECT_LT(GapLadders::ClassOf(INT64_MAX, true), GapLadders::kClasses);
  EXPECT_EQ(GapLadders::RungOf(10'000), -1);
  EXPECT_EQ(GapLadders::RungOf(GapLadders::kFirstRungNs), 0);
  EXPECT_EQ(GapLadders::RungOf(INT64_MAX), GapLadders::kRungs - 1);
}

}  // namespace
}  // namespace mortar::predict
