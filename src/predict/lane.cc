#include "predict/lane.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace mortar::predict {
namespace {

constexpr std::int64_t kGuessNs = 100'000;  // chosen: length of a kernel of which nothing is known
constexpr std::int64_t kMarginNs = 50'000;  // chosen: at full caution, beside a quarter of the gap
constexpr std::uint64_t kHorizon = 1024;    // chosen: submits looked ahead where no wait comes
constexpr std::uint32_t kLongestChain = 0x7fff;
constexpr std::int64_t kLikelyPauseNs = 2'000;               // chosen: so long pauses are looked for
constexpr std::uint8_t kMostAsked = 6;                       // chosen: not every sample asked for comes
constexpr std::int64_t kCopiesRememberedNs = 2'000'000'000;  // chosen
constexpr std::int64_t kArrivalSpareNs = 1'000;              // chosen: beside a quarter of the lead
constexpr std::uint64_t kWayBackEvery = 16;                  // chosen: a way back takes no wait to be seen
constexpr std::uint64_t kBoundaryEvery = 256;  // submits without a wait after which a period is looked for

}  // namespace

LanePredictor::LanePredictor(KernelTable& kernels, std::uint64_t seed)
    : kernels_(kernels),
      random_(seed),
      log_(new Entry[kLog]()),
      waits_(new Wait[kLog]()),
      held_(new std::uint32_t[kLog]()) {}

model::Copies LanePredictor::CopiesOfLate(std::int64_t now) const {
  const std::int64_t since = now - std::max(kCopiesRememberedNs, 2 * period_ns_);
  model::Copies copies = 0;
  for (std::size_t i = 1; i < copied_.size(); ++i) {
    if (copied_[i] != 0 && copied_[i] >= since) copies |= static_cast<model::Copies>(1U << i);
  }
  return copies;
}

std::int64_t LanePredictor::Margin(std::int64_t gap_ns) const {
  return (gap_ns / 4 + kMarginNs) * caution_256_ / 256;
}

Forecast LanePredictor::OnSubmit(const Submission& s) {
  const std::int64_t now = s.now_ns;
  const bool waited = returned_ != 0;
  Entry& e = entry(++sequence_);
  const bool changed = s.stream != stream_ && stream_ != 0;
  e.place = book_.Advance(SymbolOf(s.kernel, changed, waited));
  stream_ = s.stream;
  for (std::size_t i = 1; s.copies != 0 && i < copied_.size(); ++i) {
    if ((s.copies >> i & 1U) != 0) copied_[i] = now;
  }
  ordered_ = s.ordered;
  std::int64_t known = s.kernel != nullptr ? s.kernel->duration_ns.load(std::memory_order_relaxed) : 0;
  wants_duration_ = false;
  if (known != 0 && e.place.position != nullptr) {
    Step& step = *e.place.position;
    const bool own = OwnDuration(*s.kernel, step, known);
    if (step.durations < (own ? kDurationsWanted : 1) && step.asked < kMostAsked) {
      wants_duration_ = true;
      ++step.asked;
    }
    if (own) known = step.duration_ns;
  }
  e.duration = static_cast<std::uint32_t>(std::min<std::int64_t>(known != 0 ? known : kGuessNs, UINT32_MAX));
  unknown_in_flight_ = known == 0 || (unknown_in_flight_ && !waited);
  e.submitted = now;
  held_[sequence_ % kLog] = static_cast<std::uint32_t>(std::clamp<std::int64_t>(s.held_ns, 0, UINT32_MAX));
  const std::int64_t lead = LeadOf(e.place.position);
  const std::int64_t earliest = std::max(now + lead, s.not_before_ns);
  chain_ = occupied_ > earliest ? chain_ + 1 : 0;
  occupied_ = std::max(occupied_ + std::max(pause_ns_, kLikelyPauseNs), earliest) + e.duration;
  e.chain = std::min<std::uint32_t>(chain_, kLongestChain) & kLongestChain;
  e.idle = std::max({disturbed_, s.not_before_ns, s.fill_until_ns}) <= now + lead;
  if (e.idle != 0 && e.place.position != nullptr && e.place.position->lead == 0 &&
      e.place.position->asked < kMostAsked && !wants_duration_) {
    wants_duration_ = true;
    ++e.place.position->asked;
  }
  undisturbed_ = std::max(undisturbed_ + pause_ns_, earliest) + e.duration;
  disturbed_ = std::max({disturbed_ + pause_ns_, earliest, s.fill_until_ns}) + e.duration;
  const std::int64_t fill = s.fill_is_floor ? 0 : s.fill_until_ns;
  by_fills_ = std::max({by_fills_ + pause_ns_, earliest, fill}) + e.duration;
  ahead_ += e.duration;
  e.undisturbed = undisturbed_;
  e.fills = static_cast<std::uint32_t>(std::clamp<std::int64_t>(disturbed_ - undisturbed_, 0, UINT32_MAX));
  e.shift = static_cast<std::uint32_t>(shift_);
  e.wait = 0;
  if (waited) {
    waits_[sequence_ % kLog] = {returned_, first_return_, wait_base_, wait_depth_};
    e.wait = static_cast<std::uint16_t>(sequence_ % kLog + 1);
  }
  e.kernel = s.kernel;

  const bool starts = book_.AtStart();
  if (starts) OnPeriodStart(now);
  if (requests_.WantsSubmit(returned_)) {
    ended_ = requests_.OnSubmit(now, returned_, starts && book_.period() > 1, s.held_ns);
  }
  returned_ = 0;
  if (sequence_ - segment_ >= kHorizon + kChunk) [[unlikely]]
    LearnUnwaited();
  const bool boundary = waited || sequence_ % kBoundaryEvery == 0;
  if (!boundary && sequence_ % kWayBackEvery == 0 && book_.Lost()) [[unlikely]]
    book_.FindWayBack();
  if (boundary && book_.Unsettled() && book_.Search()) {
    placed_from_ = sequence_ + 1;
    // Whatever may still be learned from: gaps and slack.
    for (std::uint64_t i = std::min({learned_gaps_, segment_, sequence_}); i <= sequence_; ++i)
      entry(i).place.position = nullptr;
  }
  return AfterSubmit(e, s);
}

