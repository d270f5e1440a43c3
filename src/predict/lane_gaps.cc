// What a lane learns of its places once the next submit or a wait's return is seen: gaps and slack.
#include <algorithm>

#include "predict/lane.h"

namespace mortar::predict {
namespace {

constexpr std::uint32_t kLearnAlways = 16;   // repetitions after which a step is seasoned
constexpr std::uint64_t kLongSegment = 512;  // submits

}  // namespace

std::int64_t LanePredictor::SilenceAfter(std::uint64_t sequence) {
  const Entry& e = entry(sequence);
  const Entry& next = entry(sequence + 1);
  const std::int64_t began =
      next.wait != 0 ? waits_[next.wait - 1].returned : std::max(e.submitted, Disturbed(e));
  return Asked(sequence + 1) - began;
}

void LanePredictor::LearnSilence(const Step* step, std::int64_t silence, bool waited) {
  if (silence < GapLadders::kFirstRungNs) return;
  const std::uint8_t ladder = step != nullptr ? step->ladder : GapLadders::ClassOf(silence, waited);
  if (ladders_.Add(ladder, silence)) changed_ladders_ |= 1U << ladder;
}

// A wait is a sign of life too: a program that rests before it waits for nothing (as many do where a request
// begins) was silent for as long as one that rests before it submits.
void LanePredictor::OnWaitEnter(std::int64_t now) {
  wait_enter_ = now;
  if (sequence_ == 0) return;
  const Entry& e = entry(sequence_);
  const std::int64_t began = returned_ != 0 ? returned_ : std::max(e.submitted, disturbed_);
  LearnSilence(e.place.Best(), now - began, returned_ != 0);
}

void LanePredictor::LearnGap(std::uint64_t sequence) {
  Entry& e = entry(sequence);
  const Entry& next = entry(sequence + 1);
  const bool waited = next.wait != 0;
  const Wait wait = waited ? waits_[next.wait - 1] : Wait{};
  const std::int64_t asked = Asked(sequence + 1);
  const std::int64_t gap = asked - (waited ? wait.base : e.submitted);
  const double quantile = 0.5 - 0.45 * caution_;
  for (Step* step : {e.place.position, e.place.context, e.place.single}) {
    if (step == nullptr) continue;
    if (waited) {
      step->gap_after_wait.Add(asked - wait.first_return);
      step->gap_after_wait_ns =
          step->gap_after_wait.Quantile(Step::QuantileOf(step->gap_after_wait, quantile));
    }
    ++step->learned;
    // An exception (a program may wait only in some of its steps) does not undo what is known of the rule.
    step->exceptions = step->waits == waited ? 0 : step->exceptions + 1;
    if (step->exceptions != 0) {
      if (step->gap.count() > 0 && step->exceptions <= Step::kMostExceptions) continue;
      step->waits = waited;
      step->exceptions = 0;
      step->gap = Recent{};
    }
    step->depth = wait.depth;
    step->gap.Add(gap);
    step->gap_ns = step->gap.Quantile(Step::QuantileOf(step->gap, quantile));
    step->ladder = GapLadders::ClassOf(waited ? step->gap_after_wait_ns : step->gap_ns, waited);
  }
  if (recording_ && e.kernel != nullptr) {
    kernels_.AddRecordedGap(*e.kernel, asked - std::max(e.submitted, Undisturbed(e)));
  }
}

void LanePredictor::LearnSlack(Entry& e, std::int64_t slack_ns) {
  Step* step = e.place.position;
  if (step == nullptr) return;
  step->slack.Add(slack_ns);
  step->slack_learned = step->slack.count();
  step->slack_ns = step->slack.Quantile(Step::QuantileOf(step->slack, 0.25 - 0.2 * caution_));
}

void LanePredictor::LearnGaps(std::uint64_t end, std::uint64_t mask, std::uint64_t phase) {
  const std::uint64_t oldest = sequence_ >= kLog ? sequence_ - kLog + 1 : 1;
  for (std::uint64_t i = std::max(learned_gaps_, oldest); i < end; ++i) {
    const Entry& e = entry(i);
    const Entry& next = entry(i + 1);
    const Step* step = e.place.Best();
    LearnSilence(step, SilenceAfter(i), next.wait != 0);
    const bool seasoned = step != nullptr && step == e.place.position && step->learned > kLearnAlways;
    if (seasoned && !recording_ && ((i ^ phase) & mask) != 0) continue;
    LearnGap(i);
  }
  learned_gaps_ = std::max(end, std::uint64_t{1});
}

void LanePredictor::Learn(std::int64_t wait_end, bool with_slack) {
  // Gaps first: each needs the submit after it, so the newest one's stays open until the next round.
  const std::uint64_t oldest = sequence_ >= kLog ? sequence_ - kLog + 1 : 1;
  // Seasoned steps learn from one repetition in four, or in sixteen; which ones, chance says.
  const std::uint64_t mask = sequence_ - segment_ > kLongSegment ? 15 : 3;
  const std::uint64_t phase = random_.Next();
  LearnGaps(sequence_, mask, phase);
  if (!with_slack) return;
  std::int64_t after = 0;  // device time submitted after the one looked at
  for (std::uint64_t i = sequence_; i >= segment_ && i >= oldest; --i) {
    Entry& e = entry(i);
    const Step* step = e.place.position;
    const bool seasoned = step != nullptr && step->slack.count() > kLearnAlways;
    if (!seasoned || ((i ^ phase) & mask) == 0) {
      LearnSlack(e, std::max<std::int64_t>(0, wait_end - Undisturbed(e) - after));
    }
    after += e.duration + pause_ns_;
  }
}

// No wait for long: a wait right now would return when the device is done, and any later one leaves at least
// as much slack as that. So the oldest submits learn a lower bound, some at a time.
void LanePredictor::LearnUnwaited() {
  const std::int64_t wait_end = std::max(entry(sequence_).submitted, undisturbed_);
  const std::uint64_t phase = random_.Next();
  LearnGaps(std::max(learned_gaps_, segment_ + kChunk), 15, phase);
  for (const std::uint64_t end = segment_ + kChunk; segment_ < end; ++segment_) {
    Entry& e = entry(segment_);
    ahead_ -= e.duration;
    const std::int64_t after = ahead_ + static_cast<std::int64_t>(sequence_ - segment_) * pause_ns_;
    const Step* step = e.place.position;
    const bool seasoned = step != nullptr && step->slack.count() > kLearnAlways;
    if (unknown_in_flight_ || (seasoned && ((segment_ ^ phase) & 3) != 0)) continue;
    LearnSlack(e, std::max<std::int64_t>(0, wait_end - Undisturbed(e) - after));
  }
}

}  // namespace mortar::predict
