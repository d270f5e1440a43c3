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

TEST(CalibrationTest, CostIsTheMedianOfEstimatesThatAgree) {
  EXPECT_EQ(SettledCost({20'500, 20'100, 19'900, 20'000, 300'000}), 20'100);
  EXPECT_EQ(SettledCost({150'000, 160'000, 140'000, 170'000, 900}), 150'000) << "within a fifth";
  EXPECT_EQ(SettledCost({500, -300, 0, -900, 100}), 0) << "nothing to pay";
}

TEST(CalibrationTest, EstimatesThatDoNotAgreeSayNothing) {
  EXPECT_EQ(SettledCost({}), std::nullopt);
  EXPECT_EQ(SettledCost({20'000, 20'000, 20'000, 20'000}), std::nullopt) << "too few";
  EXPECT_EQ(SettledCost({-40'000, 0, 20'000, 60'000, 5'000}), std::nullopt) << "of a busy machine";
  EXPECT_EQ(SettledCost({-40'000, -40'000, -40'000, -40'000, -40'000}), std::nullopt) << "cannot be";
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
