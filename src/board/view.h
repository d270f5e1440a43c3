// Reading a board that may hold anything: every value copied once and checked. Any thread; lock-free.
//
// For tools and rare paths (names are copied into strings). Not for the submit path.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "board/board.h"
#include "model/model.h"

namespace mortar::board {

// `text` without what would spoil a terminal or JSON: control characters and bytes that are not UTF-8 become
// '?'.
std::string CleanText(std::string_view text);
// At most `bytes` bytes of `text`, cut between characters and at its first NUL.
std::string CutText(std::string_view text, std::size_t bytes);

// A text field of the board, cleaned; reads to the field's end where no NUL stands.
template <std::size_t N>
std::string ReadText(const Atomic<char> (&field)[N]) {
  char copy[N];
  std::size_t length = 0;
  while (length < N && (copy[length] = field[length].load(std::memory_order_relaxed)) != '\0') ++length;
  return CleanText({copy, length});
}

// Writes `text`, cut to the field, and zeros behind it.
template <std::size_t N>
void WriteText(Atomic<char> (&field)[N], std::string_view text) {
  const std::string cut = CutText(text, N - 1);
  for (std::size_t i = 0; i < N; ++i)
    field[i].store(i < cut.size() ? cut[i] : '\0', std::memory_order_relaxed);
}

struct Settings {
  model::PolicyId policy = model::PolicyId::kShare;  // an unknown number: share, which holds nobody
  model::DeviceMode mode = model::DeviceMode::kFifo;
  bool off = false;
  std::int64_t switch_cost_ns = 0;
  std::int64_t in_flight_bound_ns = 0;
  std::int64_t margin_ns = 0;
};
Settings ReadSettings(const Header& header);

struct LaneView {
  std::uint32_t state = kLaneUnused;  // LaneState
  bool withheld = false;
  int ladder = 0;
  std::int64_t busy_until_ns = 0;  // instants: 0 where absent or too far ahead
  std::int64_t next_submit_ns = 0;
  std::int64_t latest_free_ns = 0;
  std::int64_t last_activity_ns = 0;
  std::int64_t pending_length_ns = 0;
  std::int64_t arrived_ns = 0;
  std::int64_t wake_at_ns = 0;
};
// nullopt where the lane is being written (or its writer died half-way).
std::optional<LaneView> ReadLane(const Lane& lane, std::int64_t now_ns);

struct ClientView {
  SlotRef ref;
  int pid = 0;
  std::string name;
  std::uint32_t priority = 0;  // 0…9
  std::uint32_t max_slowdown_ppm = 0;
  std::uint32_t weight_permille = 0;
  std::uint32_t min_share_ppm = 0;  // at most 1'000'000
  bool floor_first = false;
  std::uint64_t memory_limit = 0, memory = 0, refused = 0;
  std::int64_t idle_after_ns = 0;
  std::int64_t joined_at_ns = 0;
  std::uint64_t served_ns = 0;
  std::uint64_t submits = 0, gated = 0, gated_ns = 0, fills = 0, fill_ns = 0, device_ns = 0, waits = 0,
                wait_ns = 0;
  std::uint64_t requests = 0, request_ns = 0, harm_ns = 0, controls = 0, control_ns = 0, claims_lost = 0,
                sampled = 0, floors = 0, floor_ns = 0, floor_harm_ns = 0;
  std::optional<std::int32_t> measured_slowdown_ppm;
  std::int32_t measured_low_ppm = 0;
  std::int32_t measured_high_ppm = 0;
  std::uint32_t caution_permille = 0;
  std::uint64_t period_submits = 0;
  std::uint64_t minibatches = 0, minibatch_ns = 0;  // as marked by the program
  std::uint64_t period_ns = 0;
  std::uint64_t kernels_known = 0;
  std::vector<LaneView> lanes;  // those in use
};
// The client in slot `index`; nullopt where it is free, or changed hands while it was read.
std::optional<ClientView> ReadClient(const Board& board, int index);

// All active clients, by slot.
std::vector<ClientView> ReadClients(const Board& board);

}  // namespace mortar::board
