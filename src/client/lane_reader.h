// Copying one lane of the board: what policies decide from. Lock-free, allocation-free: on a filler's submit
// path.
#pragma once

#include <cstdint>

#include "board/layout.h"
#include "board/sequence_lock.h"
#include "policy/lanes.h"

namespace mortar::client {

// An instant from the board: 0 where absent or more than board::kFarAheadNs ahead.
inline std::int64_t CheckedInstant(std::int64_t ns, std::int64_t now_ns) {
  return ns > 0 && ns < now_ns + board::kFarAheadNs ? ns : 0;
}

// False: it is being written, or its writer died half-way. Pairs with LaneWriter.
template <typename Memory>
inline bool CopyLane(const board::BasicLane<Memory>& lane, std::int64_t now, std::uint32_t* flags,
                     policy::LaneNews* copy, int tries = 3) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return board::SequenceRead<Memory>(lane.sequence, tries, [&] {
    *flags = lane.flags.load(kRelaxed);
    copy->busy_until_ns = CheckedInstant(lane.busy_until_ns.load(kRelaxed), now);
    copy->next_submit_ns = CheckedInstant(lane.next_submit_ns.load(kRelaxed), now);
    copy->latest_free_ns = CheckedInstant(lane.latest_free_ns.load(kRelaxed), now);
    copy->arrived_ns = CheckedInstant(lane.arrived_ns.load(kRelaxed), now);
    copy->last_activity_ns = CheckedInstant(lane.last_activity_ns.load(kRelaxed), now);
    copy->pending_length_ns = lane.pending_length_ns.load(kRelaxed);
    copy->wake_at_ns = CheckedInstant(lane.wake_at_ns.load(kRelaxed), now);
  });
}

}  // namespace mortar::client
