// The memory that the board's protocol runs on in the explorer: in place of base::MachineMemory.
#pragma once

#include <atomic>
#include <cstdint>

#include "protocol/explorer.h"

namespace mortar::interleaving {

template <typename T>
class VirtualAtomic {
 public:
  using value_type = T;
  VirtualAtomic() : VirtualAtomic(T()) {}
  explicit VirtualAtomic(T value) : location_(Explorer::Current().AddLocation(Bits(value))) {}
  VirtualAtomic(const VirtualAtomic&) = delete;
  VirtualAtomic& operator=(const VirtualAtomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst) const {
    return Value(Explorer::Current().Load(location_, order));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    Explorer::Current().Store(location_, Bits(value), order);
  }
  T exchange(T value) {
    return Change([&](T) { return value; });
  }
  T fetch_add(T value) {
    return Change([&](T old) { return static_cast<T>(old + value); });
  }
  T fetch_sub(T value) {
    return Change([&](T old) { return static_cast<T>(old - value); });
  }
  T fetch_or(T value) {
    return Change([&](T old) { return static_cast<T>(old | value); });
  }
  T fetch_and(T value) {
    return Change([&](T old) { return static_cast<T>(old & value); });
  }
  bool compare_exchange_strong(T& expected, T desired) {
    std::uint64_t bits = Bits(expected);
    const bool done =
        Explorer::Current().Exchange(location_, &bits, Bits(desired), std::memory_order_seq_cst);
    if (!done) expected = Value(bits);
    return done;
  }
  // As the kernel does for the thread that calls it.
  T LoadNewest() const { return Value(Explorer::Current().LoadNewest(location_)); }
  // The newest value, for checks and conditions alone.
  T Newest() const { return Value(Explorer::Current().Newest(location_)); }

 private:
  static std::uint64_t Bits(T value) { return static_cast<std::uint64_t>(value); }
  static T Value(std::uint64_t bits) { return static_cast<T>(bits); }
  template <typename Function>
  T Change(Function change) {
    return Value(Explorer::Current().Modify(location_, std::memory_order_seq_cst,
                                            [&](std::uint64_t old) { return Bits(change(Value(old))); }));
  }

  int location_;
};

struct VirtualMemory {
  template <typename T>
  using Atomic = VirtualAtomic<T>;
  static void Fence(std::memory_order order) { Explorer::Current().Fence(order); }
};

}  // namespace mortar::interleaving
