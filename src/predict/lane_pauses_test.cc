// What a device takes between two kernels, which no sample shows: learned from waits for long chains.
#include "predict/lane_fixture.h"

namespace mortar::predict {
namespace {

// Requests of 400 kernels of 10 us, a pause apart on the device, submitted every `every` ns: with pauses the
// device falls behind, without them it would not.
class PausesTest : public LaneTest {
 protected:
  // `fill_ns`: a fill takes so much of the device before the first kernel.
  void Lap(std::int64_t fill_ns = 0) {
    const std::int64_t fill_until = fill_ns != 0 ? now_ + fill_ns : 0;
    std::int64_t end = now_ + fill_ns;
    for (int i = 0; i < 400; ++i) {
      foretold_ =
          lane_
              .OnSubmit(
                  {.kernel = kernel_, .now_ns = now_, .fill_until_ns = i == 0 ? fill_until : 0, .stream = 1})
              .busy_until_ns;
      end = std::max(now_, end + pause_) + 10 * kUs;
      now_ += every_;
    }
    lane_.OnWaitEnter(now_);
    now_ = std::max(now_, end);
    error_ = foretold_ - end;
    lane_.OnWaitReturn(now_, lane_.last_sequence());
    now_ += 500 * kUs;
  }

  Kernel* kernel_ = Make(7, 10);
  std::int64_t pause_ = 1'000;
  std::int64_t every_ = 10'500;
  std::int64_t foretold_ = 0;
  std::int64_t error_ = 0;  // foretold minus actual end
};

TEST_F(PausesTest, AreFoundWhereTheModelWithoutThemWouldNeverBeBehind) {
  Lap();
  EXPECT_LT(error_, -150 * kUs);
  for (int i = 0; i < 60; ++i) Lap();
  EXPECT_NEAR(static_cast<double>(error_), 0, 20e3);
  Lap(100 * kUs);
  EXPECT_NEAR(static_cast<double>(lane_.last_harm_ns()), 100e3, 20e3);
}

TEST_F(PausesTest, AreNotMadeUpWhereTheDeviceIsIdleBetweenKernels) {
  pause_ = 0;
  for (int i = 0; i < 60; ++i) Lap();
  EXPECT_NEAR(static_cast<double>(error_), 0, 20e3);
}

}  // namespace
}  // namespace mortar::predict
