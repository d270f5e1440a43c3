#include "backend/opencl/slicing/cut.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace mortar::slicing {
namespace {

Range MakeRange(unsigned dimensions, std::array<std::size_t, 3> global,
                std::array<std::size_t, 3> local = {0, 0, 0}, std::array<std::size_t, 3> offset = {0, 0, 0}) {
  Range range{dimensions, offset, global, local, local[0] != 0};
  for (unsigned i = dimensions; i < 3; ++i) range.global[i] = range.local[i] = 1;
  return range;
}

using Item = std::tuple<std::size_t, std::size_t, std::size_t>;

void Collect(const Range& range, std::multiset<Item>* items) {
  for (std::size_t x = 0; x < range.global[0]; ++x) {
    for (std::size_t y = 0; y < range.global[1]; ++y) {
      for (std::size_t z = 0; z < range.global[2]; ++z) {
        items->insert({range.offset[0] + x, range.offset[1] + y, range.offset[2] + z});
      }
    }
  }
}

TEST(CutTest, PiecesCoverEveryItemOnce) {
  const Range ranges[] = {
      MakeRange(1, {1000, 1, 1}, {16, 1, 1}),
      MakeRange(1, {4096, 1, 1}),
      MakeRange(1, {4099, 1, 1}, {0, 0, 0}, {17, 0, 0}),
      MakeRange(2, {12, 130, 1}, {4, 2, 1}, {3, 5, 0}),
      MakeRange(2, {300, 7, 1}, {3, 2, 1}),
      MakeRange(3, {6, 6, 75}, {2, 3, 4}, {1, 2, 3}),
      MakeRange(3, {5, 40, 3}, {5, 4, 3}),
  };
  for (const Range& range : ranges) {
    const Cutting cutting = FindCutting(range, Safety::kAlways);
    ASSERT_GE(cutting.units, 2U);
    std::multiset<Item> whole;
    Collect(range, &whole);
    for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{3}, cutting.units}) {
      std::multiset<Item> pieces;
      for (std::size_t at = 0; at < cutting.units; at += count) {
        const Range piece = PieceOf(range, cutting, at, std::min(count, cutting.units - at));
        // Work-groups stay where they were.
        EXPECT_EQ((piece.offset[cutting.axis] - range.offset[cutting.axis]) % cutting.unit, 0U);
        EXPECT_GE(piece.global[cutting.axis], cutting.unit);
        Collect(piece, &pieces);
      }
      EXPECT_EQ(pieces, whole);
    }
  }
}

TEST(CutTest, OnlyTheLastPieceIsRagged) {
  const Range range = MakeRange(1, {1000, 1, 1}, {16, 1, 1});
  const Cutting cutting = FindCutting(range, Safety::kWithLocalSize);
  EXPECT_EQ(cutting.units, 62U);  // 1000 = 62 * 16 + 8
  EXPECT_TRUE(cutting.ragged);
  EXPECT_EQ(PieceOf(range, cutting, 0, 61).global[0], 61U * 16);
  EXPECT_EQ(PieceOf(range, cutting, 61, 1).global[0], 24U);
  EXPECT_FALSE(FindCutting(MakeRange(1, {992, 1, 1}, {16, 1, 1}), Safety::kAlways).ragged);
}

TEST(CutTest, TheSlowestDimensionWithEnoughUnitsIsCut) {
  EXPECT_EQ(FindCutting(MakeRange(3, {640, 640, 640}, {8, 8, 8}), Safety::kAlways).axis, 2U);
  EXPECT_EQ(FindCutting(MakeRange(3, {640, 640, 16}, {8, 8, 8}), Safety::kAlways).axis, 1U);
  EXPECT_EQ(FindCutting(MakeRange(3, {640, 16, 16}, {8, 8, 8}), Safety::kAlways).axis, 0U);
  EXPECT_EQ(FindCutting(MakeRange(2, {160, 240, 1}, {8, 8, 1}), Safety::kAlways).axis, 1U);
}

TEST(CutTest, WhatIsNotToBeCut) {
  const Range good = MakeRange(1, {1024, 1, 1}, {64, 1, 1});
  EXPECT_EQ(FindCutting(good, Safety::kWithLocalSize).units, 16U);
  EXPECT_EQ(FindCutting(good, Safety::kNever).units, 0U);
  EXPECT_EQ(FindCutting(MakeRange(1, {1024, 1, 1}), Safety::kWithLocalSize).units, 0U);
  EXPECT_LT(FindCutting(MakeRange(1, {64, 1, 1}, {64, 1, 1}), Safety::kAlways).units, 2U);
  EXPECT_LT(FindCutting(MakeRange(1, {511, 1, 1}), Safety::kAlways).units, 2U);
  // The driver's to refuse, or to make nothing of.
  EXPECT_EQ(FindCutting(MakeRange(1, {0, 1, 1}), Safety::kAlways).units, 0U);
  EXPECT_EQ(FindCutting(MakeRange(1, {1024, 1, 1}, {2048, 1, 1}), Safety::kAlways).units, 0U);
  EXPECT_EQ(FindCutting(MakeRange(1, {1024, 1, 1}, {64, 1, 1}, {SIZE_MAX - 3, 0, 0}), Safety::kAlways).units,
            0U);
  EXPECT_EQ(FindCutting(MakeRange(1, {SIZE_MAX, 1, 1}, {64, 1, 1}), Safety::kAlways).units, 0U);
  Range none = good;
  none.dimensions = 0;
  EXPECT_EQ(FindCutting(none, Safety::kAlways).units, 0U);
  none = MakeRange(2, {1024, 8, 1}, {64, 0, 1});
  EXPECT_EQ(FindCutting(none, Safety::kAlways).units, 0U);
}

}  // namespace
}  // namespace mortar::slicing
