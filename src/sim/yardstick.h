// The yardsticks' perfect knowledge: where a filler's operation can start so that nothing the holder waits
// for moves.
//
// Built from what the holder did alone (Schedule); plays its operations forward against what was granted, on
// one engine. `slack` false: no operation of the holder may move at all (oracle-gap). Where contexts take
// turns, the way there and back counts, once for operations with nothing of the holder's between them.
// Greedy, so not an upper bound: an operation takes the first place that it fits. One owner.
#pragma once

#include <memory>
#include <vector>

#include "sim/run.h"

namespace mortar::sim {

class Yardstick {
 public:
  // `switch_ns`: from one context to the other.
  Yardstick(std::shared_ptr<const Schedule> holder, bool slack, Ns switch_ns = 0);

  // The earliest start, not before `earliest`, of an operation of `duration`; it is then taken.
  // *directly: nothing of the holder's runs between it and what was granted before it.
  Ns Grant(std::uint32_t engine, Ns earliest, Ns duration, bool* directly);

 private:
  struct EngineState {
    std::size_t next = 0;  // the holder's next operation
    Ns cursor = 0;         // the device is busy until then with what has been played
    Ns granted = 0;
    std::vector<Ns> stream_end;  // by stream of the holder
  };
  void PlayNext(EngineState& engine, const std::vector<ScheduledOp>& ops) const;

  std::shared_ptr<const Schedule> holder_;
  bool slack_;
  Ns switch_ns_;
  std::vector<EngineState> engines_;
};

// Collects a Schedule while a client runs alone, and works out how late each operation could start.
class ScheduleKeeper {
 public:
  ScheduleKeeper(std::uint32_t engines, std::uint32_t streams) : order_(engines), by_stream_(streams) {}

  // Operation `ordinal` of `stream` (counted from 0 over the whole run) started.
  void OnStart(std::uint32_t engine, std::uint32_t stream, const Op& op, Ns ready, Ns start);
  // `count` operations of `stream` had to be done by `deadline`, or a wait would have returned later.
  void OnDeadline(std::uint32_t stream, std::uint64_t count, Ns deadline);
  // Operation `after` waits, on the device, for the first `count` of `stream`.
  void OnDependency(std::uint32_t after_stream, std::uint64_t after_ordinal, std::uint32_t stream,
                    std::uint64_t count);
  void OnWaitReturn(Ns at) { waits_.push_back(at); }
  std::shared_ptr<Schedule> Finish();

 private:
  struct Kept {
    ScheduledOp op;
    std::uint32_t engine = 0;
    bool fixed = false;  // must not be late at all
    Ns latest_end = INT64_MAX / 4;
  };
  struct Link {
    std::uint32_t after_stream = 0;
    std::uint64_t after_ordinal = 0;
    std::uint32_t stream = 0;
    std::uint64_t count = 0;
  };
  std::vector<Kept> kept_;                             // in order of start
  std::vector<std::vector<std::uint32_t>> order_;      // by engine
  std::vector<std::vector<std::uint32_t>> by_stream_;  // into kept_
  struct Deadline {
    std::uint32_t stream = 0;
    std::uint64_t count = 0;
    Ns at = 0;
  };
  std::vector<Deadline> deadlines_;
  std::vector<Link> links_;
  std::vector<Ns> waits_;
};

}  // namespace mortar::sim
