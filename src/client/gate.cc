#include "client/gate.h"

#include <sys/prctl.h>

#include <algorithm>

#include "board/fill_word.h"
#include "policy/lanes.h"
#include "policy/policy.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace mortar::client {
namespace {

constexpr int kAnnounceTries = 3;
constexpr std::int64_t kClaimDriftNs = 2'000;  // chosen: a claim that much too early is not worth moving

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

bool Gate::Claim(std::uint64_t seen, std::int64_t until_ns, std::uint64_t* claimed) {
  const board::FillWord before = board::UnpackFill(seen);
  until_ns = std::min(until_ns, view_.now_ns + policy::kStandstillNs);  // further ahead it would not count
  *claimed = board::PackFill({slot_, before.sequence + 1, until_ns});
  return board_.header().fill_until.compare_exchange_strong(seen, *claimed);
}

void Gate::GiveUp(std::uint64_t claimed, std::uint64_t previous) {
  board_.header().fill_until.compare_exchange_strong(claimed, previous);
}

bool Gate::Move(std::uint64_t claimed, std::int64_t until_ns) {
  board::FillWord word = board::UnpackFill(claimed);
  if (until_ns <= word.until_ns + kClaimDriftNs) return true;
  word.until_ns = std::min(until_ns, view_.now_ns + policy::kStandstillNs);
  return board_.header().fill_until.compare_exchange_strong(claimed, board::PackFill(word));
}

void Gate::DrawBack(std::int64_t until_ns) {
  std::uint64_t seen = board_.header().fill_until.load(std::memory_order_acquire);
  board::FillWord claim = board::UnpackFill(seen);
  if (claim.slot != slot_ || claim.until_ns <= until_ns) return;
  claim.until_ns = until_ns;
  board_.header().fill_until.compare_exchange_strong(seen, board::PackFill(claim));
}

void Gate::Announce(std::int64_t until_ns) {
  for (int i = 0; i < kAnnounceTries; ++i) {
    const std::uint64_t seen = board_.header().fill_until.load(std::memory_order_acquire);
    const std::int64_t standing = policy::CheckedClaim(board::UnpackFill(seen).until_ns, host_.NowNs());
    std::uint64_t claimed = 0;
    if (standing >= until_ns || Claim(seen, until_ns, &claimed)) return;
  }
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

    if (verdict.action == policy::Action::kFill) {
      std::uint64_t claimed = 0;
      if (!Claim(fill_word, verdict.until_ns, &claimed)) {
        ++admission.claims_lost;
        now = host_.NowNs();
        continue;
      }
      // The claim may have taken long (another core, an interrupt): is it still in time?
      view_.now_ns = now = host_.NowNs();
      verdict = policy::Decide(view_, ask);
      if (verdict.action == policy::Action::kWait) {
        GiveUp(claimed, fill_word);
        ++admission.claims_lost;
      } else if (!Move(claimed, verdict.until_ns)) {
        ++admission.claims_lost;
        now = host_.NowNs();
        continue;
      } else {
        admission.fill = true;
      }
    } else if (verdict.action == policy::Action::kGo && watch->others != 0) {
      Announce(verdict.until_ns);
    }
    if (verdict.action != policy::Action::kWait) {
      admission.at_ns = now;
      admission.until_ns = verdict.until_ns;
      admission.held_ns = now - since;
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
