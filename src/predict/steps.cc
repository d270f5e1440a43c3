#include "predict/steps.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace mortar::predict {
namespace {

constexpr std::uint64_t kMostCompared = 256;  // chosen: submits looked back at for a way back

}  // namespace

StepBook::StepBook() : contexts_(new Step[kContexts]) {}

Step* StepBook::Context(std::uint64_t key) {
  Step& step = contexts_[key % kContexts];
  if (step.key != key) {
    step = Step{};
    step.key = key;
  }
  return &step;
}

StepBook::Place StepBook::Advance(std::uint64_t symbol) {
  last_ = {last_[1], last_[2], symbol};
  Place place;
  if (synced_) {
    if (steps_[position_].key == symbol) {
      place.position = &steps_[position_];
      if (++position_ == period_) position_ = 0;
      ++matched_;
      ++since_failure_;
      if (matched_ < kSettled) finder_.Push(symbol);
      if (place.position->ready()) return place;
    } else {
      if (matched_ >= kSettled) finder_.Clear();
      synced_ = false;
      lost_ = 0;
      matched_ = 0;
      since_failure_ = 0;
      ++failures_;
    }
  }
  if (place.position == nullptr) {
    ++lost_;
    ++since_failure_;
    finder_.Push(symbol);
  }
  const auto plain = [&](std::size_t i) { return last_[i] & ~kPositionsOnly; };
  place.context = Context(base::Mix(plain(0) + 3 * plain(1) + 7 * plain(2)) | 1);
  place.single = Context(base::Mix(plain(2)) | 1);
  return place;
}

bool StepBook::Search() {
  if (period_ != 0 && failures_ > 0) {
    // A period holds across the place where the known one failed. If it is longer, that one was a repeat
    // inside it; if it is as long, something else is submitted there from now on.
    for (const std::uint32_t shortest : {period_, period_ + 1}) {
      const std::uint32_t found = finder_.Search(shortest);
      if (found == 0 || since_failure_ >= 2 * std::uint64_t{found}) continue;
      Lock(found);
      return true;
    }
  }
  if (synced_) return false;
  if (period_ != 0) {
    if (FindWayBack() || lost_ <= kLostLaps * period_) return false;
    period_ = 0;
  }
  const std::uint32_t found = finder_.Search(1);
  if (found != 0) Lock(found);
  return found != 0;
}

void StepBook::Lock(std::uint32_t period) {
  // Of as many places as before most are the same.
  const bool same = period == period_ && (synced_ || FindWayBack());
  const std::unique_ptr<Step[]> old = std::exchange(steps_, std::make_unique<Step[]>(period));
  // The newest symbol is the last of the period, so the next one is position 0.
  for (std::uint32_t i = 0; i < period; ++i) {
    const std::uint64_t key = finder_.Symbol(period - 1 - i);
    if (same) {
      Step& before = old[(position_ + i) % period];
      if (before.key == key) {
        steps_[i] = before;
        continue;
      }
    }
    steps_[i].key = key;
    if (period >= kLong) steps_[i].needed = Step::kReadyLong;
  }
  period_ = period;
  after_start_ = (same ? after_start_ + period - position_ : 1) % period;
  position_ = 0;
  matched_ = 0;
  failures_ = 0;
  since_failure_ = 0;
  synced_ = true;
}

bool StepBook::FindWayBack() {
  if (lost_ < 3) return false;
  // Of the places that the last three submits lead to, the one that most of those before lead to as well.
  const auto known = static_cast<std::uint32_t>(std::min<std::uint64_t>(finder_.pushed(), kMostCompared));
  std::uint32_t best = 0;
  std::uint32_t longest = 0;
  for (std::uint32_t i = 0; i < period_; ++i) {
    const auto key = [&](std::uint32_t back) { return steps_[(i + 4 * period_ - back) % period_].key; };
    if (key(0) != last_[2] || (period_ >= 3 && (key(1) != last_[1] || key(2) != last_[0]))) continue;
    std::uint32_t length = 1;
    while (length < known && length < period_ && key(length) == finder_.Symbol(length)) ++length;
    if (length <= longest) continue;
    longest = length;
    best = i;
  }
  if (longest == 0) return false;
  position_ = (best + 1) % period_;
  synced_ = true;
  matched_ = 0;
  return true;
}

void StepBook::ChooseStart() {
  if (period_ == 0) return;
  std::uint32_t longest = period_ - 1;
  for (std::uint32_t i = 0; i < period_; ++i) {
    if (steps_[i].waits == steps_[longest].waits ? steps_[i].gap_ns > steps_[longest].gap_ns
                                                 : steps_[i].waits) {
      longest = i;
    }
  }
  after_start_ = (longest + 2) % period_;
}

}  // namespace mortar::predict
