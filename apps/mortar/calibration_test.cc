#include "mortar/calibration.h"

#include <gtest/gtest.h>

#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

TEST(CalibrationTest, SameWorkInTheSameTimeIsMerged) {
  EXPECT_EQ(ModeOf(1.02), model::DeviceMode::kMerged);
  EXPECT_EQ(ModeOf(2.1), model::DeviceMode::kSliced);
  EXPECT_EQ(ModeOf(1.9), model::DeviceMode::kSliced);
}

TEST(CalibrationTest, ARoundChangesOverTwice) {
  // 2 kernels of 20 us and 10 us of the host's in both; 60 us more where the device changes over twice.
  EXPECT_EQ(SwitchCostOf(110'000, 50'000), 30'000);
  EXPECT_EQ(SwitchCostOf(49'000, 50'000), 0) << "noise";
}

TEST(CalibrateTest, WithoutADriverItSaysSo) {
  const Outcome outcome = RunMortar({"calibrate"}, {});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  EXPECT_NE(outcome.err.find("there is no CUDA driver"), std::string::npos) << outcome.err;
}

TEST(CalibrateTest, AFileThatIsNoDriverIsSaid) {
  const Outcome outcome = RunMortar({"calibrate"}, {{"MORTAR_CUDA_DRIVER", "/etc/passwd"}});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  EXPECT_NE(outcome.err.find("/etc/passwd"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace mortar::cli
