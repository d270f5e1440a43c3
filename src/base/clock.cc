#include "base/clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace mortar::base {
namespace {

struct Pair {
  std::uint64_t counter;
  std::int64_t ns;
};

// A counter value and the monotonic time at the same instant: the tightest of several tries, so that an
// interrupt between the two reads does not skew the scale.
Pair ReadPair() {
  Pair best{};
  std::uint64_t best_width = ~std::uint64_t{0};
  for (int i = 0; i < 16; ++i) {
    const std::uint64_t before = ReadCounter();
    const std::int64_t ns = MonotonicNs();
    const std::uint64_t width = ReadCounter() - before;
    if (width < best_width) {
      best_width = width;
      best = {before + width / 2, ns};
    }
  }
  return best;
}

}  // namespace

bool CounterIsInvariant() {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
#elif defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

ClockScale MeasureClock(std::int64_t over_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  ClockScale scale;
  if (CounterIsInvariant()) {
    const Pair first = ReadPair();
    Pair last = first;
    while (last.ns - first.ns < over_ns) last = ReadPair();
    const std::uint64_t ticks = last.counter - first.counter;
    if (ticks > 1000) {
      scale.kind = ClockKind::kCounter;
      scale.shift = 32;
      scale.multiplier = static_cast<std::uint64_t>(
          (static_cast<UInt128>(static_cast<std::uint64_t>(last.ns - first.ns)) << 32) / ticks);
      scale.base =
          last.counter - static_cast<std::uint64_t>((static_cast<UInt128>(kSecond) << 32) / scale.multiplier);
      return scale;
    }
  }
  scale.base = static_cast<std::uint64_t>(MonotonicNs() - kSecond);
  return scale;
}

}  // namespace mortar::base
