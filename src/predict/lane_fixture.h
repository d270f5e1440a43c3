// A little program that is played against a lane's predictor, for tests: submits, waits, time that passes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "predict/lane.h"

namespace mortar::predict {

inline constexpr std::int64_t kUs = 1000;

class LaneTest : public testing::Test {
 protected:
  Kernel* Make(int id, std::int64_t duration_us) {
    Kernel* kernel = kernels_.FindOrAdd(static_cast<model::KernelId>(id), "k" + std::to_string(id));
    for (int i = 0; i < 3; ++i) kernels_.AddSample(*kernel, duration_us * kUs, false);
    return kernel;
  }
  Forecast Submit(Kernel* kernel) {
    const Forecast f = lane_.OnSubmit({.kernel = kernel,
                                       .now_ns = now_,
                                       .fill_until_ns = fill_until_,
                                       .fill_is_floor = fill_is_floor_,
                                       .held_ns = held_,
                                       .stream = 1});
    device_ = std::max({device_, now_, fill_until_}) + kernel->duration_ns;
    fill_until_ = 0;
    Account();
    return f;
  }
  Forecast Wait() {
    lane_.OnWaitEnter(now_);
    now_ = std::max(now_, device_);
    const Forecast f = lane_.OnWaitReturn(now_, lane_.last_sequence());
    Account();
    return f;
  }
  // Feeds ended requests to sums; every `controls_every_`th is followed by a planned control.
  void Account() {
    const RequestTracker::Ended ended = lane_.TakeEnded();
    if (!ended.valid) return;
    ++(ended.control ? controls_ : requests_);
    harm_ += ended.harm_ns;
    floor_harm_ += ended.floor_harm_ns;
    if (controls_every_ > 0 && requests_ % controls_every_ == 0 && !ended.control) lane_.PlanNext(true);
  }

  KernelTable kernels_;
  LanePredictor lane_{kernels_, 1};
  std::int64_t now_ = 1'000'000'000;
  std::int64_t device_ = 0;
  std::int64_t fill_until_ = 0;
  int requests_ = 0;
  int controls_ = 0;
  int controls_every_ = 0;
  std::int64_t harm_ = 0;
  std::int64_t floor_harm_ = 0;
  std::int64_t held_ = 0;  // every submit is, for so long before `now_`
  bool fill_is_floor_ = false;
};

}  // namespace mortar::predict
