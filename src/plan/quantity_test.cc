#include "plan/quantity.h"

#include <gtest/gtest.h>

namespace mortar::plan {
namespace {

TEST(QuantityTest, UnitsAreNeeded) {
  EXPECT_DOUBLE_EQ(*ParseMilliseconds("100ms"), 100);
  EXPECT_DOUBLE_EQ(*ParseMilliseconds("1.5s"), 1500);
  EXPECT_DOUBLE_EQ(*ParseMilliseconds("250us"), 0.25);
  EXPECT_DOUBLE_EQ(*ParseWatts("900mW"), 0.9);
  EXPECT_DOUBLE_EQ(*ParseWatts("30W"), 30);
  for (const char* bad : {"100", "", "ms", "-3ms", "0ms", "nanms", "1e400ms", "30 W", "3ms4"}) {
    EXPECT_FALSE(ParseMilliseconds(bad)) << bad;
  }
  EXPECT_FALSE(ParseWatts("30"));
  EXPECT_FALSE(ParseWatts("30ms"));
}

}  // namespace
}  // namespace mortar::plan
