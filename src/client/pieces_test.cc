// Sizes of pieces, from what pieces took.
#include "client/pieces.h"

#include <gtest/gtest.h>

#include <functional>

namespace mortar::client {
namespace {

TEST(PiecesTest, UnitsWithinALimit) {
  EXPECT_EQ(UnitsWithin(150'000, 64, 10'000'000), 0U + 1);  // 0.96: at least one
  EXPECT_EQ(UnitsWithin(150'000, 1024, 10'000'000), 15U);
  EXPECT_EQ(UnitsWithin(150'000, 10, 50'000), 30U);
  EXPECT_EQ(UnitsWithin(INT64_MAX, SIZE_MAX, 1), std::size_t{1} << 31);
  EXPECT_EQ(UnitsWithin(1000, 5, 0), 5000U);
}

// 640 units of 10 us each; pieces of 100 us are wanted.
TEST(PiecesTest, SizesFollowWhatIsKnown) {
  const std::function<std::int64_t(std::size_t)> unknown = [](std::size_t) { return 0; };
  const std::function<std::int64_t(std::size_t)> known = [](std::size_t n) {
    return static_cast<std::int64_t>(n) * 10'000;
  };
  PieceSize size;
  EXPECT_EQ(ChoosePiece(&size, 640, 100'000, unknown), 10U) << "a 64th of it";
  EXPECT_EQ(ChoosePiece(&size, 640, 100'000, known), 10U);
  size.units = 40;  // four times too long
  EXPECT_EQ(ChoosePiece(&size, 640, 100'000, known), 10U);
  size.units = 5;  // half as long
  EXPECT_EQ(ChoosePiece(&size, 640, 100'000, known), 10U);
  size.units = 8;  // near enough
  EXPECT_EQ(ChoosePiece(&size, 640, 100'000, known), 8U);
  EXPECT_EQ(ChoosePiece(&size, 5, 100'000, known), 5U) << "shorter than a piece: whole";
  EXPECT_EQ(ChoosePiece(nullptr, 640, 100'000, known), 640U);
  // Only the whole was ever timed.
  PieceSize fresh;
  const std::function<std::int64_t(std::size_t)> whole = [](std::size_t n) {
    return n == 640 ? 6'400'000 : 0;
  };
  EXPECT_EQ(ChoosePiece(&fresh, 640, 100'000, whole), 10U);
  EXPECT_EQ(ChoosePiece(&fresh, 640, 10'000'000, whole), 640U) << "short enough";
}

TEST(PiecesTest, SizesAreKeptByIdentityAndTheirTableIsFinite) {
  PieceSize* one = FindPieceSize(4711);
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(FindPieceSize(4711), one);
  EXPECT_NE(FindPieceSize(4712), one);
  bool full = false;
  for (model::KernelId id = 1; id < 40; ++id) full |= FindPieceSize(id * 1024) == nullptr;
  EXPECT_TRUE(full);
}

}  // namespace
}  // namespace mortar::client
