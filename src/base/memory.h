// What a protocol in shared memory is made of, as a template argument: atomics and fences of the machine, or,
// in tests/protocol, of an explorer that runs every interleaving. Header only; adds nothing to what is
// compiled.
#pragma once

#include <atomic>

namespace mortar::base {

struct MachineMemory {
  template <typename T>
  using Atomic = std::atomic<T>;
  static void Fence(std::memory_order order) { std::atomic_thread_fence(order); }
};

}  // namespace mortar::base