void LanePredictor::OnPeriodStart(std::int64_t now) {
  const std::int64_t lasted = now - std::exchange(period_began_, now);
  // Often at first, then one in 64: a period of one submit begins at every submit.
  ++laps_;
  if (laps_ < 2 || (laps_ > 64 && laps_ % 64 > 15)) return;
  periods_.Add(lasted);
  if (laps_ % 16 != 4) return;
  book_.ChooseStart();
  period_ns_ = periods_.Quantile(0.5);
}

std::int64_t LanePredictor::ArrivesWithin(const Step* step) const {
  if (step == nullptr || step->lead == 0) return arrival_ns_;
  const std::int64_t lead = LeadOf(step);
  return lead + std::max(lead / 4, step->spread * Step::kSpreadNs) + kArrivalSpareNs;
}

Forecast LanePredictor::AfterSubmit(const Entry& e, const Submission& s) {
  Forecast forecast;
  forecast.busy_until_ns = std::max(disturbed_ - OverlapOf(e.place.position), s.now_ns);
  forecast.withheld = requests_.withheld();
  forecast.spent = spent_;
  arrived_ = std::max(arrived_, s.now_ns + ArrivesWithin(e.place.position));
  forecast.arrived_ns = arrived_;
  forecast.copies = CopiesOfLate(s.now_ns);
  if (s.offline) {
    // FIKIT: the mean gap that followed this kernel when it was recorded, on the device, after its mean
    // duration.
    const std::int64_t gap =
        s.kernel != nullptr ? s.kernel->offline_gap_ns.load(std::memory_order_relaxed) : 0;
    if (gap > 0) forecast.next_submit_ns = disturbed_ + gap;
    return forecast;
  }
  const Step* step = e.place.Best();
  if (step == nullptr || unknown_in_flight_ || caution_256_ >= 256) return forecast;
  forecast.ladder = step->ladder;
  std::int64_t base = s.now_ns;
  if (step->waits && step->depth < sequence_ && step->depth < kLog) {
    const Entry& covered = entry(sequence_ - step->depth);
    base = std::max(base, Disturbed(covered) - OverlapOf(PositionOf(sequence_ - step->depth)));
  }
  const std::int64_t margin = Margin(step->gap_ns);
  forecast.next_submit_ns = base + std::max<std::int64_t>(0, step->gap_ns + LeadOf(book_.Next()) - margin);
  const std::int64_t offer = OfferLeft();
  if (step != e.place.position || !SlackUsable(*step)) {
    if (offer > 0) forecast.latest_free_ns = forecast.next_submit_ns + offer;
    return forecast;
  }
  std::int64_t latest = Undisturbed(e) + step->slack_ns;
  if (const Step* next = book_.Next();
      step->waits && step->depth == 0 && next != nullptr && next->slack_ready()) {
    // The last submit before a wait for it: what starts behind it cannot delay that wait, only the next one.
    latest = base + step->gap_ns + LeadOf(next) + next->slack_ns;
  }
  latest = Offered(forecast.next_submit_ns, latest - margin);
  forecast.latest_free_ns = std::max(latest, s.now_ns + 1) + offer;
  return forecast;
}

