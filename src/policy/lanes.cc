#include "policy/lanes.h"

#include <algorithm>

namespace mortar::policy {
namespace {

constexpr std::int64_t kAssumedNs = 200'000;  // chosen: the in-flight bound
constexpr std::int64_t kAssumedLeastNs = 20'000;
constexpr std::int64_t kHalveEveryNs = 50'000'000;

// What is foretold of one lane once its gap has outlived the first prediction.
struct Foretold {
  std::int64_t next_submit_ns;
  std::int64_t latest_free_ns;
};

Foretold Again(std::int64_t next_submit, std::int64_t latest_free, std::int64_t began, std::int64_t gap) {
  if (gap == 0) return {next_submit, latest_free};
  const std::int64_t later = began + gap - next_submit;
  return {began + gap, latest_free != 0 ? latest_free + later : 0};
}

}  // namespace

std::int64_t OutlivedFor(const LaneNews& lane, std::int64_t now_ns) {
  if (lane.doing != Doing::kRunning || lane.next_submit_ns == 0 || now_ns < lane.next_submit_ns) return -1;
  return now_ns - std::max(lane.busy_until_ns, lane.last_activity_ns);
}

void MergeLane(const LaneNews& lane, std::int64_t foretold_ns, bool first, bool again, Peer* peer) {
  const bool gated = lane.doing == Doing::kGated;
  const std::int64_t peer_began = std::max(peer->busy_until_ns, peer->last_activity_ns);
  peer->busy_until_ns = std::max(peer->busy_until_ns, lane.busy_until_ns);
  peer->arrived_ns = std::max(peer->arrived_ns, lane.arrived_ns);
  peer->last_activity_ns = std::max(peer->last_activity_ns, lane.last_activity_ns);
  peer->withheld |= lane.withheld;
  peer->copies |= lane.copies;
  peer->spent |= lane.spent;
  if (gated && lane.pending_length_ns > peer->pending_length_ns) {
    peer->pending_length_ns = lane.pending_length_ns;
    peer->wake_at_ns = lane.wake_at_ns;
  }
  if (gated && !first) return;
  if (first || peer->doing == Doing::kGated) {
    peer->doing = lane.doing;
    peer->next_submit_ns = lane.next_submit_ns;
    peer->latest_free_ns = lane.latest_free_ns;
    peer->foretold_gap_ns = foretold_ns;
    return;
  }
  if (lane.doing == Doing::kRunning) peer->doing = lane.doing;
  const Foretold one =
      Again(peer->next_submit_ns, peer->latest_free_ns, peer_began, again ? peer->foretold_gap_ns : 0);
  const Foretold other = Again(lane.next_submit_ns, lane.latest_free_ns,
                               std::max(lane.busy_until_ns, lane.last_activity_ns), again ? foretold_ns : 0);
  peer->next_submit_ns = std::min(one.next_submit_ns, other.next_submit_ns);
  peer->latest_free_ns = std::min(one.latest_free_ns, other.latest_free_ns);
  peer->foretold_gap_ns = 0;
}

std::int64_t AssumedLength(std::int64_t held_ns) {
  const std::int64_t halvings = std::clamp<std::int64_t>(held_ns / kHalveEveryNs, 0, 10);
  return std::max(kAssumedLeastNs, kAssumedNs >> halvings);
}

}  // namespace mortar::policy
