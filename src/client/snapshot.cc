#include "client/snapshot.h"

#include <algorithm>
#include <bit>

#include "board/fill_word.h"
#include "board/view.h"
#include "client/lane_reader.h"
#include "policy/policy.h"

namespace mortar::client {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// The whole gap, foretold again for a lane whose gap outlived its prediction; 0: no such experience.
std::int64_t Foretold(const board::Slot& slot, const policy::LaneNews& lane, std::int64_t now) {
  const std::int64_t lasted = policy::OutlivedFor(lane, now);
  if (lasted < board::kFirstRungNs) return 0;
  const auto octaves = std::bit_width(static_cast<std::uint64_t>(lasted / board::kFirstRungNs));
  const auto rung = std::min<std::size_t>(static_cast<std::size_t>(octaves) - 1, board::kRungs - 1);
  const std::size_t ladder = lane.ladder % board::kLadders;
  const std::int64_t length = std::int64_t{slot.ladders[ladder].length_us[rung].load(kRelaxed)} * 1000;
  return length < board::kFarAheadNs ? length : 0;
}

// What the lane says, copied once and checked. False: it says nothing now.
bool ReadLane(const board::Lane& line, std::int64_t now, policy::LaneNews* lane) {
  std::uint32_t flags = 0;
  if (!CopyLane(line, now, &flags, lane)) return false;
  const std::uint32_t state = flags & board::kLaneStateMask;
  if (state == board::kLaneUnused) return false;
  lane->doing = state == board::kLaneGated     ? policy::Doing::kGated
                : state == board::kLaneWaiting ? policy::Doing::kWaiting
                                               : policy::Doing::kRunning;
  lane->withheld = (flags & board::kLaneWithheld) != 0;
  lane->spent = (flags & board::kLaneSpent) != 0;
  lane->copies = static_cast<model::Copies>(flags >> board::kLaneCopiesShift & model::kAnyCopies);
  lane->ladder = static_cast<std::uint8_t>(flags >> board::kLaneLadderShift);
  if (lane->pending_length_ns >= board::kFarAheadNs) lane->pending_length_ns = 0;
  return policy::Counts(*lane, now);
}

}  // namespace

Watch ReadWatch(const board::Board& board, int own, int priority) {
  const board::Header& header = board.header();
  Watch watch;
  watch.version =
      header.version.load(std::memory_order_acquire);  // pairs with Bump: what it announces is visible
  const board::Settings read = board::ReadSettings(header);
  watch.settings.policy = read.policy;
  watch.settings.mode = read.mode;
  watch.settings.off = read.off;
  watch.settings.switch_cost_ns = read.switch_cost_ns;
  watch.settings.in_flight_bound_ns = read.in_flight_bound_ns;
  watch.settings.margin_ns = read.margin_ns;
  watch.others = header.active.load(kRelaxed) & ~(std::uint64_t{1} << own);
  for (std::uint64_t left = watch.others; left != 0; left &= left - 1) {
    const board::Slot& slot = board.slot(std::countr_zero(left));
    if (static_cast<int>(slot.priority.load(kRelaxed)) <= priority) watch.rivals = true;
  }
  return watch;
}

void TakeSnapshot(const board::Board& board, const Watch& watch, int own, int priority, std::int64_t now_ns,
                  policy::View* view, std::uint64_t* fill_word) {
  // Ask for all first lanes at once: each is likely in another core's cache.
  for (std::uint64_t left = watch.others; left != 0; left &= left - 1) {
    __builtin_prefetch(&board.slot(std::countr_zero(left)).lanes[0]);
  }
  *fill_word = board.header().fill_until.load(std::memory_order_acquire);
  const board::FillWord fill = board::UnpackFill(*fill_word);
  view->now_ns = now_ns;
  view->settings = watch.settings;
  view->fill_until_ns = fill.slot != own ? policy::CheckedClaim(fill.until_ns, now_ns) : 0;
  view->count = 0;
  std::int64_t allowed = INT64_MAX;
  const bool again = !policy::UsesOfflineMeans(watch.settings.policy);
  for (std::uint64_t left = watch.others; left != 0; left &= left - 1) {
    const int index = std::countr_zero(left);
    const board::Slot& slot = board.slot(index);
    if (slot.state.load(kRelaxed) != board::kActive) continue;
    policy::Peer& peer = view->peers[static_cast<std::size_t>(view->count)];
    peer = policy::Peer{};
    peer.slot = index;
    peer.priority =
        static_cast<int>(std::min<std::uint32_t>(slot.priority.load(kRelaxed), model::kLowestPriority));
    if (peer.priority < priority)
      allowed = std::min(allowed, std::int64_t{slot.allowed_in_flight_us.load(kRelaxed)} * 1000);
    peer.idle_after_ns =
        std::clamp<std::int64_t>(slot.idle_after_ns.load(kRelaxed), 1'000'000, policy::kIdleAfterAtMostNs);
    bool first = true;
    for (std::uint32_t lanes = slot.lanes_used.load(kRelaxed) & 0xff; lanes != 0; lanes &= lanes - 1) {
      policy::LaneNews lane;
      if (!ReadLane(slot.lanes[std::countr_zero(lanes)], now_ns, &lane)) continue;
      policy::MergeLane(lane, Foretold(slot, lane, now_ns), first, again, &peer);
      first = false;
    }
    if (first) continue;
    if (peer.priority == priority) peer.served_ns = slot.counters.served_ns.load(kRelaxed);
    ++view->count;
  }
  view->allowed_in_flight_ns = allowed == INT64_MAX ? 0 : std::min(allowed, policy::kMostInFlightNs);
}

}  // namespace mortar::client
