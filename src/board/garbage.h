// For tests alone: what a member of the group writes onto a board who means no good, or whose program is
// broken.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "board/board.h"

namespace mortar::board {

// Writes what numbers a random hand would: small, large, negative, all bits set.
inline std::uint64_t Garbage(base::Random& random) {
  switch (random.Next() % 5) {
    case 0:
      return random.Next() % 16;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return std::uint64_t{1} << (random.Next() % 64);
    default:
      return random.Next();
  }
}

inline void Spoil(Slot& slot, base::Random& random) {
  for (auto* word : {&slot.priority, &slot.max_slowdown_ppm, &slot.weight_permille, &slot.flags,
                     &slot.min_share_ppm, &slot.allowed_in_flight_us})
    word->store(static_cast<std::uint32_t>(Garbage(random)));
  slot.idle_after_ns.store(static_cast<std::int64_t>(Garbage(random)));
  slot.memory_limit.store(Garbage(random));
  auto* sums = reinterpret_cast<Atomic<std::uint64_t>*>(&slot.counters);
  for (std::size_t i = 0; i < sizeof slot.counters / sizeof *sums; ++i) sums[i].store(Garbage(random));
  for (auto& ladder : slot.ladders)
    ladder.length_us[random.Next() % kRungs].store(static_cast<std::uint32_t>(Garbage(random)));
  Lane& lane = slot.lanes[random.Next() % kLanes];
  lane.flags.store(static_cast<std::uint32_t>(Garbage(random)));
  for (auto* instant : {&lane.busy_until_ns, &lane.next_submit_ns, &lane.latest_free_ns,
                        &lane.last_activity_ns, &lane.pending_length_ns, &lane.wake_at_ns})
    instant->store(static_cast<std::int64_t>(Garbage(random)));
}

// Settings of the whole board.
inline void Spoil(Header& header, base::Random& random) {
  header.policy.store(static_cast<std::uint32_t>(Garbage(random)));
  header.device_mode.store(static_cast<std::uint32_t>(Garbage(random)));
  header.off.store(random.Next() % 4 == 0 ? 1 : 0);
  for (auto* cost : {&header.switch_cost_ns, &header.in_flight_bound_ns, &header.margin_ns})
    cost->store(static_cast<std::int64_t>(Garbage(random)));
  header.fill_until.store(Garbage(random));
}

}  // namespace mortar::board
