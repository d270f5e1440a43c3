#include "policy/rule.h"

#include <algorithm>
#include <bit>

namespace mortar::policy {
namespace {

constexpr std::int64_t kNever = INT64_MAX / 4;
constexpr std::int64_t kBoundShareOfRoom = 24;  // chosen: tried from 2 to 64
constexpr std::int64_t kSoonNs = 2'000;         // chosen: where something is due at any moment
constexpr std::int64_t kPollShare =
    8;  // chosen: or after this share of the silence so far, if that is longer

}  // namespace

const char* ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNobodyAbove:
      return "nobody above";
    case Reason::kShared:
      return "shared";
    case Reason::kFits:
      return "fits";
    case Reason::kInFlight:
      return "in flight";
    case Reason::kEqualsTurn:
      return "equal's turn";
    case Reason::kHolderBusy:
      return "holder busy";
    case Reason::kNoGap:
      return "no gap";
    case Reason::kBetterPlaced:
      return "better placed waits";
    case Reason::kWithheld:
      return "withheld";
    case Reason::kBeside:
      return "beside kernels";
    case Reason::kExclusive:
      return "exclusive";
    case Reason::kOff:
      return "off";
    case Reason::kFloor:
      return "floor";
    case Reason::kFloorYields:
      return "floor yields";
  }
  return "unknown";
}

std::int64_t ActiveUntil(const Peer& peer, bool long_kernel) {
  const std::int64_t idle_after = long_kernel ? 2 * peer.idle_after_ns : peer.idle_after_ns;
  const std::int64_t heard = std::max(peer.last_activity_ns, peer.busy_until_ns) + idle_after;
  return std::min(heard, peer.last_activity_ns + kStandstillNs);
}

bool AnyAbove(const View& view, const Ask& ask) {
  for (int i = 0; i < view.count; ++i) {
    if (IsAbove(view.peers[static_cast<std::size_t>(i)], ask, view.now_ns)) return true;
  }
  return false;
}

std::int64_t EarliestStart(const View& view, const Ask& ask) {
  const std::int64_t own = RunsBesideLong(ask, view.now_ns) ? ask.beside_until_ns : ask.own_until_ns;
  return std::max({view.now_ns + ask.lead_ns, view.fill_until_ns, own});
}

std::int64_t Cost(const Settings& settings, std::int64_t length_ns) {
  const std::int64_t switches = settings.mode == model::DeviceMode::kSliced ? 2 * settings.switch_cost_ns : 0;
  return length_ns + switches + settings.margin_ns;
}

std::int64_t BusyUntil(const Peer& peer, std::int64_t now_ns) {
  return peer.doing == Doing::kWaiting ? std::max(peer.busy_until_ns, now_ns) : peer.busy_until_ns;
}

std::int64_t Limit(const Peer& peer, std::int64_t now_ns, bool slack, bool again) {
  if (peer.next_submit_ns == 0) return 0;
  const bool has_slack = slack && peer.latest_free_ns != 0;
  const std::int64_t limit = has_slack ? peer.latest_free_ns : peer.next_submit_ns;
  if (peer.doing == Doing::kWaiting) {
    // Its kernel outlasts the prediction: everything after it moves along.
    return limit + std::max<std::int64_t>(0, now_ns - peer.busy_until_ns);
  }
  if (now_ns < peer.next_submit_ns) return limit;
  // The gap outlived its prediction.
  if (!again || peer.foretold_gap_ns == 0) return has_slack ? limit : 0;
  const std::int64_t began = std::max(peer.busy_until_ns, peer.last_activity_ns);
  const std::int64_t next = began + peer.foretold_gap_ns;
  return std::max(limit + (next - peer.next_submit_ns), std::int64_t{0});
}

std::int64_t LookAgain(std::int64_t since_ns, std::int64_t now_ns) {
  return now_ns + std::max(kSoonNs, (now_ns - since_ns) / kPollShare);
}

