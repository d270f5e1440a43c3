// Turning a raw counter into nanoseconds: the arithmetic behind the board's clock. Pure but for ReadCounter.
//
// The raw counter is the invariant TSC on x86-64 and the virtual counter on AArch64. Every process on a board
// uses the one scale that stands in the board's header, so processes cannot drift apart.
#pragma once

#include <time.h>

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace mortar::base {

__extension__ using UInt128 = unsigned __int128;

enum class ClockKind : std::uint32_t { kMonotonic = 1, kCounter = 2 };

inline std::int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline std::uint64_t ReadCounter() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t value;
  asm volatile("isb; mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return static_cast<std::uint64_t>(MonotonicNs());
#endif
}

// True where the counter ticks at one rate for ever, on all cores alike (CPUID 0x80000007 on x86-64; always
// on AArch64).
bool CounterIsInvariant();

// ns = (counter - base) * multiplier >> shift. With kMonotonic: CLOCK_MONOTONIC ns - base.
struct ClockScale {
  ClockKind kind = ClockKind::kMonotonic;
  std::uint32_t shift = 0;
  std::uint64_t multiplier = 0;
  std::uint64_t base = 0;

  std::int64_t ToNs(std::uint64_t counter) const {
    return static_cast<std::int64_t>((static_cast<UInt128>(counter - base) * multiplier) >> shift);
  }
  std::int64_t NowNs() const {
    if (kind == ClockKind::kCounter) return ToNs(ReadCounter());
    return MonotonicNs() - static_cast<std::int64_t>(base);
  }
};

// Measures the counter against CLOCK_MONOTONIC for `over_ns` (blocking; default 10 ms: error below 10 ppm)
// and returns a scale whose zero is `now - 1 s`, so that no instant is zero, the mark for "absent".
ClockScale MeasureClock(std::int64_t over_ns = 10'000'000);

}  // namespace mortar::base
