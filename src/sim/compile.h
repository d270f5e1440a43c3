// From a recording to a program that the simulator can repeat.
//
// A request is a profiler step, or the whole recording where it has none. A lap begins on an idle device and
// ends when all that it submitted is done: where the recording does not wait for that, a wait is added at the
// end of the lap's last request, and at the end of every request where requests have arrival times (whoever
// asks gets an answer). What lies between requests and after the last one is not repeated. Pure; any thread.
#pragma once

#include "base/result.h"
#include "sim/program.h"
#include "trace/recording.h"

namespace mortar::sim {

struct CompileOptions {
  bool learns = false;  // earlier requests for learning, later ones for judging, where there are two
  bool drain_requests = false;
  bool blocking = false;          // every launch waits for itself
  bool median_latencies = false;  // launch latencies and short pauses at the recording's medians
  Ns split_ns = 0;                // kernels and copies longer than this are cut; 0: whole
  Ns split_cost_ns = 0;           // device time that each piece costs on top
};

// Errors: kInvalid where there is nothing to repeat.
base::Result<ProgramPtr> Compile(const trace::Recording& recording, const CompileOptions& options);

// How a replay of the whole recording, alone on the device, compares with the recording itself.
struct ReplayReport {
  Ns span_ns = 0, replayed_span_ns = 0;
  double span_error = 0;  // replayed over recorded, minus 1
  Ns gap_p50_ns = 0, gap_p90_ns = 0;
  Ns replayed_gap_p50_ns = 0, replayed_gap_p90_ns = 0;
};
base::Result<ReplayReport> Replay(const trace::Recording& recording, bool median_latencies = false);

}  // namespace mortar::sim