namespace {

// When something that is foretold of `peer` comes due: its work ends, it submits again, or it is to be looked
// at again because its kernel takes longer than foreseen.
std::int64_t DueAt(const Peer& peer, std::int64_t now_ns) {
  const std::int64_t busy = BusyUntil(peer, now_ns);
  std::int64_t due = kNever;
  if (busy > now_ns) due = busy;
  if (peer.doing == Doing::kWaiting && busy <= now_ns) due = LookAgain(peer.busy_until_ns, now_ns);
  return peer.next_submit_ns > now_ns ? std::min(due, peer.next_submit_ns) : due;
}

// Where nothing is foretold: after a share of the silence so far.
std::int64_t PollAt(std::int64_t last_heard_ns, std::int64_t now_ns) {
  return now_ns + std::max(kPollNs, (now_ns - last_heard_ns) / kPollShare);
}

// Contexts that take turns do not queue behind each other: a fill starts when it is submitted.
bool MustWait(const View& view, const Peer& peer) {
  if (view.settings.mode != model::DeviceMode::kSliced) return false;
  return peer.doing == Doing::kWaiting || peer.busy_until_ns > view.now_ns;
}

// Since when what the asker has in flight may have been running. Behind a kernel of somebody above that takes
// longer than foreseen it does not run yet, however long ago it was to have ended.
std::int64_t RunsSince(const View& view, const Ask& ask) {
  std::int64_t since = view.now_ns;
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (peer.doing == Doing::kWaiting && IsAbove(peer, ask, view.now_ns))
      since = std::min(since, peer.busy_until_ns);
  }
  return since;
}

}  // namespace

std::int64_t FillBound(const View& view, std::int64_t room_ns) {
  return std::max(view.settings.in_flight_bound_ns,
                  std::min(view.allowed_in_flight_ns, room_ns / kBoundShareOfRoom));
}

std::int64_t WithinBoundAt(const View& view, const Ask& ask, std::int64_t bound_ns) {
  const std::int64_t since = RunsSince(view, ask);
  const bool beside = since == view.now_ns && RunsBesideLong(ask, since);
  if (beside && (ask.length_ns == 0 || ask.length_ns > bound_ns)) return ask.long_until_ns;
  const std::int64_t room = ask.length_ns > 0 ? std::max<std::int64_t>(0, bound_ns - ask.length_ns) : 0;
  const std::int64_t at = (beside ? ask.beside_until_ns : ask.own_until_ns) - room;
  // Where it does not run yet, nobody knows when it will have.
  return since == view.now_ns ? at : std::max(at, LookAgain(since, view.now_ns));
}

bool WithinBound(const View& view, const Ask& ask, std::int64_t bound_ns) {
  const std::int64_t since = RunsSince(view, ask);
  const bool beside = since == view.now_ns && RunsBesideLong(ask, since);
  const std::int64_t until = beside ? ask.beside_until_ns : ask.own_until_ns;
  const std::int64_t in_flight = std::max<std::int64_t>(0, until - since);
  if (in_flight == 0 && !beside) return true;
  if (ask.length_ns <= 0) return false;
  if (in_flight + ask.length_ns <= bound_ns) return true;
  const bool follows = !beside && since == view.now_ns && ask.long_until_ns > since;
  return follows && until - ask.long_until_ns + ask.length_ns <= view.settings.in_flight_bound_ns;
}

Chance FindChance(const View& view, const Ask& ask, bool slack, bool again) {
  Chance chance;
  chance.start_ns = EarliestStart(view, ask);
  chance.limit_ns = kNever;
  std::int64_t next_event = kNever;
  std::int64_t last_heard = 0;
  bool withheld = false;
  bool must_wait = false;
  std::int64_t clear = 0;  // before that, a submit could overtake one of theirs on the way to the device
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (!IsAbove(peer, ask, view.now_ns)) continue;
    chance.start_ns = std::max(chance.start_ns, BusyUntil(peer, view.now_ns));
    must_wait |= MustWait(view, peer);
    chance.limit_ns = std::min(chance.limit_ns, Limit(peer, view.now_ns, slack, again));
    clear = std::max(clear, peer.arrived_ns - ask.lead_ns);
    next_event = std::min(next_event, DueAt(peer, view.now_ns));
    last_heard = std::max(last_heard, peer.last_activity_ns);
    withheld |= peer.withheld;
  }
  chance.end_ns = chance.start_ns + Length(ask);
  const bool overtakes = clear > view.now_ns;
  if (overtakes) next_event = clear;
  chance.fits = !withheld && !must_wait && !overtakes &&
                chance.start_ns + Cost(view.settings, Length(ask)) <= chance.limit_ns;
  chance.reason = withheld ? Reason::kWithheld : chance.fits ? Reason::kFits : Reason::kNoGap;
  chance.wake_at_ns = next_event == kNever ? PollAt(last_heard, view.now_ns) : next_event;
  return chance;
}