Forecast LanePredictor::OnWaitReturn(std::int64_t now, std::uint64_t covered) {
  const bool known = covered != kNothing && covered <= sequence_ && sequence_ - covered < kLog;
  last_harm_ = last_floor_harm_ = 0;
  if (returned_ == 0) first_return_ = now;
  if (!known || sequence_ == 0) {
    returned_ = now;
    wait_base_ = now;
    wait_depth_ = 0;
    return AfterWait(now);
  }
  const Entry& last = entry(covered);
  const std::int64_t last_disturbed = Disturbed(last);
  const std::int64_t disturbed_end = std::max(wait_enter_, last_disturbed);
  Step* position = PositionOf(covered);
  LearnEarly(last, position, now);
  const std::int64_t early = position != nullptr ? std::max(position->early_ns, 0) : 0;
  const std::int64_t undisturbed_end = std::max(wait_enter_, Undisturbed(last) - early);
  SplitHarm(now - undisturbed_end, std::max(wait_enter_, last_disturbed - early) - undisturbed_end, last);
  returned_ = now;
  wait_base_ = std::max(entry(sequence_).submitted, Undisturbed(last) - OverlapOf(position));
  wait_depth_ = static_cast<std::uint32_t>(sequence_ - covered);

  NoteOverlap(last, position);
  LearnPause(last, now);
  // Where the model is late all the same, the wait knows better.
  Learn(std::min(undisturbed_end, now), !unknown_in_flight_);
  if (covered == sequence_) {
    undisturbed_ = std::min(undisturbed_, now);
    disturbed_ = std::min(disturbed_, now);
    by_fills_ = std::min(by_fills_, now);
    occupied_ = std::min(occupied_, now);
    unknown_in_flight_ = false;
  } else if (now > disturbed_end || wait_enter_ < last_disturbed) {
    // The wait ended when the device did: what is still on it moves along with the error.
    undisturbed_ += now - disturbed_end;
    disturbed_ += now - disturbed_end;
    by_fills_ += now - disturbed_end;
    occupied_ += now - disturbed_end;
    shift_ += static_cast<std::uint64_t>(now - disturbed_end);
  }
  segment_ = sequence_ + 1;
  ahead_ = 0;
  ended_ = requests_.OnWaitReturn(now, last_harm_, last_floor_harm_, book_.synced() && book_.period() > 1);
  return AfterWait(now);
}

// Harm of a wait that returned `late` after it would have undisturbed, `explained` of it by all fills.
void LanePredictor::SplitHarm(std::int64_t late, std::int64_t explained, const Entry& last) {
  const std::int64_t harm = std::clamp<std::int64_t>(late, 0, std::max<std::int64_t>(0, explained));
  // The newest submit's: what an earlier one was delayed by floors is that, or was more than `explained`
  // says.
  const std::int64_t floors = std::clamp<std::int64_t>(disturbed_ - by_fills_, 0, last.fills);
  last_harm_ = std::min(harm, std::max<std::int64_t>(0, explained - floors));
  last_floor_harm_ = harm - last_harm_;
}

Forecast LanePredictor::AfterWait(std::int64_t now) {
  Forecast forecast;
  forecast.arrived_ns = arrived_;
  forecast.copies = CopiesOfLate(now);
  forecast.busy_until_ns = std::max(disturbed_, now);
  forecast.withheld = requests_.withheld();
  forecast.spent = spent_;
  if (sequence_ == 0 || unknown_in_flight_ || caution_256_ >= 256) return forecast;
  const Entry& e = entry(sequence_);
  const Step* step = e.place.Best();
  if (step == nullptr) return forecast;
  std::int64_t gap = step->gap_after_wait_ns;
  if (step->gap_after_wait.count() < (step->waits ? step->needed : Step::kReady)) {
    // It hardly ever waits here: what comes next comes as if it had not.
    if (step->waits || step->gap.count() < step->needed) return forecast;
    gap = e.submitted + step->gap_ns - first_return_;
  }
  gap = std::max<std::int64_t>(0, gap - (now - first_return_));  // it may wait again before it goes on
  forecast.ladder = step->ladder;
  const std::int64_t margin = Margin(gap);
  const Step* next = book_.Next();
  forecast.next_submit_ns = now + std::max<std::int64_t>(0, gap + LeadOf(next) - margin);
  if (next != nullptr && step == e.place.position && SlackUsable(*next)) {
    const std::int64_t latest = now + gap + LeadOf(next) + next->slack_ns - margin;
    forecast.latest_free_ns = std::max(Offered(forecast.next_submit_ns, latest), now + 1) + OfferLeft();
  } else if (OfferLeft() > 0) {
    forecast.latest_free_ns = forecast.next_submit_ns + OfferLeft();
  }
  return forecast;
}

int LanePredictor::TakeChangedLadder() {
  if (changed_ladders_ == 0) return -1;
  const int ladder = std::countr_zero(changed_ladders_);
  changed_ladders_ &= changed_ladders_ - 1;
  return ladder;
}

}  // namespace mortar::predict
