// What one submitting thread will do next, and what fills have cost it: the predictor and the harm account of
// a lane.
//
// Pure: the caller gives the time. One owner (the thread). OnSubmit costs a few tens of nanoseconds and takes
// no memory; learning happens at waits.
//
// Two models of the device run side by side (design: Harm): H, as if no fill had ever run, H = max(H, t) + d,
// and D, with fills, D = max(D, t, fill_until) + d. At a wait entered at w that returns at r and covers a
// submit with H and D,
//     undisturbed return T = max(w, H);   harm = clamp(r - T, 0, max(w, D) - T).
// What floor fills add to that is told by a third model, D without them.
// Kernels that follow each other without a gap are a pause apart, which is learned: over thousands of kernels
// a microsecond each would make the models think that the device is idle.
// Streams that overlap on the device end earlier than the models, which count one kernel after the other: by
// how much is learned from undisturbed waits, place by place, and taken from H and D.
// What a submit may be late by is its slack: T - H - (device time submitted after it and before that wait), H
// being the model's after it. latest_free = H + slack: a program that keeps the device busy until its wait
// has none, however far ahead of the device its host is at the moment.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/random.h"
#include "predict/kernels.h"
#include "predict/ladder.h"
#include "predict/request.h"
#include "predict/steps.h"

namespace mortar::predict {

// What a lane lets others know.
struct Forecast {
  std::int64_t busy_until_ns = 0;
  std::int64_t next_submit_ns = 0;  // 0: not known, nobody may fill
  std::int64_t latest_free_ns = 0;  // 0: no slack known, only the gap
  std::int64_t arrived_ns = 0;      // by then the newest submit is in the device's queue
  std::uint8_t ladder = 0;
  model::Copies copies = 0;  // the copy engines used of late
  bool withheld = false;
  bool spent = false;  // harm has used up what the client allows
};

struct Submission {
  Kernel* kernel = nullptr;  // null: unknown and not to be learned
  std::int64_t now_ns = 0;
  std::int64_t fill_until_ns = 0;  // of clients below; 0: none
  bool fill_is_floor = false;      // it went by its floor, and not because it fitted
  std::int64_t not_before_ns = 0;  // admitted to start then, behind others by right: no harm
  std::int64_t held_ns = 0;        // it was held at the gate for so long: no rest of the program's
  std::uint64_t stream = 0;        // queue or stream
  bool ordered = true;             // false: an out-of-order queue
  model::Copies copies = 0;        // the copy engines that it may use
  bool offline = false;            // forecast from FIKIT's offline means
};

class LanePredictor {
 public:
  LanePredictor(KernelTable& kernels, std::uint64_t seed);

  // The thread is about to submit. Returns what to publish; `last_sequence()` then names this submit.
  Forecast OnSubmit(const Submission& submission);
  std::uint64_t last_sequence() const { return sequence_; }

  // The device time of a launch submitted at `submitted_ns`. Where durations of one identity differ, the
  // position tells them apart (a matrix product's inner dimension shows in no launch shape).
  // `began_ns`: when it began on the device; 0: not known. `loose`: as in KernelTable::AddSample.
  void OnSampled(const Kernel& kernel, std::int64_t submitted_ns, std::int64_t device_ns,
                 std::int64_t began_ns, bool loose = false);
  // A loose sample, less the lead, which it teaches where the kernel has been timed without one.
  std::int64_t LessLead(const Kernel& kernel, std::int64_t device_ns);
  // The submit just made is at a position whose own duration is wanted: sample it.
  bool WantsDuration() const { return wants_duration_; }
  // What a submit of `kernel` would be charged now: its length, or its position's duration where that is
  // known.
  std::int64_t LengthOf(const Kernel& kernel) const;

  void OnWaitEnter(std::int64_t now_ns);
  // The wait returned; it covered submits up to `covered` (kNothing: none of this lane's).
  static constexpr std::uint64_t kNothing = 0;
  Forecast OnWaitReturn(std::int64_t now_ns, std::uint64_t covered);

  // From a submit to its start on an idle device, learned; the models count from there.
  std::int64_t lead_ns() const { return lead_ns_; }

  // When the device will have done all submits of this lane, as far as is known now.
  std::int64_t busy_until_ns() const { return disturbed_; }

  // The program looks at completion in ways that no wait shows (callbacks, polling): there is no slack, only
  // gaps.
  void OnInvisibleWait() { slack_allowed_ = false; }

