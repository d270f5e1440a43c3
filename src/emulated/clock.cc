#include "emulated/clock.h"

#include <sys/prctl.h>
#include <time.h>

#include <cerrno>

#include "base/clock.h"

namespace mortar::emulated {
namespace {

class MonotonicClock final : public Clock {
 public:
  std::int64_t NowNs() override { return base::MonotonicNs(); }
  void WaitUntil(std::int64_t instant_ns) override {
    if (instant_ns - base::MonotonicNs() > kSpinNs) SleepUntil(instant_ns - kSpinNs);
    SpinUntil(instant_ns);
  }
};

constinit MonotonicClock monotonic;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

Clock& RealClock() { return monotonic; }

void SleepUntil(std::int64_t instant_ns) {
  const int slack = prctl(PR_GET_TIMERSLACK);
  if (slack > 1) prctl(PR_SET_TIMERSLACK, 1UL);
  const timespec instant{instant_ns / 1'000'000'000, instant_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, nullptr) == EINTR) {
  }
  if (slack > 1) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack));
}

void SpinUntil(std::int64_t instant_ns) {
  while (base::MonotonicNs() < instant_ns) Pause();
}

}  // namespace mortar::emulated
