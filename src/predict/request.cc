#include "predict/request.h"

#include <algorithm>

namespace mortar::predict {

RequestTracker::Ended RequestTracker::Close(std::int64_t end) {
  Ended ended;
  if (began_ != 0 && waits_ > 0 && end > began_) {
    const bool control = withhold_ == 1;
    // The first of a withheld pair is neither control nor treated.
    ended = {withhold_ != 2, end - began_, harm_, floor_harm_, control, end};
    if (withhold_ > 0) --withhold_;
    after_control_ = control;
  }
  began_ = 0;
  harm_ = floor_harm_ = 0;
  waits_ = 0;
  return ended;
}

RequestTracker::Ended RequestTracker::OnSubmit(std::int64_t now, std::int64_t returned, bool starts_period,
                                               std::int64_t held) {
  Ended ended;
  if (returned != 0) {
    const std::int64_t gap = now - held - returned;
    gaps_.Add(gap);
    if (++seen_ % 64 == 1) threshold_ = std::max(kSilenceNs, kSilenceTimes * gaps_.Quantile(0.5));
    if (began_ != 0 && (starts_period || gap > threshold_)) ended = Close(last_return_);
  }
  if (began_ == 0) began_ = now;
  return ended;
}

RequestTracker::Ended RequestTracker::OnWaitReturn(std::int64_t now, std::int64_t harm,
                                                   std::int64_t floor_harm, bool in_period) {
  last_return_ = now;
  harm_ += harm;
  floor_harm_ += floor_harm;
  ++waits_;
  return waits_ >= (in_period ? kMostWaitsInPeriod : kMostWaits) && !marked_ ? Close(last_return_) : Ended{};
}

RequestTracker::Ended RequestTracker::OnMark(bool begins, std::int64_t now) {
  const Ended ended = Close(begins ? last_return_ : now);
  marked_ = true;
  if (begins) began_ = now;
  return ended;
}

void RequestTracker::PlanNext(bool control) {
  if (control && withhold_ == 0 && !after_control_) withhold_ = 2;
}

}  // namespace mortar::predict
