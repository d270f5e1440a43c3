// Publishing one lane of the board: its owner's only way to write it. One thread at a time. Never reads the
// line: other cores do, and a load from it would wait for it to come back; stores need not.
#pragma once

#include <cstdint>

#include "board/layout.h"
#include "board/sequence_lock.h"
#include "predict/lane.h"

namespace mortar::client {

template <typename Memory>
class BasicLaneWriter {
 public:
  explicit BasicLaneWriter(board::BasicLane<Memory>* lane)
      : lane_(lane), sequence_(lane->sequence.load(kRelaxed) & ~1U) {}

  void Publish(board::LaneState state, std::int64_t now_ns, const predict::Forecast& forecast) {
    const std::uint32_t flags = state | (forecast.withheld ? board::kLaneWithheld : 0U) |
                                (forecast.spent ? board::kLaneSpent : 0U) |
                                (std::uint32_t{forecast.copies} << board::kLaneCopiesShift) |
                                (std::uint32_t{forecast.ladder} << board::kLaneLadderShift);
    flags_ = flags;
    board::BasicLane<Memory>* const lane = lane_;  // no store to it can change this
    const Guard guard(&lane->sequence, &sequence_);
    lane->flags.store(flags, kRelaxed);
    lane->busy_until_ns.store(forecast.busy_until_ns, kRelaxed);
    lane->next_submit_ns.store(forecast.next_submit_ns, kRelaxed);
    lane->latest_free_ns.store(forecast.latest_free_ns, kRelaxed);
    lane->arrived_ns.store(forecast.arrived_ns, kRelaxed);
    lane->last_activity_ns.store(now_ns, kRelaxed);
  }

  // The thread enters a wait: predictions stand.
  void PublishWaiting(std::int64_t now_ns) {
    const Guard guard(&lane_->sequence, &sequence_);
    lane_->flags.store((flags_ & ~board::kLaneStateMask) | board::kLaneWaiting, kRelaxed);
    lane_->last_activity_ns.store(now_ns, kRelaxed);
  }

  // The thread is held: what it waits with, and when it looks again.
  void PublishPending(std::int64_t length_ns, std::int64_t wake_at_ns) {
    const Guard guard(&lane_->sequence, &sequence_);
    lane_->flags.store((flags_ & ~board::kLaneStateMask) | board::kLaneGated, kRelaxed);
    lane_->pending_length_ns.store(length_ns, kRelaxed);
    lane_->wake_at_ns.store(wake_at_ns, kRelaxed);
  }

  void Clear() {
    const Guard guard(&lane_->sequence, &sequence_);
    lane_->flags.store(board::kLaneUnused, kRelaxed);
    for (auto* field : {&lane_->busy_until_ns, &lane_->next_submit_ns, &lane_->latest_free_ns,
                        &lane_->last_activity_ns, &lane_->pending_length_ns, &lane_->wake_at_ns}) {
      field->store(0, kRelaxed);
    }
  }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  using Guard = board::SequenceWrite<Memory>;

  board::BasicLane<Memory>* lane_;
  std::uint32_t sequence_;  // even between writes
  std::uint32_t flags_ = 0;
};

using LaneWriter = BasicLaneWriter<base::MachineMemory>;

}  // namespace mortar::client
