// What a lane tells others now and then: marks of the program, sums, ladders, the report. Never on the submit
// path, but for one in 64 submits, which hands in sums.
#include <algorithm>
#include <utility>

#include "client/lane.h"
#include "client/session.h"

namespace mortar::client {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void AddTo(board::Atomic<std::uint64_t>& sum, std::uint64_t* pending) {
  if (*pending != 0) sum.fetch_add(std::exchange(*pending, 0), kRelaxed);
}

}  // namespace

void Lane::TakeMark(Mark mark) {
  if (shared_ || session_.lost()) return;
  const bool begins = mark == Mark::kRequestBegin || mark == Mark::kMinibatchBegin;
  const bool minibatch = mark == Mark::kMinibatchBegin || mark == Mark::kMinibatchEnd;
  bool& open = minibatch ? in_minibatch_ : in_request_;
  // Begun twice: the first ends where the second begins. Ended without a beginning: nothing to say.
  if (begins && open) TakeMark(minibatch ? Mark::kMinibatchEnd : Mark::kRequestEnd);
  if (!begins && !open) return;
  const bool inside = minibatch ? in_request_ : in_minibatch_;
  open = begins;
  const std::int64_t now = session_.board().NowNs();
  if (minibatch && begins) minibatch_began_ = now;
  if (minibatch && !begins) {
    board::Report& report = session_.slot().report;
    report.minibatches.fetch_add(1, kRelaxed);
    report.minibatch_ns.fetch_add(static_cast<std::uint64_t>(now - minibatch_began_), kRelaxed);
  }
  if (inside) return;
  predictor_.OnMark(begins, now);
  if (predictor_.has_ended()) OnEndedRequest();
  Flush();
}

void Lane::PublishLadders() {
  for (int ladder = predictor_.TakeChangedLadder(); ladder >= 0; ladder = predictor_.TakeChangedLadder()) {
    board::Ladder& line = session_.slot().ladders[ladder];
    for (int r = 0; r < board::kRungs; ++r) {
      line.length_us[r].store(predictor_.ladders().length_us(static_cast<std::uint8_t>(ladder), r), kRelaxed);
    }
  }
  const std::int64_t idle_after = predictor_.ladders().idle_after_ns();
  if (idle_after == std::exchange(idle_after_, idle_after)) return;
  session_.slot().idle_after_ns.store(idle_after, kRelaxed);
}

void Lane::Flush() {
  board::Counters& counters = session_.slot().counters;
  AddTo(counters.submits, &pending_.submits);
  AddTo(counters.gated, &pending_.gated);
  AddTo(counters.gated_ns, &pending_.gated_ns);
  AddTo(counters.fills, &pending_.fills);
  AddTo(counters.fill_ns, &pending_.fill_ns);
  AddTo(counters.device_ns, &pending_.device_ns);
  AddTo(counters.waits, &pending_.waits);
  AddTo(counters.wait_ns, &pending_.wait_ns);
  AddTo(counters.claims_lost, &pending_.claims_lost);
  AddTo(counters.floors, &pending_.floors);
  AddTo(counters.floor_ns, &pending_.floor_ns);
  if (pending_.requests + pending_.controls != 0) Report();
  AddTo(counters.requests, &pending_.requests);
  AddTo(counters.request_ns, &pending_.request_ns);
  AddTo(counters.harm_ns, &pending_.harm_ns);
  AddTo(counters.floor_harm_ns, &pending_.floor_harm_ns);
  AddTo(counters.controls, &pending_.controls);
  AddTo(counters.control_ns, &pending_.control_ns);
}

void Lane::Report() {
  board::Report& report = session_.slot().report;
  const policy::MeasuredSlowdown measured = controller_.Measured();
  const auto ppm = [](double share) {
    return static_cast<std::int32_t>(std::clamp(share, -1.0, 1000.0) * 1e6);
  };
  if (measured.known) {
    report.measured_low_ppm.store(ppm(measured.low), kRelaxed);
    report.measured_high_ppm.store(ppm(measured.high), kRelaxed);
    report.measured_slowdown_ppm.store(ppm(measured.mean), kRelaxed);
  }
  report.caution_permille.store(static_cast<std::uint32_t>(controller_.caution() * 1000), kRelaxed);
  report.period_submits.store(predictor_.period_submits(), kRelaxed);
  report.period_ns.store(static_cast<std::uint64_t>(predictor_.period_ns()), kRelaxed);
  report.kernels_known.store(session_.kernels().size(), kRelaxed);
}

}  // namespace mortar::client
