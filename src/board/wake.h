// Sleeping on a word until it moves, without losing a wake-up: the sleeper counts itself first and lets the
// kernel compare second; the waker moves the word first and looks for sleepers second. Both orders rest on
// seq_cst.
//
// `Futex`: Wait(word, seen) sleeps unless the word differs from `seen`, Wake(word) wakes all. Searched
// exhaustively: tests/protocol/wake_test.cc.
#pragma once

#include <cstdint>

namespace mortar::board {

template <typename Word, typename Futex>
inline void MoveAndWake(Word& version, Word& sleepers, Futex&& futex) {
  version.fetch_add(1);
  if (sleepers.load() != 0) futex.Wake(version);
}

template <typename Word, typename Futex>
inline auto SleepUnlessMoved(Word& version, Word& sleepers, std::uint32_t seen, Futex&& futex) {
  sleepers.fetch_add(1);
  const auto result = futex.Wait(version, seen);
  sleepers.fetch_sub(1);
  return result;
}

}  // namespace mortar::board
