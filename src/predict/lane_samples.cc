// What samples of device time and waits teach a lane: durations of places, leads, pauses.
#include <algorithm>
#include <cstdlib>

#include "predict/lane.h"

namespace mortar::predict {
namespace {

constexpr std::uint32_t kChainLeast = 16;              // chosen: shorter chains say little about pauses
constexpr std::int64_t kLongestPauseNs = 5'000;        // chosen
constexpr std::int64_t kLongestLeadNs = 50'000;        // chosen: what takes longer is not the launch
constexpr std::int64_t kLongestOwnLeadNs = 1'000'000;  // chosen: of one place in the period
constexpr double kArrivalQuantile = 1;
constexpr std::int64_t kLeadShare = 4;        // chosen: a shorter one counts a quarter
constexpr double kLeadQuantile = 0.25;        // chosen: what delays a start once in a while is no lead
constexpr std::int64_t kDurationShare = 4;    // chosen: a further sample counts a quarter
constexpr std::int64_t kLooseShare = 16;      // chosen
constexpr std::int64_t kDurationSpread = 16;  // chosen: a fill is charged a sixteenth more
constexpr std::int64_t kBlockedNs = 2'000;    // chosen: a shorter wait does not show when the device was done
constexpr int kSpreadFades = 8;               // chosen: by so much of it with each undisturbed wait
constexpr std::int64_t kMuchOverlapNs = 500'000;  // chosen
constexpr std::int64_t kMuchOverlapShare = 4;     // chosen
constexpr std::uint32_t kOverlapLaps = 16;        // chosen: for so many periods it is remembered
constexpr int kEarlyShift = 2;                    // chosen: a further wait counts a quarter

}  // namespace

void LanePredictor::OnSampled(const Kernel& kernel, std::int64_t submitted, std::int64_t device_ns,
                              std::int64_t began, bool loose) {
  if (sequence_ == 0) return;
  // The log ascends by the instant of submit.
  std::uint64_t low = sequence_ >= kLog ? sequence_ - kLog + 1 : 1;
  std::uint64_t high = sequence_;
  while (low < high) {
    const std::uint64_t middle = (low + high) / 2;
    if (entry(middle).submitted < submitted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const Entry& e = entry(low);
  if (e.submitted != submitted || e.kernel != &kernel) return;
  Step* step = PositionOf(low);
  if (began >= submitted && WasIdle(low, began - submitted)) LearnLead(began - submitted, step);
  if (step == nullptr) return;
  if (device_ns >= KernelTable::kAlwaysTimedNs || step->lengths.count() > 0) {
    step->lengths.Add(device_ns);
    if (step->lengths.count() >= Step::kReady)
      step->length_ns = static_cast<std::uint32_t>(step->lengths.Quantile(KernelTable::kLengthQuantile));
  }
  const std::int64_t usual = kernel.duration_ns.load(std::memory_order_relaxed);
  const std::int64_t old = step->durations == 0 ? device_ns : std::int64_t{step->duration_ns};
  // What is loose is too long now and then, and never too short.
  std::int64_t learned = old + (device_ns - old) / (loose && device_ns > old ? kLooseShare : kDurationShare);
  // One odd sample makes no duration of its own: of the first few that differ, the more usual one counts.
  if (step->durations < kDurationsWanted && std::abs(device_ns - old) > old / 2)
    learned = std::abs(device_ns - usual) < std::abs(old - usual) ? device_ns : old;
  step->duration_ns = static_cast<std::uint32_t>(std::clamp<std::int64_t>(learned, 1, UINT32_MAX));
  if (step->durations < UINT8_MAX) ++step->durations;
}

std::int64_t LanePredictor::LessLead(const Kernel& kernel, std::int64_t device_ns) {
  const std::int64_t usual = kernel.duration_ns.load(std::memory_order_relaxed);
  if (KernelTable::KnownExactly(kernel) && device_ns >= usual) {
    loose_leads_.Add(device_ns - usual);
    // Others' work delays some of them: also of the longest way to the device only the usual one is believed.
    if (loose_leads_.count() >= Step::kReady) LearnLead(loose_leads_.Quantile(kLeadQuantile), nullptr);
  }
  return std::max<std::int64_t>(1, device_ns - lead_ns_);
}

// The device had nothing to do when the submit came, for certain: a wait covered all before it, or the model
// has had it idle for longer than the lead found. Else that lead may be the model's own error, and would stay
// with its place.
bool LanePredictor::WasIdle(std::uint64_t sequence, std::int64_t lead) {
  const Entry& e = entry(sequence);
  if (e.idle == 0) return false;
  if (e.wait != 0 && waits_[e.wait - 1].depth == 0) return true;
  return sequence > 1 && lead <= e.submitted - Disturbed(entry(sequence - 1));
}

void LanePredictor::LearnLead(std::int64_t lead, Step* step) {
  if (lead > kLongestOwnLeadNs) return;
  if (step != nullptr) {
    const std::int64_t old = step->lead != 0 ? std::int64_t{step->lead} - 1 : 0;
    step->lead = static_cast<std::uint32_t>(1 + std::max(lead, old + (lead - old) / kLeadShare));
  }
  if (lead > kLongestLeadNs) return;
  leads_.Add(lead);
  if (leads_.count() < Step::kReady) return;
  lead_ns_ = leads_.Quantile(kLeadQuantile);
  arrival_ns_ = leads_.Quantile(kArrivalQuantile);
}

std::int64_t LanePredictor::LengthOf(const Kernel& kernel) const {
  const std::int64_t length = kernel.length_ns.load(std::memory_order_relaxed);
  const Step* next = book_.Next();
  if (length == 0 || next == nullptr || next->key >> 2 != SymbolOf(&kernel, false, false) >> 2) return length;
  const bool own = OwnDuration(kernel, *next, kernel.duration_ns.load(std::memory_order_relaxed));
  return std::max<std::int64_t>(own ? next->duration_ns + next->duration_ns / kDurationSpread : length,
                                next->length_ns);
}

void LanePredictor::LearnEarly(const Entry& last, Step* step, std::int64_t now) {
  if (step == nullptr || unknown_in_flight_ || last.fills != 0 || now - wait_enter_ < kBlockedNs) return;
  const std::int64_t missed =
      std::clamp<std::int64_t>(Undisturbed(last) - now, -INT32_MAX / 2, INT32_MAX / 2);
  if (last.idle != 0 && step->early_ns != 0) {
    const std::int64_t later = std::clamp<std::int64_t>(step->early_ns - missed, 0, Step::kMostSpreadNs);
    const std::int64_t faded = step->spread - (step->spread + kSpreadFades - 1) / kSpreadFades;
    step->spread = static_cast<std::uint8_t>(std::max(later / Step::kSpreadNs, faded));
  }
  const std::int64_t more = missed - step->early_ns;
  // Rounded down, so that what proves to be nothing ends at nothing.
  step->early_ns += static_cast<std::int32_t>(step->early_ns == 0 ? more : more >> kEarlyShift);
}

// Much overlap is half a millisecond that is a quarter of what was ahead of the wait's last submit, or more.
void LanePredictor::NoteOverlap(const Entry& last, const Step* position) {
  const std::int64_t overlap = OverlapOf(position);
  if (overlap < kMuchOverlapNs || kMuchOverlapShare * overlap < Undisturbed(last) - last.submitted) return;
  overlaps_until_ = laps_ + kOverlapLaps;
}

// The wait returned when the device was done with a long chain of kernels, and nothing came in between: what
// the model missed is the pauses between them.
void LanePredictor::LearnPause(const Entry& last, std::int64_t now) {
  const std::int64_t end = Disturbed(last);
  if (last.chain < kChainLeast || now <= wait_enter_ || last.fills != 0) return;
  if (unknown_in_flight_ || (end <= wait_enter_ && now - wait_enter_ < kLongestPauseNs)) return;
  const std::int64_t missed = (now - end) * 256 / last.chain;
  const std::int64_t learned = std::int64_t{pause_256_} + missed / 4;
  pause_256_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(learned, 0, kLongestPauseNs * 256));
  pause_ns_ = pause_256_ / 256;
}

}  // namespace mortar::predict
