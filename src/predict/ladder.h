// How long a silence will last, given how long it has lasted already: what fillers read once a gap has
// outlived its prediction. Gaps are told apart by class (how long a gap was foretold there, with or without a
// wait before it).
//
// One owner writes; Length is what goes onto the board, in microseconds, for others to read. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "base/histogram.h"

namespace mortar::predict {

class GapLadders {
 public:
  static constexpr int kClasses = 16;
  static constexpr int kRungs = 16;
  static constexpr std::int64_t kFirstRungNs = 16'384;  // rung r: gaps that lasted kFirstRungNs << r

  // Class of a place at which a gap of `foretold_ns` is expected: a factor of eight each, waits apart.
  static std::uint8_t ClassOf(std::int64_t foretold_ns, bool after_wait);
  // The rung for a silence of `lasted_ns`; -1: shorter than the first.
  static int RungOf(std::int64_t lasted_ns);

  // Returns true if the class's lengths were worked out anew: often at first, rarely later.
  bool Add(std::uint8_t gap_class, std::int64_t gap_ns);
  std::uint32_t length_us(std::uint8_t gap_class, int rung) const {
    return lengths_us_[gap_class][static_cast<std::size_t>(rung)];
  }
  // p99 of all gaps within 5…50 ms (design): for how long after its last sign of life a client counts as
  // active.
  std::int64_t idle_after_ns() const { return idle_after_ns_; }

 private:
  std::array<base::Histogram, kClasses> gaps_;
  std::array<std::array<std::uint32_t, kRungs>, kClasses> lengths_us_{};
  std::array<std::uint32_t, kClasses> added_{};
  base::Histogram all_;
  std::uint32_t all_added_ = 0;
  std::int64_t idle_after_ns_ = 5'000'000;
};

}  // namespace mortar::predict
