// Streams that run side by side on the device, which the models count one after the other.
#include <vector>

#include "base/random.h"
#include "predict/lane_fixture.h"

namespace mortar::predict {
namespace {

// Submits a collective of 5 ms on one stream and 1 ms of work on another, which runs beside it, and waits for
// both.
class OverlapTest : public LaneTest {
 protected:
  // `fill_ns`: a fill takes so much of the device before them. Returns the harm of the wait.
  std::int64_t Lap(std::int64_t fill_ns = 0) {
    const std::int64_t fill_until = fill_ns != 0 ? now_ + fill_ns : 0;
    const std::int64_t end = now_ + fill_ns + 5'000 * kUs;
    lane_.OnSubmit({.kernel = collective_, .now_ns = now_, .fill_until_ns = fill_until, .stream = 1});
    now_ += 10 * kUs;
    forecast_ = lane_.OnSubmit({.kernel = work_, .now_ns = now_, .fill_until_ns = fill_until, .stream = 2});
    lane_.OnWaitEnter(now_);
    now_ = end;
    lane_.OnWaitReturn(now_, lane_.last_sequence());
    now_ += 300 * kUs;
    return lane_.last_harm_ns();
  }
  Kernel* collective_ = Make(7, 5'000);
  Kernel* work_ = Make(8, 1'000);
  Forecast forecast_;  // with the newest submit
};

// Else what fills claim begins a millisecond after the device is free, and nothing of theirs goes meanwhile.
TEST_F(OverlapTest, TheDeviceIsForetoldFreeWhenTheWaitReturns) {
  for (int i = 0; i < 100; ++i) Lap();
  const std::int64_t end = now_ - 300 * kUs + 5'300 * kUs;
  Lap();
  EXPECT_EQ(forecast_.busy_until_ns, end);
  EXPECT_EQ(forecast_.next_submit_ns, end + 300 * kUs);
  // A fill of 2 ms delays what is behind it, both of them.
  Lap(2'000 * kUs);
  EXPECT_EQ(forecast_.busy_until_ns, now_ - 300 * kUs);
}

TEST_F(OverlapTest, HarmCountsFromWhenTheWaitReturnsUndisturbed) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Lap(), 0);
  EXPECT_NEAR(static_cast<double>(Lap(2'000 * kUs)), 2e6, 20e3);
  EXPECT_NEAR(static_cast<double>(Lap(300 * kUs)), 300e3, 20e3);
}

// Where streams overlap, a wait may be for a chain that the models do not tell from the rest: of what would
// do beyond the next submit, half is offered.
TEST_F(LaneTest, OfSlackBesideACollectiveHalfIsOffered) {
  Kernel* collective = Make(7, 5'000);
  Kernel* work = Make(8, 3'000);
  Kernel* little = Make(9, 100);
  for (const bool beside : {false, true}) {
    Forecast first;
    std::int64_t began = 0;
    for (int i = 0; i < 100; ++i) {
      began = now_;
      first = lane_.OnSubmit({.kernel = little, .now_ns = now_, .stream = 1});
      now_ = began + 1'000 * kUs;
      lane_.OnSubmit({.kernel = little, .now_ns = now_, .stream = 1});
      now_ = began + 6'000 * kUs;
      lane_.OnSubmit({.kernel = collective, .now_ns = now_, .stream = beside ? 2U : 1U});
      lane_.OnSubmit({.kernel = work, .now_ns = now_, .stream = 1});
      lane_.OnWaitEnter(now_);
      now_ = began + (beside ? 11'000 : 14'000) * kUs;
      lane_.OnWaitReturn(now_, lane_.last_sequence());
      now_ += 300 * kUs;
    }
    // The wait's return, less 8,100 us yet to be submitted: at 5,900 us, or 2,900; the next submit comes at
    // 1,000.
    const std::int64_t latest = beside ? 1'000 + (2'900 - 1'000) / 2 : 5'900;
    EXPECT_NEAR(static_cast<double>(first.latest_free_ns - began), static_cast<double>(latest * kUs), 10e3);
  }
}

// A wait may be for a submit of a period that is gone meanwhile, and its memory with it.
TEST_F(OverlapTest, WaitsReachBackIntoPeriodsThatAreGone) {
  std::vector<Kernel*> kernels;
  for (int id = 10; id < 20; ++id) kernels.push_back(Make(id, 50));
  base::Random random(5);
  for (int phase = 0; phase < 60; ++phase) {
    const std::size_t period = 2 + random.Next() % 40;
    std::vector<Kernel*> pattern;
    for (std::size_t i = 0; i < period; ++i) pattern.push_back(kernels[random.Next() % kernels.size()]);
    const std::uint64_t behind = random.Next() % 200;
    for (std::size_t i = 0; i < 20 * period; ++i) {
      lane_.OnSubmit({.kernel = pattern[i % period], .now_ns = now_, .stream = 1});
      now_ += 60 * kUs;
      if (i % period != 0 || lane_.last_sequence() <= behind) continue;
      lane_.OnWaitEnter(now_);
      now_ += 10 * kUs;
      lane_.OnWaitReturn(now_, lane_.last_sequence() - behind);
      EXPECT_GE(lane_.last_harm_ns(), 0);
    }
  }
  EXPECT_GT(lane_.period_submits(), 0U);
}

}  // namespace
}  // namespace mortar::predict