Obstacle ObstacleOf(const View& view, const Peer& peer) {
  const std::int64_t now = view.now_ns;
  const std::int64_t due = DueAt(peer, now);
  const bool gated = peer.doing == Doing::kGated;
  return {.priority = peer.priority,
          .closed = peer.withheld || MustWait(view, peer),
          .active_until_ns = gated ? 0 : ActiveUntil(peer),
          .active_until_long_ns = gated ? 0 : ActiveUntil(peer, /*long_kernel=*/true),
          .arrived_ns = peer.arrived_ns,
          .busy_until_ns = BusyUntil(peer, now),
          .limit_ns = Limit(peer, now, /*slack=*/true, /*again=*/true),
          .look_again_ns = due == kNever ? PollAt(peer.last_activity_ns, now) : due};
}

bool Excludes(const View& view, const Ask& ask, const Obstacle& peer) {
  const std::int64_t now = view.now_ns;
  if (peer.priority >= ask.priority) return false;
  if (now >= (IsLong(ask) ? peer.active_until_long_ns : peer.active_until_ns)) return false;
  if (peer.closed || peer.arrived_ns - ask.lead_ns > now) return true;
  const std::int64_t start = std::max({now + ask.lead_ns, view.fill_until_ns, peer.busy_until_ns});
  return start + Cost(view.settings, Length(ask)) > peer.limit_ns;
}

std::int64_t LookAgainAt(const View& view, const Ask& ask, const Obstacle& peer) {
  const std::int64_t arrives = peer.arrived_ns - ask.lead_ns;
  return arrives > view.now_ns ? arrives : peer.look_again_ns;
}

bool RunsBeside(const View& view, const Ask& ask) {
  // Most are kernels; and to count bits is a call where the processor may lack the instruction.
  if (ask.copies == 0 || !std::has_single_bit(ask.copies)) return false;
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (IsAbove(peer, ask, view.now_ns) && (peer.copies & ask.copies) != 0) return false;
  }
  return true;
}

bool BetterPlacedWaits(const View& view, const Ask& ask, const Chance& chance) {
  const std::int64_t mine = Length(ask);
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (peer.doing != Doing::kGated || peer.pending_length_ns <= 0) continue;
    if (peer.wake_at_ns + kOverdueNs < view.now_ns) continue;
    const std::int64_t start = std::max(chance.start_ns, peer.wake_at_ns);
    if (start + Cost(view.settings, peer.pending_length_ns) > chance.limit_ns) continue;
    if (peer.priority < ask.priority) return true;
    if (peer.priority == ask.priority && peer.pending_length_ns > mine) return true;
  }
  return false;
}

bool EqualsTurn(const View& view, const Ask& ask, std::int64_t quantum_ns, std::int64_t* wake_at_ns,
                std::uint64_t* forgiven_ns) {
  if (ask.waiting_since_ns != 0 && view.now_ns - ask.waiting_since_ns > kLongestTurnNs) return false;
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (peer.priority != ask.priority || !IsActive(peer, view.now_ns)) continue;
    const bool waits = peer.doing == Doing::kGated && peer.wake_at_ns + kOverdueNs >= view.now_ns;
    const bool on_device = peer.busy_until_ns > view.now_ns;
    if (!waits && !on_device) continue;
    if (ask.served_ns <= peer.served_ns + static_cast<std::uint64_t>(quantum_ns)) continue;
    const std::uint64_t ahead = ask.served_ns - peer.served_ns;
    if (ahead > kLargestDebtNs) continue;
    const auto owed = static_cast<std::uint64_t>(kMostTurnsOwed * quantum_ns);
    *forgiven_ns = ahead > owed ? ahead - owed : 0;
    *wake_at_ns = std::clamp(peer.busy_until_ns, view.now_ns + kPollNs, view.now_ns + quantum_ns);
    return true;
  }
  return false;
}

}  // namespace mortar::policy
