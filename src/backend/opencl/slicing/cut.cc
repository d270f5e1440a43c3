#include "backend/opencl/slicing/cut.h"

#include <algorithm>

namespace mortar::slicing {
namespace {

// Chosen: work-groups that drivers form by themselves are powers of two, up to 256 in the first dimension of
// most devices and 16 in the others.
constexpr std::array<std::size_t, 3> kOwnUnits = {256, 16, 16};
// Chosen: as many pieces as are worth having; the slowest dimension that allows them is cut, since its
// neighbours are far apart in memory.
constexpr std::size_t kEnoughUnits = 64;
// Chosen: what a device of 32 address bits takes as well. A larger range is the driver's to refuse, whole.
constexpr std::size_t kMostItems = std::size_t{1} << 31;

bool IsPlain(const Range& range) {
  if (range.dimensions < 1 || range.dimensions > 3) return false;
  for (unsigned i = 0; i < range.dimensions; ++i) {
    if (range.global[i] == 0 || range.global[i] > kMostItems || range.offset[i] > kMostItems) return false;
    if (range.offset[i] + range.global[i] > kMostItems) return false;
    if (range.has_local && (range.local[i] == 0 || range.local[i] > range.global[i])) return false;
  }
  return true;
}

}  // namespace

Cutting FindCutting(const Range& range, Safety safety) {
  Cutting best;
  if (safety == Safety::kNever || !IsPlain(range)) return best;
  if (safety == Safety::kWithLocalSize && !range.has_local) return best;
  for (unsigned axis = range.dimensions; axis-- > 0;) {
    Cutting cutting{axis, range.has_local ? range.local[axis] : kOwnUnits[axis], 0, false};
    cutting.units = range.global[axis] / cutting.unit;
    cutting.ragged = range.global[axis] % cutting.unit != 0;
    if (cutting.units > best.units && best.units < kEnoughUnits) best = cutting;
  }
  return best;
}

Range PieceOf(const Range& range, const Cutting& cutting, std::size_t first, std::size_t count) {
  Range piece = range;
  const unsigned axis = cutting.axis;
  const std::size_t begin = first * cutting.unit;
  const bool is_last = first + count == cutting.units;
  piece.offset[axis] = range.offset[axis] + begin;
  piece.global[axis] = is_last ? range.global[axis] - begin : count * cutting.unit;
  return piece;
}

}  // namespace mortar::slicing
