// What belongs to an operation itself, taken from when it ran: launch latency, pause behind its predecessor,
// engine, overlap with others. Internal to src/sim.
#pragma once

#include <vector>

#include "sim/program.h"
#include "trace/recording.h"

namespace mortar::sim {

struct OpTiming {
  Ns latency_ns = 0;
  Ns pause_ns = 0;
  Engine engine = Engine::kCompute;
  bool overlaps = false;
};
// By operation of the recording. `repeated`: for laps that begin on an idle device; what queued up behind
// work from before the recording then comes after a usual latency.
std::vector<OpTiming> MeasureTiming(const trace::Recording& recording, bool median_latencies, bool repeated);

}  // namespace mortar::sim
