#include "trace/device_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/test_trace.h"

namespace mortar::trace {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

TEST(DeviceUseTest, GapsLieBetweenBusyTimesOfOneDevice) {
  // Device 0: busy 0–30 (two overlapping) and 40–50, device 1: 100–110, 113–120.
  const DeviceUse use =
      MeasureUse(std::vector<BusyTime>{{40, 50, 0}, {0, 20, 0}, {10, 30, 0}, {100, 110, 1}, {113, 120, 1}});
  EXPECT_EQ(use.span_ns, 120);
  EXPECT_EQ(use.busy_ns, 57);
  EXPECT_EQ(use.device_span_ns, 70);
  EXPECT_THAT(use.gaps_ns, ElementsAre(3, 10));
  EXPECT_DOUBLE_EQ(use.busy(), 57.0 / 70);
  EXPECT_EQ(use.GapQuantile(0.5), 3);
  EXPECT_EQ(use.GapQuantile(0.51), 10);
  EXPECT_EQ(use.GapQuantile(0), 3);
  EXPECT_EQ(use.GapQuantile(1), 10);
  // Of kernels of 4: none in the gap of 3, two in that of 10.
  EXPECT_EQ(use.Fits(4), 8);
  EXPECT_EQ(use.Fits(11), 0);
  EXPECT_EQ(use.Fits(0), 0);
}

TEST(DeviceUseTest, NothingIsIdleWhereNothingRan) {
  const DeviceUse use = MeasureUse(std::vector<BusyTime>{});
  EXPECT_EQ(use.span_ns, 0);
  EXPECT_EQ(use.busy(), 0);
  EXPECT_EQ(use.GapQuantile(0.5), 0);
}

TEST(DeviceUseTest, SlicesShowWhenItWasBusy) {
  const auto r = TestTrace()
                     .Call("cudaLaunchKernel", "0", "1", 1)
                     .Kernel("k", "10", "15", 1)
                     .Call("cudaLaunchKernel", "2", "1", 2)
                     .Kernel("k", "40", "10", 2)
                     .Read();
  ASSERT_TRUE(r) << r.error().message;
  // 10–50 in four parts of 10 µs: busy, half, idle, busy.
  EXPECT_THAT(BusyBySlice(*r, 4), ElementsAre(DoubleEq(1), DoubleEq(0.5), DoubleEq(0), DoubleEq(1)));
  EXPECT_EQ(MeasureUse(*r).GapQuantile(0.5), 15'000);
}

}  // namespace
}  // namespace mortar::trace
