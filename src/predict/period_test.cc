#include "predict/period.h"

#include <gtest/gtest.h>

#include <string_view>

namespace mortar::predict {
namespace {

void Push(PeriodFinder& finder, std::string_view text, int times) {
  for (int i = 0; i < times; ++i) {
    for (const char c : text) finder.Push(static_cast<std::uint64_t>(c));
  }
}

TEST(PeriodFinderTest, FindsTheShortestRepeat) {
  PeriodFinder finder;
  Push(finder, "ABCDE", 3);
  EXPECT_EQ(finder.Search(1), 5U);
}

TEST(PeriodFinderTest, OneSymbolRepeatedHasPeriodOne) {
  PeriodFinder finder;
  Push(finder, "A", 10);
  EXPECT_EQ(finder.Search(1), 1U);
}

TEST(PeriodFinderTest, LayersInsideAnIterationAreSkippedByTheLowerBound) {
  PeriodFinder finder;
  Push(finder, "ABABABABCD", 3);
  EXPECT_EQ(finder.Search(1), 10U);  // the tail "CD" refutes "AB"
  Push(finder, "ABABABAB", 1);
  EXPECT_EQ(finder.Search(1), 2U);   // inside the layers the short one holds…
  EXPECT_EQ(finder.Search(7), 10U);  // …and a caller that saw it fail asks for more
}

TEST(PeriodFinderTest, NoRepeatNoPeriod) {
  PeriodFinder finder;
  for (std::uint64_t i = 0; i < 1000; ++i) finder.Push(i * i + 1);
  EXPECT_EQ(finder.Search(1), 0U);
}

TEST(PeriodFinderTest, TwoWholePeriodsAreNeeded) {
  PeriodFinder finder;
  Push(finder, "ABCDEFGH", 1);
  Push(finder, "ABCDEFG", 1);
  EXPECT_EQ(finder.Search(1), 0U);
}

TEST(PeriodFinderTest, LongPeriodsAreFoundPastTheHistorysWrap) {
  PeriodFinder finder;
  for (std::uint64_t i = 0; i < 40'000; ++i) finder.Push(i % 3000);
  EXPECT_EQ(finder.Search(1), 3000U);
}

}  // namespace
}  // namespace mortar::predict
