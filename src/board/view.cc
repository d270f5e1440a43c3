#include "board/view.h"

#include <bit>

#include "board/sequence_lock.h"
#include "board/slot_states.h"

namespace mortar::board {
namespace {

// Length of the UTF-8 sequence at the start of `text`, 0 where there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  // Second bytes that would make an overlong form, a surrogate or a value above U+10FFFF.
  const auto second = static_cast<unsigned char>(text[1]);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return length;
}

// An instant as the layout defines it: what lies too far ahead, or before the clock began, is absent.
std::int64_t Instant(const Atomic<std::int64_t>& field, std::int64_t now_ns) {
  const std::int64_t value = field.load(std::memory_order_relaxed);
  return value > 0 && value <= now_ns + kFarAheadNs ? value : 0;
}

std::int64_t Length(const Atomic<std::int64_t>& field) {
  return std::clamp<std::int64_t>(field.load(std::memory_order_relaxed), 0, kFarAheadNs);
}

void ReadCounters(const Counters& from, ClientView& to) {
  constexpr auto kRelaxed = std::memory_order_relaxed;  // each sum stands alone
  to.submits = from.submits.load(kRelaxed);
  to.gated = from.gated.load(kRelaxed);
  to.gated_ns = from.gated_ns.load(kRelaxed);
  to.fills = from.fills.load(kRelaxed);
  to.fill_ns = from.fill_ns.load(kRelaxed);
  to.device_ns = from.device_ns.load(kRelaxed);
  to.waits = from.waits.load(kRelaxed);
  to.wait_ns = from.wait_ns.load(kRelaxed);
  to.requests = from.requests.load(kRelaxed);
  to.request_ns = from.request_ns.load(kRelaxed);
  to.harm_ns = from.harm_ns.load(kRelaxed);
  to.controls = from.controls.load(kRelaxed);
  to.control_ns = from.control_ns.load(kRelaxed);
  to.claims_lost = from.claims_lost.load(kRelaxed);
  to.sampled = from.sampled.load(kRelaxed);
  to.floors = from.floors.load(kRelaxed);
  to.floor_ns = from.floor_ns.load(kRelaxed);
  to.floor_harm_ns = from.floor_harm_ns.load(kRelaxed);
  to.refused = from.refused.load(kRelaxed);
}

void ReadReport(const Report& from, ClientView& to) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const std::int32_t slowdown = from.measured_slowdown_ppm.load(kRelaxed);
  if (slowdown != INT32_MIN) to.measured_slowdown_ppm = slowdown;
  to.measured_low_ppm = from.measured_low_ppm.load(kRelaxed);
  to.measured_high_ppm = from.measured_high_ppm.load(kRelaxed);
  to.caution_permille = std::min<std::uint32_t>(from.caution_permille.load(kRelaxed), 1000);
  to.period_submits = from.period_submits.load(kRelaxed);
  to.minibatches = from.minibatches.load(kRelaxed);
  to.minibatch_ns = from.minibatch_ns.load(kRelaxed);
  to.period_ns = from.period_ns.load(kRelaxed);
  to.kernels_known = from.kernels_known.load(kRelaxed);
  to.memory = from.memory.load(kRelaxed);
}

}  // namespace

std::string CleanText(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x20 || lead == 0x7f ? 0 : SequenceLength(text);
    if (length == 0) {
      clean += '?';
      text.remove_prefix(1);
    } else {
      clean += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return clean;
}

std::string CutText(std::string_view text, std::size_t bytes) {
  text = text.substr(0, text.find('\0'));
  if (text.size() <= bytes) return std::string(text);
  std::size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

Settings ReadSettings(const Header& header) {
  Settings settings;
  const std::uint32_t policy = header.policy.load();
  for (const auto id : model::kPolicies) {
    if (static_cast<std::uint32_t>(id) == policy) settings.policy = id;
  }
  const std::uint32_t mode = header.device_mode.load();
  if (mode >= 1 && mode <= 3) settings.mode = static_cast<model::DeviceMode>(mode);
  settings.off = header.off.load() != 0;
  settings.switch_cost_ns = Length(header.switch_cost_ns);
  settings.in_flight_bound_ns = Length(header.in_flight_bound_ns);
  settings.margin_ns = Length(header.margin_ns);
  return settings;
}

std::optional<LaneView> ReadLane(const Lane& lane, std::int64_t now_ns) {
  constexpr int kTries = 4;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  LaneView view;
  const bool whole = SequenceRead<base::MachineMemory>(lane.sequence, kTries, [&] {
    const std::uint32_t flags = lane.flags.load(kRelaxed);
    view.state = flags & kLaneStateMask;
    view.withheld = (flags & kLaneWithheld) != 0;
    view.ladder = static_cast<int>((flags >> kLaneLadderShift) % kLadders);
    view.busy_until_ns = Instant(lane.busy_until_ns, now_ns);
    view.next_submit_ns = Instant(lane.next_submit_ns, now_ns);
    view.latest_free_ns = Instant(lane.latest_free_ns, now_ns);
    view.last_activity_ns = Instant(lane.last_activity_ns, now_ns);
    view.pending_length_ns = Length(lane.pending_length_ns);
    view.arrived_ns = Instant(lane.arrived_ns, now_ns);
    view.wake_at_ns = Instant(lane.wake_at_ns, now_ns);
  });
  return whole ? std::optional(view) : std::nullopt;
}

namespace {

void ReadFields(const Slot& slot, std::int64_t now_ns, ClientView& view) {
  view.pid = std::max(slot.pid.load(), 0);
  view.name = ReadText(slot.name);
  view.priority = std::min<std::uint32_t>(slot.priority.load(), model::kLowestPriority);
  view.max_slowdown_ppm = slot.max_slowdown_ppm.load();
  view.weight_permille = slot.weight_permille.load();
  view.min_share_ppm = std::min<std::uint32_t>(slot.min_share_ppm.load(), 1'000'000);
  view.floor_first = (slot.flags.load() & kSlotFloorFirst) != 0;
  view.memory_limit = slot.memory_limit.load();
  view.idle_after_ns = Length(slot.idle_after_ns);
  view.joined_at_ns = Instant(slot.joined_at_ns, now_ns);
  view.served_ns = slot.counters.served_ns.load();
  ReadCounters(slot.counters, view);
  ReadReport(slot.report, view);
  std::uint32_t lanes = slot.lanes_used.load() & ((1U << kLanes) - 1);
  for (; lanes != 0; lanes &= lanes - 1) {
    if (const auto lane = ReadLane(slot.lanes[std::countr_zero(lanes)], now_ns)) view.lanes.push_back(*lane);
  }
}

}  // namespace

std::optional<ClientView> ReadClient(const Board& board, int index) {
  const Slot& slot = board.slot(index);
  const std::int64_t now_ns = board.NowNs();
  ClientView view;
  view.ref.index = index;
  const bool whole =
      ReadSlot<base::MachineMemory>(slot, &view.ref.generation, [&] { ReadFields(slot, now_ns, view); });
  return whole ? std::optional(std::move(view)) : std::nullopt;
}

std::vector<ClientView> ReadClients(const Board& board) {
  std::vector<ClientView> clients;
  for (std::uint64_t bits = board.header().active.load(); bits != 0; bits &= bits - 1) {
    if (auto client = ReadClient(board, std::countr_zero(bits))) clients.push_back(std::move(*client));
  }
  return clients;
}

}  // namespace mortar::board
