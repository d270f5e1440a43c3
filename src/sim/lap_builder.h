// Builds one lap of a program from a stretch of a recording. Internal to src/sim.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "sim/compile.h"
#include "sim/timing.h"

namespace mortar::sim {

// Which part of a recording: calls that begin in [from, to), and the requests in it.
struct Stretch {
  Ns from_ns = 0;
  Ns to_ns = 0;
  trace::Index first_request = 0;
  trace::Index request_count = 0;  // 0: all of it is one request
  bool with_callless = false;      // operations without a call come at their recorded instants
};

class LapBuilder {
 public:
  LapBuilder(const trace::Recording& recording, const CompileOptions& options,
             const std::vector<OpTiming>& timing, Program* program);
  Lap Build(const Stretch& stretch);
  // By call of the recording: the pool of its think time.
  void set_pools(std::vector<std::uint16_t> pools) { pools_ = std::move(pools); }

 private:
  struct Mark {
    Ns at = 0;
    StepKind kind = StepKind::kBegin;
    bool drains = false;
  };
  void PlaceOps(const Stretch& stretch, Lap* lap);
  void PlaceOp(trace::Index op, Lap* lap);
  void AddThread(const Stretch& stretch, trace::Index thread, const std::vector<Mark>& marks, Lap* lap);
  void AddCall(const trace::HostCall& call, Ns before, Lap* lap, std::vector<Step>* steps);
  void AddLaunches(const trace::HostCall& call, Step step, Lap* lap, std::vector<Step>* steps);
  void AddWait(const trace::HostCall& call, Step* step, Lap* lap);
  void AddCallless(const Stretch& stretch, Lap* lap);
  trace::Index MarkingThread(const Stretch& stretch) const;
  bool SameThread(const trace::HostCall& call, trace::Index other) const;
  std::uint32_t LaunchOf(const trace::HostCall& call, std::uint32_t pieces);
  std::uint32_t PiecesOf(trace::Index op) const;
  std::vector<Mark> Marks(const Stretch& stretch) const;
  std::uint32_t TokenOf(trace::Index call, Lap* lap);

  const trace::Recording& r_;
  CompileOptions options_;
  const std::vector<OpTiming>& timing_;
  Program* program_;
  std::unordered_map<std::uint64_t, std::uint32_t> launches_;  // identity to Program::launches
  std::vector<std::uint32_t> first_op_;    // by operation of the recording: into Lap::ops; kNone: not in it
  std::vector<std::uint32_t> ordinal_;     // by operation: of its last piece, in its stream
  std::vector<std::uint32_t> ordinals_;    // by stream: how many so far
  std::vector<std::uint32_t> token_;       // by call; kNone: nobody asks
  std::vector<bool> in_lap_;               // by call
  std::vector<std::uint16_t> pools_;       // by call
  std::vector<trace::Index> thread_of_;    // by call
  std::vector<std::uint32_t> op_ordinal_;  // by operation of the lap, in its stream
};

}  // namespace mortar::sim
