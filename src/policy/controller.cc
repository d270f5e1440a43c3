#include "policy/controller.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "policy/view.h"

namespace mortar::policy {
namespace {

constexpr double kForgetAt = 2000;  // chosen: requests after which old ones count half
constexpr double kMinControls = 8;  // chosen: fewer say nothing
constexpr double kSure = 3 / 1.96;  // chosen: half intervals; it is looked at after each request
constexpr double kRaise = 0.04;     // chosen: caution rises ten times as fast as it falls
constexpr double kLower = 0.004;
// Chosen: a request of a second without harm says more than one of a millisecond. One step each so much of
// it.
constexpr double kStepNs = 10e6;
constexpr double kMostSteps = 40;
constexpr int kRecent = 20;
// Chosen. What happens to one request in a thousand (the program was stopped, or had to read a file) happens
// to no control for long, and is no fill's doing: the scale takes it for a request of this many times the
// longest control.
constexpr double kUnusual = 2;
constexpr double kFades = 64;  // chosen: by so much of it with each control

}  // namespace

void Controller::Sums::Add(double x) {
  if (n >= kForgetAt) {
    n /= 2;
    sum /= 2;
    squares /= 2;
  }
  n += 1;
  sum += x;
  squares += x * x;
}

double Controller::Sums::variance_of_mean() const {
  if (n < 2) return 0;
  const double m = mean();
  return std::max(0.0, squares / n - m * m) / (n - 1);
}

MeasuredSlowdown Controller::Measured() const { return Compare(treated_, controls_); }

MeasuredSlowdown Controller::Compare(const Sums& treated, const Sums& controls) {
  if (controls.n < kMinControls || treated.n < kMinControls || controls.mean() <= 0) return {};
  const double ratio = treated.mean() / controls.mean();
  // Delta method for a ratio of independent means.
  const double relative = treated.variance_of_mean() / (treated.mean() * treated.mean()) +
                          controls.variance_of_mean() / (controls.mean() * controls.mean());
  const double half = 1.96 * ratio * std::sqrt(relative);
  return {true, ratio - 1, ratio - 1 - half, ratio - 1 + half};
}

double Controller::ModelledSlowdown() const {
  const double base = treated_.sum - harm_total_;
  return base > 0 ? harm_total_ / base : 0;
}

std::int64_t Controller::allowed_in_flight_ns() const {
  if (filled_ == 0) return 0;
  double base = 0;
  for (int i = 0; i < filled_; ++i) base += base_[static_cast<std::size_t>(i)];
  const double allowed = limit_ * (1 - caution()) * base / filled_;
  return static_cast<std::int64_t>(std::min(allowed, static_cast<double>(kMostInFlightNs)));
}

void Controller::UpdateScale() {
  const MeasuredSlowdown measured = Compare(usual_, controls_);
  const double model = ModelledSlowdown();
  scale_ = 1;
  if (!measured.known) return;
  const double floor = std::max(model, limit_ / 20);  // a model of almost zero cannot be scaled
  const double low = measured.mean - kSure * (measured.mean - measured.low);
  const double high = measured.mean + kSure * (measured.high - measured.mean);
  if (low > model) scale_ = std::min(20.0, low / floor);
  if (high < model) scale_ = std::max(0.5, std::max(0.0, high) / floor);
}

void Controller::OnRequest(std::int64_t request_ns, std::int64_t harm_ns, bool control,
                           std::int64_t floor_harm_ns) {
  if (std::exchange(skip_, false)) return;
  const auto request = static_cast<double>(request_ns);
  const auto harm = static_cast<double>(harm_ns);
  const auto all_harm = static_cast<double>(harm_ns + floor_harm_ns);
  if (control) {
    controls_.Add(request);
    longest_control_ = std::max(request, longest_control_ * (1 - 1 / kFades));
  } else {
    if (treated_.n >= kForgetAt) harm_total_ /= 2;
    treated_.Add(request);
    usual_.Add(longest_control_ > 0 ? std::min(request, kUnusual * longest_control_) : request);
    harm_total_ += all_harm;
  }
  UpdateScale();

  harm_[static_cast<std::size_t>(next_)] = harm;
  const double base = std::max(0.0, request - all_harm);
  base_[static_cast<std::size_t>(next_)] = base;
  next_ = (next_ + 1) % kWindow;
  filled_ = std::min(filled_ + 1, kWindow);

  double window_harm = 0;
  double window_base = 0;
  double recent_harm = 0;
  double recent_base = 0;
  for (int i = 0; i < filled_; ++i) {
    const auto at = static_cast<std::size_t>((next_ - 1 - i + kWindow) % kWindow);
    window_harm += harm_[at];
    window_base += base_[at];
    if (i < kRecent) {
      recent_harm += harm_[at];
      recent_base += base_[at];
    }
  }
  const double aim = limit_ * kAim;
  const double most = aim * std::max(window_base, base * kWindow);
  allowance_ = std::clamp(allowance_ + aim * base - scale_ * all_harm, -kMostDebt * most, most);
  const double above = std::max(0.0, limit_ - kOfferAbove);
  const double offer = offer_ + above * kAim * base - scale_ * all_harm;
  offer_ = std::clamp(offer, -kMostDebt * most, limit_ * window_base / filled_);
  exhausted_ = window_harm * scale_ > (aim + above * kOfferSpare) * window_base;
  const double recent = recent_base > 0 ? recent_harm * scale_ / recent_base : 0;
  const double steps = std::clamp(request / kStepNs, 1.0, kMostSteps);
  caution_ = std::clamp(caution_ + (recent > 0.7 * aim ? kRaise : -kLower * steps), 0.0, 0.95);
}

}  // namespace mortar::policy
