#include "policy/floor.h"

#include <algorithm>

#include "policy/rule.h"

namespace mortar::policy {
namespace {

constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kLongestLengthNs =
    10'000'000'000;  // chosen: a kernel said to take longer is not believed
constexpr std::int64_t kLongestStepNs = 100'000'000'000;  // chosen: a wrong length heals within 100 s
constexpr std::int64_t kGoodRoomShare = 2;  // chosen: half the largest room seen is a good place

// How long `length_ns` of device time is the whole share of.
std::int64_t StepOf(std::int64_t length_ns, std::uint32_t share_ppm) {
  const std::int64_t length = std::clamp<std::int64_t>(length_ns, 0, kLongestLengthNs);
  const std::int64_t share = std::clamp<std::int64_t>(share_ppm, 1, kMillion);
  return std::min(length * kMillion / share, kLongestStepNs);
}

bool Yields(const View& view, const Ask& ask) {
  if (ask.floor_first) return false;
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (peer.spent && IsAbove(peer, ask, view.now_ns)) return true;
  }
  return false;
}

// Has the device nothing of those above, and does none of them wait for it?
bool DeviceIsTheirs(const View& view, const Ask& ask) {
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (!IsAbove(peer, ask, view.now_ns)) continue;
    if (peer.doing == Doing::kWaiting || peer.busy_until_ns > view.now_ns) return true;
  }
  return false;
}

bool WellPlaced(const View& view, const Ask& ask, std::int64_t room_ns) {
  const bool theirs = DeviceIsTheirs(view, ask);
  // Contexts that take turns do not queue behind each other: a fill starts when it is submitted.
  if (view.settings.mode == model::DeviceMode::kSliced && theirs) return false;
  if (ask.floor_room_ns > 0) return kGoodRoomShare * room_ns >= ask.floor_room_ns;
  return !theirs;  // nothing is foretold: where the device idles, after a wait of theirs
}

Verdict Look(Reason reason, const Verdict& refused, std::int64_t at_ns) {
  return {Action::kWait, reason, 0, std::min(refused.wake_at_ns, at_ns)};
}

}  // namespace

std::int64_t FloorDueOnArrival(std::int64_t due_ns, std::int64_t seen_ns, std::int64_t now_ns) {
  const bool rested = now_ns - seen_ns > kStandstillNs;
  return std::max(due_ns, rested ? now_ns : now_ns - kFloorWindowNs);
}

std::int64_t FloorDueAfter(std::int64_t due_ns, std::int64_t now_ns, std::int64_t length_ns,
                           std::uint32_t share_ppm, bool floor) {
  const std::int64_t before = std::clamp(due_ns, now_ns - kFloorWindowNs, now_ns + kLongestStepNs);
  const std::int64_t after = before + StepOf(length_ns, share_ppm);
  return floor ? after : std::min(after, std::max(before, now_ns + kFloorWindowNs));
}

std::int64_t RoomOf(const View& view, const Ask& ask) {
  const Chance chance = FindChance(view, ask, /*slack=*/true, /*again=*/true);
  return std::max<std::int64_t>(0, chance.limit_ns - chance.start_ns);
}

void RoomSeen::Add(std::int64_t room, std::int64_t now_ns) {
  if (now_ns - at_ns > kFloorWindowNs) {
    room_ns /= 2;
    at_ns = now_ns;
  }
  room_ns = std::max(room_ns, room);
}

Verdict OrFloor(const View& view, const Ask& ask, const Verdict& refused) {
  if (ask.floor_share_ppm == 0) return refused;
  const std::int64_t now = view.now_ns;
  if (now < ask.floor_due_ns) return Look(refused.reason, refused, ask.floor_due_ns);
  if (Yields(view, ask)) return {Action::kWait, Reason::kFloorYields, 0, refused.wake_at_ns};
  const Chance chance = FindChance(view, ask, /*slack=*/true, /*again=*/true);
  const bool overdue = now > ask.floor_due_ns + kFloorWindowNs;
  if (chance.reason == Reason::kWithheld && !(ask.floor_first && overdue)) return refused;
  if (const std::int64_t bound = view.settings.in_flight_bound_ns; !WithinBound(view, ask, bound))
    return Look(Reason::kInFlight, refused, WithinBoundAt(view, ask, bound));
  const std::int64_t patience = std::min(kFloorPatienceNs, StepOf(Length(ask), ask.floor_share_ppm) / 2);
  const std::int64_t until = std::max(ask.floor_due_ns, ask.waiting_since_ns) + patience;
  if (now < until) {
    // Two fills in a row would hurt one request twice.
    if (view.fill_until_ns > now) return Look(refused.reason, refused, std::min(view.fill_until_ns, until));
    const std::int64_t room = std::max<std::int64_t>(0, chance.limit_ns - chance.start_ns);
    if (!WellPlaced(view, ask, room))
      return Look(refused.reason, refused, std::min(chance.wake_at_ns, until));
  }
  return {Action::kFill, Reason::kFloor, chance.end_ns, 0};
}

}  // namespace mortar::policy
