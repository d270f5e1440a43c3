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
constexpr std::int64_t kOversleptNs = 100'000'000;  // chosen: no busy machine, but SIGSTOP

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

policy::OwnWork Gate::Shared::Own() const {
  return {.until_ns = in_flight_until.load(kRelaxed),
          .long_until_ns = long_until.load(kRelaxed),
          .long_stream = long_stream.load(kRelaxed),
          .beside_until_ns = beside_until.load(kRelaxed),
          .copy_until_ns = copy_until.load(kRelaxed),
          .copy_stream = copy_stream.load(kRelaxed)};
}

template <typename Change>
void Gate::Shared::ChangeOwn(Change&& change) {
  const policy::OwnWork before = Own();
  policy::OwnWork own = before;
  change(own);
  const auto store = [](auto& word, auto was, auto is) {
    if (is != was) word.store(is, kRelaxed);
  };
  store(in_flight_until, before.until_ns, own.until_ns);
  store(long_until, before.long_until_ns, own.long_until_ns);
  store(long_stream, before.long_stream, own.long_stream);
  store(beside_until, before.beside_until_ns, own.beside_until_ns);
  store(copy_until, before.copy_until_ns, own.copy_until_ns);
  store(copy_stream, before.copy_stream, own.copy_stream);
}

void Gate::Shared::OwnEndsAt(std::int64_t until_ns) {
  ChangeOwn([&](policy::OwnWork& own) { own.EndsAt(until_ns); });
}

policy::Ask Gate::Compose(const Shared& shared, const Want& want, std::int64_t since,
                          std::int64_t now) const {
  const board::Slot& own = board_.slot(slot_);
  policy::Ask ask;
  ask.priority = static_cast<int>(std::min<std::uint32_t>(own.priority.load(kRelaxed), 9));
  ask.length_ns = want.length_ns;
  ask.copies = want.copies;
  ask.assumed_length_ns = policy::AssumedLength(now - since);
  shared.Own().Tell(want.stream, &ask);
  ask.lead_ns = shared.lead.load(kRelaxed);
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
void Gate::Charge(const policy::Ask& ask, const Want& want, const policy::Verdict& verdict,
                  const Admission& admission, Shared* shared) {
  shared->ChangeOwn([&](policy::OwnWork& own) {
    own.Admitted(ask, want.stream, verdict, view_.settings, admission.at_ns);
  });
  if (verdict.reason == policy::Reason::kBeside) return;
  shared->seen.store(admission.at_ns, kRelaxed);
  // Two threads at once: the later store stands, and one submit is not counted. Without a floor nothing is
  // owed.
  const std::int64_t due = ask.floor_share_ppm == 0
                               ? admission.at_ns
                               : policy::FloorDueAfter(ask.floor_due_ns, admission.at_ns, policy::Length(ask),
                                                       ask.floor_share_ppm, admission.floor);
  shared->floor_due.store(due, kRelaxed);
}

Admission Gate::Admit(Watch* watch, LaneWriter* lane, const Want& want, Shared* shared) {
  Admission admission;
  const std::int64_t since = host_.NowNs();
  std::uint64_t served = board_.slot(slot_).counters.served_ns.load(kRelaxed);
  std::int64_t now = since;
  std::int64_t held_long_at = since + Host::kHeldLongNs;
  Arrive(now, shared);
  for (;;) {
    policy::Ask ask = Compose(*shared, want, since, now);
    ask.served_ns = served;
    std::uint64_t fill_word = 0;
    Look(watch, now, &ask, &fill_word);
    policy::Verdict verdict = policy::Decide(view_, ask);

    const auto clock = [this] { return host_.NowNs(); };
    if (verdict.action == policy::Action::kFill) {
      const Tried tried = claims_.TryFill(fill_word, &verdict, &now, clock, [&](std::int64_t later) {
        view_.now_ns = later;
        return policy::Decide(view_, ask);
      });
      admission.fill = tried == Tried::kFilled;
      admission.floor = admission.fill && verdict.reason == policy::Reason::kFloor;
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
      Charge(ask, want, verdict, admission, shared);
      return admission;
    }
    if (admission.held_for == policy::Reason::kNobodyAbove) admission.held_for = verdict.reason;
    if (verdict.forgiven_ns != 0) {
      served -= verdict.forgiven_ns;
      admission.forgiven_ns += verdict.forgiven_ns;
      board_.slot(slot_).counters.served_ns.store(served, kRelaxed);
    }
    lane->PublishPending(policy::Length(ask), verdict.wake_at_ns);
    host_.Sleep(watch->version, verdict.wake_at_ns);
    now = host_.NowNs();
    if (now > verdict.wake_at_ns + kOversleptNs) {
      host_.OnOverslept();
      served = board_.slot(slot_).counters.served_ns.load(kRelaxed);
    }
    if (now >= held_long_at) {
      host_.OnHeldLong();
      held_long_at = now + Host::kHeldLongNs;
    }
  }
}

}  // namespace mortar::client
