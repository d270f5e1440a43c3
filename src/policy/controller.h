// The controller behind --max-slowdown: how cautious a holder is in what it offers to fillers.
//
// It acts on the modelled harm, scaled by what the control requests measured. One owner (a lane); called at
// the end of a request. Pure: time and randomness come from the caller.
#pragma once

#include <array>
#include <cstdint>

namespace mortar::policy {

// Mean request time with fills over mean without, minus 1, from the control requests, with its 95 % interval.
struct MeasuredSlowdown {
  bool known = false;
  double mean = 0;
  double low = 0;
  double high = 0;
};

class Controller {
 public:
  static constexpr int kWindow = 100;  // requests over which the limit is kept
  // Design: about 2 % of requests run with fills withheld. Each control takes two, see RequestTracker.
  static constexpr double kControlShare = 0.01;
  static constexpr double kAim = 0.8;  // chosen: share of the limit aimed at; the rest absorbs surprise

  static constexpr double kFirstCaution = 0.3;  // chosen: start careful
  static constexpr double kMostDebt = 100;      // chosen: windows; time heals
  // Chosen, the default limit: what lies above it is there to be used, what lies below only absorbs surprise.
  static constexpr double kOfferAbove = 0.02;
  static constexpr double kOfferSpare = 0.1;  // chosen: share of it between what is aimed at and exhaustion

  explicit Controller(double limit = 0.02) : limit_(limit) {}
  // What was allowed before is not held against what is allowed now; nor is what it still costs the request
  // under way, which counts for nothing.
  void set_limit(double limit) {
    if (limit == limit_) return;
    limit_ = limit;
    ForgetAccount();
  }
  // Fills go by other rules from now on: what they have cost so far says nothing.
  void Restart() {
    ForgetAccount();
    treated_ = {};
    usual_ = {};
    harm_total_ = 0;
    scale_ = 1;
    caution_ = kFirstCaution;
  }
  double limit() const { return limit_; }

  // A request of `request_ns` ended; `harm_ns` of it is modelled delay by fills, `floor_harm_ns` by floor
  // fills (policy/floor.h). `control`: fills were withheld.
  void OnRequest(std::int64_t request_ns, std::int64_t harm_ns, bool control, std::int64_t floor_harm_ns = 0);

  // 0: bold (medians, no margin) … 1: nothing is offered.
  double caution() const { return exhausted_ ? 1.0 : caution_; }
  // The window has used up its allowance: the next request is to run without fills.
  bool exhausted() const { return exhausted_; }
  // All harm together, fills' and floors', has used up what the limit allows: floors yield. An account that
  // may go into debt, so that kernels longer than what a hundred requests allow keep the limit too, on
  // average.
  bool spent() const { return limit_ <= 0 || allowance_ < 0; }
  // Nanoseconds that fills may take from the next request beyond what it does not notice: of a limit above
  // kOfferAbove, what the requests before have left; never more than the limit on that one request, so that
  // it shows in tails no more than in means.
  std::int64_t offer_ns() const { return exhausted_ || offer_ < 0 ? 0 : static_cast<std::int64_t>(offer_); }
  // How much a client below may have in flight where it is foretold to fit: what one request may be harmed
  // by, should the next one come while all of it runs. Less the more cautious; 0 before a request was seen.
  std::int64_t allowed_in_flight_ns() const;
  // Decides whether the next request is a control; `uniform` in [0, 1).
  bool NextIsControl(double uniform) const { return uniform < kControlShare; }

  MeasuredSlowdown Measured() const;
  // What modelled harm is multiplied by before it is compared with the limit; 1 until the measurement
  // disagrees with the model beyond its interval, then as much as the interval's nearer end demands, within
  // [0.5, 20].
  double scale() const { return scale_; }
  double ModelledSlowdown() const;  // over all treated requests, unscaled

 private:
  struct Sums {
    double n = 0, sum = 0, squares = 0;
    void Add(double x);
    double mean() const { return n > 0 ? sum / n : 0; }
    double variance_of_mean() const;
  };
  static MeasuredSlowdown Compare(const Sums& treated, const Sums& controls);
  void UpdateScale();
  void ForgetAccount() {
    allowance_ = offer_ = 0;
    filled_ = next_ = 0;
    exhausted_ = false;
    skip_ = true;
  }

  double limit_;
  double caution_ = kFirstCaution;
  bool exhausted_ = false;
  bool skip_ = false;     // the request under way: its fills went by other rules
  double allowance_ = 0;  // nanoseconds of harm
  double offer_ = 0;      // the same, of the part of the limit that is offered
  double scale_ = 1;
  std::array<double, kWindow> harm_{};
  std::array<double, kWindow> base_{};
  int next_ = 0;
  int filled_ = 0;
  Sums treated_;
  Sums usual_;  // the same, none counted as longer than kUnusual times the longest control
  double longest_control_ = 0;
  Sums controls_;
  double harm_total_ = 0;
};

}  // namespace mortar::policy
