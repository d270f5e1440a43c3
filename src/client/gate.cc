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

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint32_t kWholePpm = 1'000'000;
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

bool Gate::Claim(std::uint64_t seen, std::int64_t until_ns, bool floor, std::uint64_t* claimed) {
  const board::FillWord before = board::UnpackFill(seen);
  until_ns = std::min(until_ns, view_.now_ns + policy::kStandstillNs);  // further ahead it would not count
  *claimed = board::PackFill({slot_, before.sequence + 1, until_ns, floor});
  return board_.header().fill_until.compare_exchange_strong(seen, *claimed);
}

void Gate::GiveUp(std::uint64_t claimed, std::uint64_t previous) {
  board_.header().fill_until.compare_exchange_strong(claimed, previous);
}

bool Gate::Move(std::uint64_t claimed, std::int64_t until_ns, bool floor) {
  board::FillWord word = board::UnpackFill(claimed);
  if (until_ns <= word.until_ns + kClaimDriftNs && floor == word.floor) return true;
  word.until_ns = std::min(until_ns, view_.now_ns + policy::kStandstillNs);
  word.floor = floor;
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
    if (standing >= until_ns || Claim(seen, until_ns, /*floor=*/false, &claimed)) return;
  }
}

policy::Ask Gate::Compose(const Shared& shared, std::int64_t length_ns, std::int64_t since,
                          std::int64_t now) const {
  const board::Slot& own = board_.slot(slot_);
  policy::Ask ask;
  ask.priority = static_cast<int>(std::min<std::uint32_t>(own.priority.load(kRelaxed), 9));
  ask.length_ns = length_ns;
  ask.assumed_length_ns = policy::AssumedLength(now - since);
  ask.own_until_ns = shared.in_flight_until.load(kRelaxed);
  ask.waiting_since_ns = since;
  ask.floor_share_ppm = std::min(own.min_share_ppm.load(kRelaxed), kWholePpm);
  if (ask.floor_share_ppm == 0) return ask;
  ask.floor_first = (own.flags.load(kRelaxed) & board::kSlotFloorFirst) != 0;
  ask.floor_due_ns = shared.floor_due.load(kRelaxed);
  return ask;
}

// Sets view_ to what is on the board now, and in `ask` what follows from it.
void Gate::Look(Watch* watch, std::int64_t now, policy::Ask* ask, std::uint64_t* fill_word) {
  if (board_.header().version.load(std::memory_order_acquire) != watch->version) {
    *watch = ReadWatch(board_, slot_, static_cast<int>(board_.slot(slot_).priority.load(kRelaxed)));
  }
  TakeSnapshot(board_, *watch, slot_, ask->priority, now, &view_, fill_word);
  view_.settings.off |= board_.Lost();
  if (ask->floor_share_ppm == 0) return;
  room_.Add(policy::RoomOf(view_, *ask), now);
  ask->floor_room_ns = room_.room_ns;
}

void Gate::Arrive(std::int64_t now, Shared* shared) {
  const std::int64_t seen = std::max(shared->seen.load(kRelaxed), shared->in_flight_until.load(kRelaxed));
  const std::int64_t due = shared->floor_due.load(kRelaxed);
  shared->floor_due.store(policy::FloorDueOnArrival(due, seen, now), kRelaxed);
}

// Every submit counts towards the client's floor.
void Gate::Charge(const policy::Ask& ask, const Admission& admission, Shared* shared) {
  shared->in_flight_until.store(std::max(admission.until_ns, admission.at_ns), kRelaxed);
  shared->seen.store(admission.at_ns, kRelaxed);
  // Two threads at once: the later store stands, and one submit is not counted. Without a floor nothing is
  // owed.
  const std::int64_t due = ask.floor_share_ppm == 0
                               ? admission.at_ns
                               : policy::FloorDueAfter(ask.floor_due_ns, admission.at_ns, policy::Length(ask),
                                                       ask.floor_share_ppm, admission.floor);
  shared->floor_due.store(due, kRelaxed);
}

Admission Gate::Admit(Watch* watch, LaneWriter* lane, std::int64_t length_ns, Shared* shared) {
  Admission admission;
  const std::int64_t since = host_.NowNs();
  const std::uint64_t served = board_.slot(slot_).counters.served_ns.load(kRelaxed);
  std::int64_t now = since;
  Arrive(now, shared);
  for (;;) {
    policy::Ask ask = Compose(*shared, length_ns, since, now);
    ask.served_ns = served;
    std::uint64_t fill_word = 0;
    Look(watch, now, &ask, &fill_word);
    policy::Verdict verdict = policy::Decide(view_, ask);

    if (verdict.action == policy::Action::kFill) {
      std::uint64_t claimed = 0;
      if (!Claim(fill_word, verdict.until_ns, verdict.reason == policy::Reason::kFloor, &claimed)) {
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
      } else if (!Move(claimed, verdict.until_ns, verdict.reason == policy::Reason::kFloor)) {
        ++admission.claims_lost;
        now = host_.NowNs();
        continue;
      } else {
        admission.fill = true;
        admission.floor = verdict.reason == policy::Reason::kFloor;
      }
    } else if (verdict.action == policy::Action::kGo && watch->others != 0) {
      Announce(verdict.until_ns);
    }
    if (verdict.action != policy::Action::kWait) {
      admission.at_ns = now;
      admission.until_ns = verdict.until_ns;
      admission.held_ns = now - since;
      for (int i = 0; admission.fill && i < view_.count; ++i) {
        const std::int64_t busy = policy::BusyUntil(view_.peers[static_cast<std::size_t>(i)], now);
        admission.behind_ns = std::max(admission.behind_ns, busy - now);
      }
      Charge(ask, admission, shared);
      return admission;
    }
    if (admission.held_for == policy::Reason::kNobodyAbove) admission.held_for = verdict.reason;
    lane->PublishPending(length_ns > 0 ? length_ns : ask.assumed_length_ns, since, verdict.wake_at_ns);
    host_.Sleep(watch->version, verdict.wake_at_ns);
    now = host_.NowNs();
  }
}

}  // namespace mortar::client
