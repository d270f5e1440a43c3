// The emulated device's clock, injected so that tests need no time to pass: CLOCK_MONOTONIC, and waiting
// until an instant of it as exactly as the machine allows. Any thread.
#pragma once

#include <cstdint>

namespace mortar::emulated {

class Clock {
 public:
  virtual std::int64_t NowNs() = 0;
  // Returns at `instant_ns` or as soon after as possible; at once if it has passed. The real clock sleeps
  // until kSpinNs before and then spins.
  virtual void WaitUntil(std::int64_t instant_ns) = 0;

 protected:
  ~Clock() = default;
};

inline constexpr std::int64_t kSpinNs = 60'000;  // chosen: twice a timer's usual wake-up on a virtual machine

Clock& RealClock();

// Sleeps, with the calling thread's timer slack at its least, until `instant_ns`; restores the slack.
void SleepUntil(std::int64_t instant_ns);

// Burns processor time until `instant_ns`.
void SpinUntil(std::int64_t instant_ns);

}  // namespace mortar::emulated
