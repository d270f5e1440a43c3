// Cuts a thread's stream into requests and decides which of them are controls.
//
// A request lasts from its first submit to the return of its last wait. It ends where the period begins anew,
// else at a silence after a wait that is long against the program's usual ones (at least kSilenceNs), else
// after kMostWaits waits; or, once the program marks its requests itself, where it says and nowhere else.
// Time spent idle between requests is nobody's request time: a limit on slowdown must not grow with it. One
// owner. Pure.
#pragma once

#include <cstdint>

#include "base/histogram.h"

namespace mortar::predict {

class RequestTracker {
 public:
  static constexpr std::int64_t kSilenceNs = 1'000'000;  // chosen
  static constexpr int kSilenceTimes = 4;                // chosen: against the median gap after waits
  static constexpr int kMostWaits = 20;                  // chosen
  static constexpr int kMostWaitsInPeriod = 4096;        // chosen: the longest period in submits

  struct Ended {
    bool valid = false;
    std::int64_t request_ns = 0;
    std::int64_t harm_ns = 0;        // by fills
    std::int64_t floor_harm_ns = 0;  // by floor fills (policy/floor.h), counted apart
    bool control = false;
    std::int64_t ended_ns = 0;  // return of its last wait
  };

  // OnSubmit has something to do: a wait returned before the submit, or no request is open.
  bool WantsSubmit(std::int64_t returned) const { return !marked_ && (returned != 0 || began_ == 0); }
  // A submit at `now`, after a wait that returned at `returned` (0: none since the last submit).
  // `starts_period`: the period is known and begins here. `held`: so long it was held at the gate, which is
  // no silence. Returns the request that this shows to have ended.
  Ended OnSubmit(std::int64_t now, std::int64_t returned, bool starts_period, std::int64_t held = 0);
  // A wait returned at `now`, `harm` of it modelled as delay by fills, `floor_harm` by floor fills. Returns
  // the request if it surely ended here.
  // `in_period`: the period is known, and its next beginning will end the request.
  Ended OnWaitReturn(std::int64_t now, std::int64_t harm, std::int64_t floor_harm = 0,
                     bool in_period = false);

  // The program says that its request begins, or ends. An unfinished one ends where the next begins.
  Ended OnMark(bool begins, std::int64_t now);

  // Called by the owner after a request ended: is the next one to be a control? Two requests in a row are
  // then run without fills and the second is the control: the first clears what fills left on the device.
  // Never right after a control: fillers would stand still for four requests.
  void PlanNext(bool control);
  // What fills have cost the open request so far.
  std::int64_t harm_ns() const { return harm_ + floor_harm_; }
  // Fills must not start now.
  bool withheld() const { return withhold_ > 0; }

 private:
  Ended Close(std::int64_t end);

  base::Histogram gaps_;
  std::int64_t threshold_ = kSilenceNs;
  std::uint32_t seen_ = 0;
  std::int64_t began_ = 0;  // 0: none open
  std::int64_t last_return_ = 0;
  std::int64_t harm_ = 0;
  std::int64_t floor_harm_ = 0;
  int waits_ = 0;
  bool marked_ = false;
  bool after_control_ = false;
  int withhold_ = 0;  // requests yet to run without fills, the open one included
};

}  // namespace mortar::predict
