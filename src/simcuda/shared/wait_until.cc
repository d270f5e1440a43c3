#include "simcuda/shared/wait_until.h"

#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

namespace mortar::simcuda {
namespace {

constexpr std::int64_t kSpinNs = 50'000;  // as the emulated OpenCL device: what a sleep may oversleep

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC instant.
void Sleep(const std::atomic<std::uint32_t>& word, std::uint32_t seen, std::int64_t instant_ns) {
  const timespec instant{instant_ns / 1'000'000'000, instant_ns % 1'000'000'000};
  const int slack = prctl(PR_GET_TIMERSLACK);
  if (slack > 1) prctl(PR_SET_TIMERSLACK, 1UL);
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, &instant, nullptr, FUTEX_BITSET_MATCH_ANY);
  if (slack > 1) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack));
}

}  // namespace

void WaitUntil(const std::atomic<std::uint32_t>& word, std::uint32_t seen, std::int64_t instant_ns,
               bool exact) {
  const std::int64_t spin_ns = exact ? kSpinNs : 0;
  if (instant_ns - base::MonotonicNs() > spin_ns) Sleep(word, seen, instant_ns - spin_ns);
  while (exact && word.load(std::memory_order_relaxed) == seen && base::MonotonicNs() < instant_ns) Pause();
}

}  // namespace mortar::simcuda
