// `--min-share`: a floor under a filler's share of device time, kept where no gap or slack fits.
//
// A floor is kept by one instant, `due`: when the client may next start a floor fill. Every submit moves it
// on by (device time taken) / (share), so that fills that found a gap count towards the floor; time alone
// heals it. What was missed counts for one window at most, and nothing is saved up while there is nothing to
// submit. Pure: no clock, no state of its own; the caller keeps `due` (client/session.h, sim/world.h).
#pragma once

#include <cstdint>

#include "policy/view.h"

namespace mortar::policy {

inline constexpr std::int64_t kFloorWindowNs =
    1'000'000'000;  // chosen: the share is kept over about a second
// Chosen: so long a floor fill looks for a good place, but never longer than half the time between two.
inline constexpr std::int64_t kFloorPatienceNs = 50'000'000;

// `due` when a submit comes at `now_ns`, and nothing was heard of the client, nor on the device of it, since
// `seen_ns`: after a rest (kStandstillNs) nothing is owed to it.
std::int64_t FloorDueOnArrival(std::int64_t due_ns, std::int64_t seen_ns, std::int64_t now_ns);

// `due` after a submit of `length_ns`. REQUIRES: share_ppm > 0. `floor`: it went as a floor fill. Any other
// makes the client wait for a window at most: what it had while nobody minded is not held against it for
// long.
std::int64_t FloorDueAfter(std::int64_t due_ns, std::int64_t now_ns, std::int64_t length_ns,
                           std::uint32_t share_ppm, bool floor);

// How much of a gap or slack those above offer from the earliest start on; 0: none is foretold.
std::int64_t RoomOf(const View& view, const Ask& ask);

// The largest room seen lately, by which a good place is told; halves every second. One thread's.
struct RoomSeen {
  std::int64_t room_ns = 0;
  std::int64_t at_ns = 0;
  void Add(std::int64_t room_ns, std::int64_t now_ns);
};

// REQUIRES: `refused` is a policy's kWait. The same, or a floor fill in its place (Reason::kFloor), where one
// is due and well placed, and those above allow further harm, or are not asked (floor_first). A client above
// that takes a control request is left alone by all, but for a floor_first overdue by a window.
Verdict OrFloor(const View& view, const Ask& ask, const Verdict& refused);

}  // namespace mortar::policy
