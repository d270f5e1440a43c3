// How a slot changes hands (the state diagram stands in layout.h): the stores of it, in their order. Rare
// paths.
//
// `Header` has `active`; `Slot` has `generation` and `state`; both as in layout.h, or on another memory.
// Searched exhaustively: tests/protocol/slots_test.cc.
#pragma once

#include <atomic>
#include <cstdint>

#include "board/layout.h"

namespace mortar::board {

inline std::uint64_t BitOf(int index) { return std::uint64_t{1} << index; }

template <typename Header, typename Slot>
bool InUse(const Header& header, const Slot& slot, int index) {
  return slot.state.load() != kFree || (header.active.load() & BitOf(index)) != 0;
}

// REQUIRES: the slot's lock is held by the caller.
template <typename Header, typename Slot>
void ClearSlot(Header& header, Slot& slot, int index) {
  header.active.fetch_and(~BitOf(index));
  slot.state.store(kFree);
  const std::uint32_t generation = slot.generation.load();
  slot.generation.store((generation | 1) + 1);
}

// Takes the slot over, whatever a dead owner left in it; `fill` writes everything else. Returns the
// generation. REQUIRES: the slot's lock is held by the caller.
template <typename Memory, typename Header, typename Slot, typename Fill>
std::uint32_t TakeSlot(Header& header, Slot& slot, int index, Fill&& fill) {
  if (InUse(header, slot, index)) ClearSlot(header, slot, index);
  slot.state.store(kJoining);
  const std::uint32_t generation = (slot.generation.load() + 1) | 1;
  slot.generation.store(generation);
  // Whoever reads one of the new fields sees the new generation too. Pairs with ReadSlot.
  Memory::Fence(std::memory_order_release);
  fill();
  slot.state.store(kActive);
  header.active.fetch_or(BitOf(index));
  return generation;
}

template <typename Slot>
bool IsCurrent(const Slot& slot, std::uint32_t generation) {
  return slot.generation.load() == generation && slot.state.load() == kActive;
}

// Calls `copy`, which reads fields. False: the slot is free, or changed hands meanwhile.
template <typename Memory, typename Slot, typename Copy>
bool ReadSlot(const Slot& slot, std::uint32_t* generation, Copy&& copy) {
  *generation = slot.generation.load();
  if (slot.state.load() != kActive) return false;
  copy();
  Memory::Fence(std::memory_order_acquire);  // fields before the second look
  return IsCurrent(slot, *generation);
}

// Clears the slot if its owner is dead, which is who holds no lock. `Locks` has TryLock(index) and
// Unlock(index).
template <typename Header, typename Slot, typename Locks>
bool ClearIfStale(Header& header, Slot& slot, int index, Locks& locks) {
  if (!InUse(header, slot, index) || !locks.TryLock(index)) return false;
  const bool stale = InUse(header, slot, index);  // again, now that nobody else can change it
  if (stale) ClearSlot(header, slot, index);
  locks.Unlock(index);
  return stale;
}

}  // namespace mortar::board
