// One client's lanes, merged into the one Peer that policies decide from.
//
// A lane is what one submitting thread lets others know. The live runtime copies lanes from the board, the
// simulator takes them from its own clients; both merge them here. Pure functions of plain values.
#pragma once

#include <cstdint>

#include "policy/view.h"

namespace mortar::policy {

// What one lane says, checked: an instant too far ahead counts as absent (0).
struct LaneNews {
  Doing doing = Doing::kRunning;
  bool withheld = false;
  bool spent = false;
  std::uint8_t ladder = 0;
  model::Copies copies = 0;
  std::int64_t busy_until_ns = 0;
  std::int64_t next_submit_ns = 0;
  std::int64_t latest_free_ns = 0;
  std::int64_t arrived_ns = 0;
  std::int64_t last_activity_ns = 0;
  std::int64_t pending_length_ns = 0;
  std::int64_t wake_at_ns = 0;
};

// False: nothing was heard of it for kStandstillNs, and it does not wait at the gate. Then it does not count.
inline bool Counts(const LaneNews& lane, std::int64_t now_ns) {
  return lane.last_activity_ns + kStandstillNs >= now_ns || lane.wake_at_ns + kOverdueNs > now_ns;
}

// How long nothing has been heard of it, if its gap outlived the prediction and is to be foretold again; else
// -1.
std::int64_t OutlivedFor(const LaneNews& lane, std::int64_t now_ns);

// Adds a lane to its client. `first`: it is the first that counts. `foretold_ns`: the whole gap, foretold
// from the lane's ladder where OutlivedFor says how long it lasted; 0 where there is no such experience.
// `again`: a silent lane among several counts with that; not under a policy that foretells once.
// Several lanes count as one: busy until the last is done, next submit the first of any, slack only where
// every lane has it.
void MergeLane(const LaneNews& lane, std::int64_t foretold_ns, bool first, bool again, Peer* peer);

// The length assumed of a kernel that was never timed: short enough to be tried now and then, shorter the
// longer it has been held, so that it is tried in the end and then known.
std::int64_t AssumedLength(std::int64_t held_ns);

// Until when a claim counts: 0 where it is past, or further ahead than a claim may be. What is on the device
// of a client that died, or bytes that never were a claim, must not stop others for long (principle 4).
inline std::int64_t CheckedClaim(std::int64_t until_ns, std::int64_t now_ns) {
  return until_ns > now_ns && until_ns <= now_ns + kStandstillNs ? until_ns : 0;
}

}  // namespace mortar::policy
