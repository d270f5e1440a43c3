// How large the pieces of a long command are, in whatever units a backend cuts it by (work-groups, bytes):
// about as long as the client asked for, by what pieces of that size were seen to take.
//
// Any thread; no lock, no memory. Not the cutting: that is the backends' business.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "model/kernel_id.h"

namespace mortar::client {

// Chosen: what a device of 32 address bits takes as well.
inline constexpr std::size_t kMostUnits = std::size_t{1} << 31;
// Chosen: a command never timed is begun with a 64th of it.
inline constexpr std::size_t kProbe = 64;
// Chosen: copies are cut by so many bytes; what is over stays with the last of them.
inline constexpr std::size_t kCopyUnit = std::size_t{64} << 10;

// How many units a piece should have: of `limit_ns` at most, as `known_units` take `known_ns`. At least 1.
std::size_t UnitsWithin(std::int64_t limit_ns, std::size_t known_units, std::int64_t known_ns);

// How many units the pieces of a command had last.
struct PieceSize {
  std::atomic<model::KernelId> whole{0};
  std::atomic<std::size_t> units{0};  // 0: none yet
};
// What is kept of the command `whole`, an identity. Null: the table is full, and it is submitted whole.
PieceSize* FindPieceSize(model::KernelId whole) noexcept;

// How many of the `units` of a command the next piece is to have; all of them: there is no need to cut.
// `length_of(n)`: what n of them are known to take; 0: not known.
template <typename LengthOf>
std::size_t ChoosePiece(PieceSize* size, std::size_t units, std::int64_t limit_ns, LengthOf&& length_of) {
  if (size == nullptr) return units;
  std::size_t piece = size->units.load(std::memory_order_relaxed);
  if (piece == 0) piece = std::max<std::size_t>(1, units / kProbe);
  std::int64_t length = length_of(piece);
  // Learned while there was nobody to wait for, or before it was cut.
  if (const std::int64_t whole = length_of(units); whole > 0 && length <= 0) {
    piece = whole <= limit_ns ? units : UnitsWithin(limit_ns, units, whole);
    length = length_of(piece);
  }
  const bool too_long = length > limit_ns + limit_ns / 8;
  const bool too_short = length > 0 && length * 2 <= limit_ns;
  if (too_long || too_short) piece = UnitsWithin(limit_ns, piece, length);
  piece = std::min(piece, units);
  size->units.store(piece, std::memory_order_relaxed);
  return piece;
}

}  // namespace mortar::client
