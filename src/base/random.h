// Small seeded generator (SplitMix64). One owner at a time; the same seed gives the same sequence everywhere.
#pragma once

#include <cstdint>

#include "base/hash.h"

namespace mortar::base {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15ULL); }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // [0, 1)

 private:
  std::uint64_t state_;
};

}  // namespace mortar::base
