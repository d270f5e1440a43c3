// Are the iterations that a client finds in its own stream of submits, unmarked, those of the recording?
#pragma once

#include <cstdint>

#include "trace/recording.h"

namespace mortar::sim {

struct FoundRequests {
  std::uint64_t requests = 0;  // profiler steps that were judged; 0 where there are fewer than three
  std::uint64_t right = 0;     // in which the found period began exactly once
};
// Shows the submits and waits of the recording's busiest thread to the live prediction, steps only, over and
// over, and judges the later passes. A period may begin anywhere in a step.
FoundRequests FindRequests(const trace::Recording& recording);

}  // namespace mortar::sim
