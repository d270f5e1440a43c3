// Where a thread is in what it does over and over, and what came next there before.
//
// A Step is a place in the stream of submits: a position in the period once that is known, else the context
// of the last three submits, falling back to one (design: Prediction). One owner. Memory is taken when a
// StepBook is made and when a period is found, never at other times.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "predict/period.h"
#include "predict/recent.h"

namespace mortar::predict {

struct alignas(64) Step {
  static constexpr std::uint32_t kReady = 4;      // chosen: fewer repetitions foretell nothing
  static constexpr std::uint32_t kReadyLong = 1;  // chosen: of a long period, where chance repeats nothing

  // First line: read at every submit.
  std::uint64_t key = 0;               // the symbol (position) or hash (context)
  std::int64_t gap_ns = 0;             // until the next submit: see LanePredictor
  std::int64_t gap_after_wait_ns = 0;  // from the return of the wait that follows until the next submit
  std::int64_t slack_ns = 0;           // how late what is submitted here may end: see LanePredictor
  std::uint32_t depth = 0;             // the wait that follows leaves this many submits uncovered
  std::uint32_t learned = 0;           // gaps seen
  std::uint32_t slack_learned = 0;
  std::uint32_t duration_ns = 0;  // device time here; 0: never sampled
  // How much earlier than modelled an undisturbed wait for what is submitted here returns.
  std::int32_t early_ns = 0;
  std::uint32_t lead = 0;       // 1 + ns from the submit to its start on an idle device; 0: never seen
  bool waits = false;           // a wait follows, usually
  std::uint8_t exceptions = 0;  // times in a row that it was not so
  std::uint8_t ladder = 0;
  std::uint8_t durations = 0;    // samples behind duration_ns, up to 255
  std::uint8_t asked = 0;        // samples asked for because there were too few
  std::uint8_t needed = kReady;  // repetitions before anything is foretold
  // How much later than usual, of late, it was done though the device was idle: its lead differs as much. In
  // units of kSpreadNs.
  std::uint8_t spread = 0;
  // Only where something is learned, or a filler asks.
  std::uint32_t length_ns = 0;  // what a fill is charged here, where kernels are long; 0: not known
  Recent lengths;
  Recent gap;
  Recent gap_after_wait;
  Recent slack;

  static constexpr std::int64_t kSpreadNs = 256;
  static constexpr std::int64_t kMostSpreadNs = 255 * kSpreadNs;
  static constexpr std::uint8_t kMostExceptions = 3;  // chosen: in a row; then it is the rule
  bool ready() const { return learned >= needed; }
  bool slack_ready() const { return slack_learned >= needed; }
  // What is read of so many samples: the least, where they are few.
  static double QuantileOf(const Recent& samples, double usual) {
    return samples.count() < kReady ? 0 : usual;
  }
};

class StepBook {
 public:
  StepBook();

  struct Place {
    Step* position = nullptr;  // null: no period known
    Step* context = nullptr;   // null while the position alone suffices
    Step* single = nullptr;
    // The most specific place that has been seen often enough, or null.
    const Step* Best() const {
      if (position != nullptr && position->ready()) return position;
      if (context != nullptr && context->ready()) return context;
      return single != nullptr && single->ready() ? single : nullptr;
    }
  };
  // This bit of a symbol tells positions apart; contexts, which see less, do without it.
  static constexpr std::uint64_t kPositionsOnly = 2;
  // The thread submitted `symbol` (never 0 nor that bit alone). Constant time.
  Place Advance(std::uint64_t symbol);
  // Looks for a period, for the way back into the known one, or for a longer one that explains where it
  // failed. To be called after an Advance while Unsettled(), best at the first submit after a wait: what is
  // rare there tells the true period from repeats inside it. A microsecond or two.
  // Returns true if positions given out earlier are gone.
  bool Search();
  // A period is known, and where in it the thread is not.
  bool Lost() const { return !synced_ && period_ != 0; }
  // Looks for the place in the period that the last submits lead to. Microseconds. REQUIRES: Lost().
  bool FindWayBack();
  bool Unsettled() const { return !synced_ || (failures_ > 0 && matched_ < kSettled); }

  // The position that comes next; null where none is known.
  const Step* Next() const { return synced_ ? &steps_[position_] : nullptr; }
  std::uint32_t period() const { return period_; }  // 0: none
  bool synced() const { return synced_; }
  // True if the submit that Advance was last called for begins a period.
  bool AtStart() const { return synced_ && position_ == after_start_; }
  // Makes the period begin where the longest gap ends: there a request or an iteration begins.
  void ChooseStart();

 private:
  static constexpr std::uint32_t kContexts = 2048;
  static constexpr std::uint32_t kLostLaps = 4;  // chosen: laps without a way back before a period is dropped
  static constexpr std::uint64_t kSettled =
      16384;                                  // chosen: submits without a failure; then no history is kept
  static constexpr std::uint32_t kLong = 64;  // chosen: submits, of a period that chance does not repeat
  void Lock(std::uint32_t period);
  Step* Context(std::uint64_t key);

  PeriodFinder finder_;
  std::unique_ptr<Step[]> contexts_;
  std::unique_ptr<Step[]> steps_;
  std::uint32_t period_ = 0;
  std::uint32_t position_ = 0;
  std::uint32_t after_start_ = 0;  // the position that follows the one where the period begins
  std::uint64_t matched_ = 0;      // submits since the last way in
  std::uint32_t lost_ = 0;         // submits since the last match
  std::uint32_t failures_ = 0;     // of the period since it was accepted
  std::uint64_t since_failure_ = 0;
  bool synced_ = false;
  std::array<std::uint64_t, 3> last_{};
};

}  // namespace mortar::predict
