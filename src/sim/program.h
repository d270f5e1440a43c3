// A program as the simulator runs it: what its host threads do lap by lap, and what that puts on a device.
//
// Compiled from a recording (compile.h) or written down in tests. Plain data; once made nobody changes it,
// and any number of runs on any threads may share it. A lap is what is repeated: a few requests, or a whole
// recording; it begins on an idle device and ends when all it submitted is done.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/kernel_id.h"

namespace mortar::sim {

using Ns = std::int64_t;
inline constexpr std::uint32_t kNone = UINT32_MAX;
// Chosen: a longer pause before an operation is not the device's; others may go in between.
inline constexpr Ns kLongPauseNs = 20'000;

// Parts of a device that work side by side; each runs one operation at a time, but see Op::overlaps.
using model::Engine;
using model::kEngines;

// The first `ordinal` + 1 operations of a stream in this lap.
struct Until {
  std::uint32_t stream = 0;
  std::uint32_t ordinal = 0;
};

struct Op {
  Ns duration_ns = 0;
  Ns useful_ns = 0;   // of the duration, what is work and no cost of cutting
  Ns latency_ns = 0;  // from its call to the device
  Ns pause_ns = 0;    // from the end of its stream's operation before it, at least
  std::uint32_t stream = 0;
  std::uint32_t first_dependency = 0;  // into Lap::untils: what must be done first
  std::uint16_t dependencies = 0;
  Engine engine = Engine::kCompute;
  bool overlaps = false;  // ran beside another of the same program when recorded
};

enum class StepKind : std::uint8_t { kCall, kBegin, kEnd };

// One thing a host thread does: think, then a call; or a mark. A call begins `think_ns` after the return of
// `after` (kNone: of the thread's step before) and not before its own thread is there. It submits `ops` as it
// begins and returns after `call_ns`; where it waits, `tail_ns` after all that it waits for, and its own
// beginning.
struct Step {
  StepKind kind = StepKind::kCall;
  bool waits = false;
  bool waits_all = false;        // for everything the program has submitted
  bool jittered = false;         // think_ns is multiplied by a draw
  std::uint16_t pool = 0;        // into Program::pools
  std::uint32_t first_op = 0;    // into Lap::ops
  std::uint32_t op_count = 0;    // one launch, however many: a graph
  std::uint32_t launch = kNone;  // into Program::launches
  std::uint32_t first_until = 0, until_count = 0;
  std::uint32_t after = kNone;  // a token: returned by a call of another thread
  std::uint32_t token = kNone;  // given at the return of this call
  Ns think_ns = 0;
  Ns call_ns = 0;
  Ns tail_ns = 0;
};

struct Lap {
  std::vector<std::vector<Step>> threads;  // the first one holds the marks
  std::vector<Op> ops;
  std::vector<Until> untils;
  std::uint32_t tokens = 0;
  std::uint32_t requests = 0;
  Ns device_ns = 0;  // sum of Op::useful_ns
  bool empty() const { return threads.empty(); }
};

// What a launch is to the predictor: an identity and what it takes on the device.
struct Launch {
  model::KernelId id = 0;
  std::string name;
  Ns device_ns = 0;  // typical
};

struct StreamInfo {
  std::uint32_t device = 0;
  std::int64_t number = 0;
};

struct Program {
  std::string name;
  std::string source;
  std::vector<Launch> launches;
  std::vector<StreamInfo> streams;
  std::uint32_t devices = 1;
  std::vector<std::vector<float>> pools;  // ratios of think times to their median
  Lap learn;                              // repeated while it is learned; empty: `judge` serves
  Lap judge;                              // repeated while it is judged
  bool repeats_itself = false;            // what is judged was learned: told apart by jitter alone
  double left_out = 0;                    // of the recording's device time, what no call in it submitted
  Ns drain_tail_ns = 5'000;               // return of a wait that was added at the end of a lap
  std::vector<std::string> notes;
};

using ProgramPtr = std::shared_ptr<const Program>;

}  // namespace mortar::sim