  // A request ended in the last OnSubmit or OnWaitReturn: take it, tell the controller, and say through
  // PlanNext and set_caution how the next ones are to run. `valid` false: none did.
  RequestTracker::Ended TakeEnded() { return std::exchange(ended_, {}); }
  bool has_ended() const { return ended_.valid; }
  // The program marks where its request begins or ends; may end one (has_ended).
  void OnMark(bool begins, std::int64_t now_ns) { ended_ = requests_.OnMark(begins, now_ns); }
  void PlanNext(bool control) { requests_.PlanNext(control); }
  // 0: offer what is foretold (medians, no margin) … 1: offer nothing. See policy::Controller::caution.
  void set_caution(double caution) {
    caution_ = caution;
    caution_256_ = static_cast<std::int64_t>(caution * 256);
  }
  // policy::Controller::offer_ns: latest_free lies that much later, less what the request has been harmed
  // already.
  void set_offer(std::int64_t offer_ns) { offer_ns_ = offer_ns; }
  // policy::Controller::spent.
  void set_spent(bool spent) { spent_ = spent; }
  const GapLadders& ladders() const { return ladders_; }
  // Harm of the wait that returned last, by fills and by floor fills.
  std::int64_t last_harm_ns() const { return last_harm_; }
  std::int64_t last_floor_harm_ns() const { return last_floor_harm_; }
  // A ladder whose lengths changed since the last call, or -1. For publishing, a few a wait.
  int TakeChangedLadder();
  std::uint32_t period_submits() const { return book_.period(); }
  std::int64_t period_ns() const { return period_ns_; }
  std::uint32_t periods_begun() const { return laps_; }
  // Recording run (mortar profile record): gaps go to the kernels' offline means.
  void set_recording(bool on) { recording_ = on; }

 private:
  static constexpr std::uint8_t kDurationsWanted = 3;      // chosen: samples of a position's own duration
  static constexpr std::int32_t kOverlapLeastNs = 50'000;  // chosen
  struct alignas(64) Entry {                               // one cache line
    std::int64_t submitted = 0;
    std::int64_t undisturbed = 0;  // H after it
    std::uint32_t fills = 0;       // D after it, minus H
    std::uint32_t shift = 0;       // of shift_, when it was submitted
    Kernel* kernel = nullptr;
    StepBook::Place place;
    std::uint32_t duration = 0;    // nanoseconds; 4.29 s at most
    std::uint16_t wait = 0;        // 1 + index of the wait before it in waits_; 0: none
    std::uint16_t chain : 15 = 0;  // submits before it that the device had no pause after, as modelled
    std::uint16_t idle : 1 = 0;    // the device had nothing at all to do, as modelled
  };
  static_assert(sizeof(Entry) == 64);
  struct Wait {
    std::int64_t returned = 0;
    std::int64_t first_return = 0;  // of the first, if several followed each other
    std::int64_t base = 0;          // max(the last submit before it, H of what it covered)
    std::uint32_t depth = 0;        // submits that it did not cover
  };
  static constexpr std::uint64_t kLog = 4096;
  static constexpr std::uint64_t kChunk = 64;  // submits learned from at a time where no wait comes
  Entry& entry(std::uint64_t sequence) { return log_[sequence % kLog]; }
  // H and D after a submit, with what waits since then have shown of the models' error.
  std::int64_t Undisturbed(const Entry& e) const {
    return e.undisturbed + static_cast<std::int32_t>(static_cast<std::uint32_t>(shift_) - e.shift);
  }
  std::int64_t Disturbed(const Entry& e) const { return Undisturbed(e) + e.fills; }

