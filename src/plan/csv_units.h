// Finds values of a profile that must be in another unit than the rest: seconds among milliseconds,
// milliwatts among watts.
//
// Pure. A unit slip is a factor of 1000; what separates it from real behaviour is that single steps of one
// knob change time and power by far less. Not a judge of plausibility otherwise.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "plan/table.h"

namespace mortar::plan {

inline constexpr double kMostWatts =
    20'000;  // chosen: no single accelerator draws that; 20 W in milliwatts does

struct MixedUnit {
  std::size_t series;
  std::size_t cell;
  std::string what;  // names value, neighbours and the likely unit
};

std::optional<MixedUnit> FindMixedUnits(const Table& table);

}  // namespace mortar::plan
