#include "trace/rows.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/random.h"

namespace mortar::trace {
namespace {

std::vector<Slice> Make(const std::vector<std::pair<int, int>>& times) {
  std::vector<Slice> slices;
  for (const auto& [begin, end] : times) slices.push_back({begin, end, 0, 0, 0});
  return slices;
}

TEST(RowsTest, SlicesOneAfterAnotherShareARow) {
  auto slices = Make({{0, 100}, {100, 200}, {300, 400}});
  EXPECT_EQ(PlaceInRows(slices.begin(), slices.end(), 0), 0u);
  for (const Slice& slice : slices) EXPECT_EQ(slice.row, 0);
  // What touches is drawn with a seam, so that rounding cannot make it overlap.
  EXPECT_EQ(slices[0].drawn_end_ns, 100 - kSeamNs);
  EXPECT_EQ(slices[1].drawn_end_ns, 200);
  EXPECT_EQ(slices[0].end_ns, 100);
}

TEST(RowsTest, OverlapGoesToARowOfItsOwn) {
  auto slices = Make({{0, 100}, {50, 150}, {100, 200}, {160, 170}});
  PlaceInRows(slices.begin(), slices.end(), 0);
  EXPECT_EQ(slices[1].row, 1);
  EXPECT_EQ(slices[2].row, 0);
  EXPECT_EQ(slices[3].row, 1);
}

TEST(RowsTest, OverlapWithinTheToleranceIsDrawnLater) {
  auto slices = Make({{0, 100}, {90, 150}, {139, 149}});
  PlaceInRows(slices.begin(), slices.end(), 10);
  EXPECT_EQ(slices[1].row, 0);
  EXPECT_EQ(slices[1].drawn_begin_ns, 100);
  EXPECT_EQ(slices[1].begin_ns, 90);
  EXPECT_EQ(slices[2].row, 1);  // 11 before the row is free
}

TEST(RowsTest, SliceInsideTheToleranceKeepsItsPlaceInAnotherRow) {
  auto slices = Make({{0, 100}, {95, 99}});  // nothing of it would be left
  PlaceInRows(slices.begin(), slices.end(), 10);
  EXPECT_EQ(slices[1].row, 1);
  EXPECT_EQ(slices[1].drawn_begin_ns, 95);
}

TEST(RowsTest, BeyondTheRowsNothingIsDrawn) {
  std::vector<std::pair<int, int>> times(kMostRows + 3, {0, 10});
  auto slices = Make(times);
  EXPECT_EQ(PlaceInRows(slices.begin(), slices.end(), 0), 3u);
  EXPECT_EQ(slices.back().row, -1);
}

TEST(RowsTest, RandomSlicesNeverOverlapInARow) {
  base::Random random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<int, int>> times;
    int begin = 0;
    for (int i = 0; i < 60; ++i) {
      begin += static_cast<int>(random.Next() % 8);
      times.emplace_back(begin, begin + static_cast<int>(random.Next() % 30));
    }
    auto slices = Make(times);
    PlaceInRows(slices.begin(), slices.end(), static_cast<std::int64_t>(random.Next() % 5));
    std::int64_t free_at[kMostRows] = {};
    for (const Slice& slice : slices) {
      if (slice.row < 0) continue;
      EXPECT_GE(slice.drawn_begin_ns, free_at[slice.row]);
      EXPECT_GE(slice.drawn_end_ns, slice.drawn_begin_ns);
      EXPECT_LE(slice.drawn_end_ns, slice.end_ns);
      free_at[slice.row] = slice.drawn_end_ns;
    }
  }
}

}  // namespace
}  // namespace mortar::trace
