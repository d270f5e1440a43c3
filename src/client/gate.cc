#include "client/gate.h"

#include <sys/prctl.h>

#include <algorithm>

#include "board/fill_word.h"
#include "policy/lanes.h"
#include "policy/policy.h"
#include "policy/rule.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace mortar::client {
namespace {

inline void Pause() {
#if defined(__x86_64__)
  for (int i = 0; i < 8; ++i) _mm_pause();
#elif defined(__aarch64__)
  for (int i = 0; i < 32; ++i) asm volatile("yield");
#endif
}

// Sleeps of this thread may end up to its timer slack late, by default 50 us. Narrowed only while Mortar
// sleeps.
class FineTimer {
 public:
  FineTimer() : slack_(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)) { prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0); }
  ~FineTimer() {
    if (slack_ > 0) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack_), 0, 0, 0);
  }
  FineTimer(const FineTimer&) = delete;
  FineTimer& operator=(const FineTimer&) = delete;

 private:
  int slack_;
};

}  // namespace

void BoardHost::Sleep(std::uint32_t version, std::int64_t until_ns) {
  const std::int64_t left = until_ns - board_.NowNs();
  if (left > kSpinNs) {
    const FineTimer fine;
    board_.WaitForChange(version, left - kSpinNs);
    return;
  }
  Pause();
}

Admission Gate::Admit(Watch* watch, LaneWriter* lane, std::int64_t length_ns,
                      std::atomic<std::int64_t>* in_flight_until) {
  Admission admission;
  const board::Slot& own = board_.slot(slot_);
  const std::int64_t since = host_.NowNs();
  const std::uint64_t served = own.counters.served_ns.load(std::memory_order_relaxed);
  std::int64_t now = since;
  for (;;) {
    if (board_.header().version.load(std::memory_order_acquire) != watch->version) {
      *watch = ReadWatch(board_, slot_, static_cast<int>(own.priority.load(std::memory_order_relaxed)));
    }
    policy::Ask ask;
    ask.priority = static_cast<int>(std::min<std::uint32_t>(own.priority.load(std::memory_order_relaxed), 9));
    ask.length_ns = length_ns;
    ask.assumed_length_ns = policy::AssumedLength(now - since);
    ask.own_until_ns = in_flight_until->load(std::memory_order_relaxed);
    ask.waiting_since_ns = since;
    ask.served_ns = served;
    std::uint64_t fill_word = 0;
    TakeSnapshot(board_, *watch, slot_, ask.priority, now, &view_, &fill_word);
    view_.settings.off |= board_.Lost();
    policy::Verdict verdict = policy::Decide(view_, ask);

    const auto clock = [this] { return host_.NowNs(); };
    if (verdict.action == policy::Action::kFill) {
      const Tried tried = claims_.TryFill(fill_word, &verdict, &now, clock, [&](std::int64_t later) {
        view_.now_ns = later;
        return policy::Decide(view_, ask);
      });
      admission.fill = tried == Tried::kFilled;
      if (!admission.fill) ++admission.claims_lost;
      if (tried == Tried::kLost) {
        now = host_.NowNs();
        continue;
      }
    } else if (verdict.action == policy::Action::kGo && watch->others != 0) {
      claims_.Announce(verdict.until_ns, now, clock);
    }
    if (verdict.action != policy::Action::kWait) {
      admission.at_ns = now;
      admission.until_ns = verdict.until_ns;
      admission.held_ns = now - since;
      for (int i = 0; admission.fill && i < view_.count; ++i) {
        const std::int64_t busy = policy::BusyUntil(view_.peers[static_cast<std::size_t>(i)], now);
        admission.behind_ns = std::max(admission.behind_ns, busy - now);
      }
      in_flight_until->store(std::max(verdict.until_ns, now), std::memory_order_relaxed);
      return admission;
    }
    if (admission.held_for == policy::Reason::kNobodyAbove) admission.held_for = verdict.reason;
    lane->PublishPending(length_ns > 0 ? length_ns : ask.assumed_length_ns, since, verdict.wake_at_ns);
    host_.Sleep(watch->version, verdict.wake_at_ns);
    now = host_.NowNs();
  }
}

}  // namespace mortar::client