  void OnPeriodStart(std::int64_t now_ns);
  void SplitHarm(std::int64_t late_ns, std::int64_t explained_ns, const Entry& last);
  Forecast AfterSubmit(const Entry& now, const Submission& submission);
  Forecast AfterWait(std::int64_t now_ns);
  void Learn(std::int64_t wait_end, bool with_slack);
  void LearnGaps(std::uint64_t end, std::uint64_t mask, std::uint64_t phase);
  void LearnUnwaited();
  // Null also where the position is gone: a new period has taken its memory.
  Step* PositionOf(std::uint64_t sequence) {
    return sequence < placed_from_ ? nullptr : entry(sequence).place.position;
  }
  void LearnEarly(const Entry& last, Step* position, std::int64_t now_ns);
  // By how much what was submitted here overlaps with what was before: it is done so much earlier than
  // modelled. Little is no overlap but the spread of durations, which is left to fills as their margin.
  static std::int64_t OverlapOf(const Step* step) {
    return step != nullptr && step->early_ns >= kOverlapLeastNs ? step->early_ns : 0;
  }
  void NoteOverlap(const Entry& last, const Step* position);
  // Of two streams that overlap much, a wait may be for the one that the models do not tell from the other.
  // Of what slack offers beyond the next submit only half is then sure enough (chosen: at two thirds tails
  // grew).
  std::int64_t Offered(std::int64_t next_submit_ns, std::int64_t latest_ns) const {
    if (laps_ >= overlaps_until_ || latest_ns <= next_submit_ns) return latest_ns;
    return next_submit_ns + (latest_ns - next_submit_ns) / 2;
  }
  void LearnPause(const Entry& last, std::int64_t now_ns);
  bool WasIdle(std::uint64_t sequence, std::int64_t lead_ns);
  void LearnLead(std::int64_t lead_ns, Step* step);
  std::int64_t LeadOf(const Step* step) const {
    return step != nullptr && step->lead != 0 ? std::int64_t{step->lead} - 1 : lead_ns_;
  }
  // By when a submit that goes now is in the device's queue.
  std::int64_t ArrivesWithin(const Step* step) const;
  // When the program came to submit: before the gate held it.
  std::int64_t Asked(std::uint64_t sequence) { return entry(sequence).submitted - held_[sequence % kLog]; }
  // How long nothing was heard after a submit, until the next: what a reader of the board sees.
  std::int64_t SilenceAfter(std::uint64_t sequence);
  void LearnSilence(const Step* step, std::int64_t silence_ns, bool waited);
  void LearnGap(std::uint64_t sequence);
  void LearnSlack(Entry& e, std::int64_t slack_ns);
  // The position has a duration of its own, which is not that of its kernel's identity.
  static bool OwnDuration(const Kernel& kernel, const Step& step, std::int64_t usual_ns) {
    const std::int64_t own = step.duration_ns;
    if (own == 0) return false;
    return 2 * own > 3 * usual_ns || 3 * own < 2 * usual_ns || kernel.split.load(std::memory_order_relaxed);
  }
  // What a submit is in the pattern: its kernel, whether the thread changed streams before it, and waited.
  static std::uint64_t SymbolOf(const Kernel* kernel, bool changed, bool waited) {
    const std::uint64_t id = kernel != nullptr ? kernel->place_id : 1;
    return id << 2 | (changed ? StepBook::kPositionsOnly : 0U) | (waited ? 1U : 0U) |
           (std::uint64_t{1} << 63);
  }
  std::int64_t OfferLeft() const { return std::max<std::int64_t>(0, offer_ns_ - requests_.harm_ns()); }
  bool SlackUsable(const Step& step) const { return slack_allowed_ && ordered_ && step.slack_ready(); }
  model::Copies CopiesOfLate(std::int64_t now_ns) const;
  std::int64_t Margin(std::int64_t gap_ns) const;

  KernelTable& kernels_;
  StepBook book_;
  RequestTracker requests_;
  GapLadders ladders_;
  base::Random random_;
  RequestTracker::Ended ended_;
  double caution_ = 0;
  std::int64_t offer_ns_ = 0;
  std::int64_t caution_256_ = 0;  // the same in integers, for the submit path
  std::unique_ptr<Entry[]> log_;
  std::unique_ptr<Wait[]> waits_;          // kLog; a submit has at most one wait before it
  std::unique_ptr<std::uint32_t[]> held_;  // kLog: Submission::held_ns of each, 4.29 s at most

  std::uint64_t sequence_ = 0;      // of the newest submit; the first is 1
  std::uint64_t segment_ = 1;       // first submit since the last wait returned
  std::uint64_t placed_from_ = 1;   // positions of submits before this one are gone
  std::uint64_t learned_gaps_ = 1;  // gaps after submits below this are learned
  std::int64_t ahead_ = 0;          // device time submitted from segment_ on
  std::int64_t undisturbed_ = 0;    // H
  std::int64_t disturbed_ = 0;      // D
  std::int64_t by_fills_ = 0;       // as D, but as if no floor fill had ever run
  std::uint64_t shift_ = 0;         // sum of what both models were put right by
  std::int64_t occupied_ = 0;       // as H, with the pauses that may yet have to be learned
  std::int64_t pause_ns_ = 0;       // what the device takes between two kernels, learned
  std::uint32_t pause_256_ = 0;     // the same times 256
  std::int64_t lead_ns_ = 0;
  std::int64_t arrival_ns_ = 0;  // the longest of late
  std::int64_t arrived_ = 0;     // by then the newest submit is in the device's queue
  Recent leads_;
  Recent loose_leads_;  // as LessLead sees them
  std::uint32_t chain_ = 0;
  std::int64_t wait_enter_ = 0;
  std::int64_t last_harm_ = 0;
  std::int64_t last_floor_harm_ = 0;
  std::int64_t returned_ = 0;      // of the last wait since the newest submit; 0: none
  std::int64_t first_return_ = 0;  // of the first
  std::int64_t wait_base_ = 0;
  std::uint32_t wait_depth_ = 0;
  std::uint64_t stream_ = 0;
  std::array<std::int64_t, model::kEngines> copied_{};  // by engine: the newest copy
  std::int64_t period_began_ = 0;
  std::int64_t period_ns_ = 0;
  Recent periods_;
  std::uint32_t laps_ = 0;
  std::uint32_t overlaps_until_ = 0;   // of laps_
  std::uint32_t changed_ladders_ = 0;  // bitmap
  bool ordered_ = true;                // the newest submit's queue
  bool unknown_in_flight_ = false;
  bool wants_duration_ = false;  // of the newest submit's position
  bool slack_allowed_ = true;
  bool recording_ = false;
  bool spent_ = false;
};

}  // namespace mortar::predict
