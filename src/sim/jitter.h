// How much think times vary, measured in a recording: ratios of each to the median at the same position.
//
// A position is a call of one identity after another, at the same place in its request where the recording
// has several requests. Where a position was seen fewer than 200 times its ratios are pooled with those of
// think times of the same magnitude (a factor of eight); where that is still fewer, with all, without the
// uppermost and the lowest hundredth (a ratio taken where think times are short says little where they are
// long). Think times up to 2 us are left as they are. Internal to src/sim.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/program.h"
#include "trace/recording.h"

namespace mortar::sim {

inline constexpr Ns kJitteredAboveNs = 2'000;
inline constexpr std::size_t kPoolAtLeast = 200;
inline constexpr std::uint16_t kNoPool = UINT16_MAX;

struct Jitter {
  std::vector<std::vector<float>> pools;
  std::vector<std::uint16_t> by_call;  // kNoPool: left as it is
};
Jitter MeasureJitter(const trace::Recording& recording);

}  // namespace mortar::sim
