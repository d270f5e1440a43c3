#include "power/simulated/orin_agx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/shared_data.h"

namespace mortar::power {
namespace {

TEST(OrinAgxTest, Has441ModesAnd15Roles) {
  EXPECT_EQ(OrinModes().size(), 441u);
  EXPECT_EQ(OrinWorkloads().size(), 15u);
  const OrinMode last = OrinModes().back();
  EXPECT_EQ(last.cores, 12);
  EXPECT_EQ(last.gpu_hz, 1300500000);
  EXPECT_FALSE(SimulateOrin("lstm", false, 3, {}));
  EXPECT_FALSE(SimulateOrin("alexnet", false, 1, {}));
  EXPECT_FALSE(SimulateOrin("bert-large", true, 16, {}));
}

TEST(OrinAgxTest, DefaultModeReturnsMeasuredReadings) {
  const auto one = SimulateOrin("mobilenet", false, 16, {});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->time_ms, 28.11472);
  EXPECT_EQ(one->power_w, 38.52);
  const auto root = test::SharedData();
  if (!root) GTEST_SKIP() << test::kNoSharedData;
  std::ifstream file(*root + "/profiles/orin_agx_maxn_inference_measured.csv");
  std::string line;
  std::getline(file, line);
  int same = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string field[10];
    for (auto& text : field) std::getline(fields, text, ',');
    if (field[9] == "18.355") continue;  // the faulty reading
    const auto reading = SimulateOrin(field[1], false, std::stoi(field[3]), {});
    ASSERT_TRUE(reading) << line;
    EXPECT_EQ(reading->time_ms, std::stod(field[8])) << line;
    EXPECT_EQ(reading->power_w, std::stod(field[9])) << line;
    ++same;
  }
  EXPECT_EQ(same, 24);
}

TEST(OrinAgxTest, FasterClocksNeverSlowItDownAndCostPower) {
  for (const OrinWorkload& workload : OrinWorkloads()) {
    for (const int batch : workload.batches) {
      OrinMode slow;
      slow.gpu_hz = 522750000;
      const auto low = SimulateOrin(workload.name, workload.training, batch, slow);
      const auto high = SimulateOrin(workload.name, workload.training, batch, {});
      ASSERT_TRUE(low && high);
      EXPECT_GT(low->time_ms, high->time_ms) << workload.name << batch;
      EXPECT_LT(low->power_w, high->power_w) << workload.name << batch;
      EXPECT_GT(low->power_w, 5);
    }
  }
}

TEST(OrinAgxTest, CsvIsOneRowAPointAndNoiseIsItsSeedsAlone) {
  const std::string csv = OrinProfileCsv();
  // 8 inference roles of 5 batches and 7 of training, 441 modes, and the header.
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 47 * 441 + 1);
  EXPECT_NE(csv.find("orin-agx-simulated,lstm,infer,1,12,2201600,1300500000,3199000000,1.232528,29.474\n"),
            std::string::npos);
  EXPECT_EQ(OrinProfileCsv(0.02, 5), OrinProfileCsv(0.02, 5));
  EXPECT_NE(OrinProfileCsv(0.02, 5), csv);
}

}  // namespace
}  // namespace mortar::power
