// Lays slices out so that none overlaps another in its row: viewers of Chrome traces nest what overlaps, and
// what nests only in part they drop.
//
// Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace mortar::trace {

struct Slice {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  // Where it is drawn: off its true place by at most the tolerance given to PlaceInRows, and by kSeamNs.
  std::int64_t drawn_begin_ns = 0;
  std::int64_t drawn_end_ns = 0;
  int row = 0;  // -1: no row was free, not drawn
};

inline constexpr int kMostRows = 16;  // chosen: more streams of one client than that tell nobody anything
// Viewers read microseconds as floating point, cut to nanoseconds: what touches in truth must not overlap
// there.
inline constexpr std::int64_t kSeamNs = 2;

// Gives each slice of [first, last), ascending by begin, the lowest row that is free. One that begins up to
// `tolerance_ns` before its row is free begins later instead, if something of it is left. Returns how many
// are not drawn.
template <typename Iterator>
std::uint64_t PlaceInRows(Iterator first, Iterator last, std::int64_t tolerance_ns) {
  using Value = typename std::iterator_traits<Iterator>::value_type;
  std::vector<Value*> newest;  // in each row
  std::uint64_t left_out = 0;
  for (; first != last; ++first) {
    Value& slice = *first;
    slice.drawn_begin_ns = slice.begin_ns;
    slice.drawn_end_ns = slice.end_ns;
    std::size_t row = 0;
    for (; row < newest.size(); ++row) {
      const std::int64_t free_at = newest[row]->drawn_end_ns;
      if (free_at <= slice.begin_ns) break;
      if (free_at <= slice.begin_ns + tolerance_ns && free_at < slice.end_ns) break;
    }
    if (row == static_cast<std::size_t>(kMostRows)) {
      slice.row = -1;
      ++left_out;
      continue;
    }
    slice.row = static_cast<int>(row);
    if (row == newest.size()) {
      newest.push_back(&slice);
      continue;
    }
    Value& before = *newest[row];
    slice.drawn_begin_ns = std::max(slice.begin_ns, before.drawn_end_ns);
    if (before.drawn_end_ns > slice.drawn_begin_ns - kSeamNs) {
      before.drawn_end_ns = std::max(before.drawn_begin_ns, slice.drawn_begin_ns - kSeamNs);
    }
    newest[row] = &slice;
  }
  return left_out;
}

}  // namespace mortar::trace
