// The sequence lock of a lane: one writer, any number of readers, no waiting. Payload in relaxed atomics
// between the two ends. Any process; lock-free.
//
// Searched exhaustively over all interleavings and reorderings: tests/protocol/lanes_test.cc.
#pragma once

#include <atomic>
#include <cstdint>

namespace mortar::board {

// Odd while writing: from construction to destruction. `own`: the writer's copy of the sequence, so that it
// never reads the line.
template <typename Memory>
class SequenceWrite {
 public:
  using Word = typename Memory::template Atomic<std::uint32_t>;

  SequenceWrite(Word* sequence, std::uint32_t* own) : sequence_(sequence), next_(*own + 2) {
    *own = next_;
    sequence_->store(next_ - 1, std::memory_order_relaxed);
    // The release fence keeps the payload behind the odd store, the release store in front of the even one;
    // both pair with SequenceRead.
    Memory::Fence(std::memory_order_release);
  }
  ~SequenceWrite() { sequence_->store(next_, std::memory_order_release); }
  SequenceWrite(const SequenceWrite&) = delete;
  SequenceWrite& operator=(const SequenceWrite&) = delete;

 private:
  Word* sequence_;
  std::uint32_t next_;  // even
};

// Calls `copy`, which reads the payload relaxed, until nothing was written meanwhile; false after `tries`:
// being written, or its writer died half-way. What `copy` left behind counts only where true is returned.
template <typename Memory, typename Copy>
inline bool SequenceRead(const typename Memory::template Atomic<std::uint32_t>& sequence, int tries,
                         Copy&& copy) {
  for (int i = 0; i < tries; ++i) {
    // Acquire pairs with the writer's release store of the even number; the fence keeps the payload before
    // the second look.
    const std::uint32_t before = sequence.load(std::memory_order_acquire);
    if ((before & 1) != 0) continue;
    copy();
    Memory::Fence(std::memory_order_acquire);
    if (sequence.load(std::memory_order_relaxed) == before) return true;
  }
  return false;
}

}  // namespace mortar::board
