#include "plan/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mortar::plan {
namespace {

using ::testing::HasSubstr;

TEST(ImportTest, PerseusStagesBecomeInferenceAndTraining) {
  const auto table = ImportProfiles("perseus",
                                    "stage,instruction,frequency,time,energy\n"
                                    "0,forward,1410,0.05,20\n0,backward,1410,0.1,40\n0,forward,855,0.08,16\n",
                                    "f", {"a100", "bloom", {}});
  ASSERT_TRUE(table) << table.error().message;
  const Series* infer = table->Find("bloom-s0", Role::kInfer);
  const Series* train = table->Find("bloom-s0", Role::kTrain);
  ASSERT_TRUE(infer != nullptr && train != nullptr);
  const auto fast = static_cast<std::size_t>(table->FindMode({1410}));
  EXPECT_DOUBLE_EQ(infer->time_ms[fast], 50);
  EXPECT_DOUBLE_EQ(infer->power_w[fast], 400);   // 20 J in 50 ms
  EXPECT_NEAR(train->time_ms[fast], 150, 1e-9);  // forward and backward
  EXPECT_NEAR(train->power_w[fast], 60 / 0.15, 1e-9);
}

TEST(ImportTest, ZeusEpochsBecomeMinibatches) {
  const char* text =
      "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n"
      "cifar100,shufflenetv2,1024,adam,100,9.8,91\n";
  const auto table = ImportProfiles("zeus", text, "f", {"v100", "", {}});
  ASSERT_TRUE(table) << table.error().message;
  const Series* train = table->Find("shufflenetv2-cifar100-adam-b1024", Role::kTrain);
  ASSERT_NE(train, nullptr);
  EXPECT_NEAR(train->time_ms[0], 200, 1e-9);  // 9.8 s over ⌈50000 / 1024⌉ = 49 minibatches
  EXPECT_EQ(train->batches, (std::vector<int>{1024}));
}

TEST(ImportTest, WhatIsNotSaidIsAskedFor) {
  const char* text =
      "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n"
      "mydata,net,8,adam,100,9.8,91\n";
  const auto refused = ImportProfiles("zeus", text, "f", {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("f:2: dataset 'mydata'"));
  EXPECT_TRUE(ImportProfiles("zeus", text, "f", {"d", "", {{"mydata", 800}}}));
  EXPECT_FALSE(ImportProfiles("zeus", "a,b\n1,2\n", "f", {}));
  EXPECT_FALSE(ImportProfiles("perseus", "", "f", {}));
  EXPECT_FALSE(ImportProfiles("perseus", "stage,instruction,frequency,time,energy\n0,idle,1,1,1\n", "f", {}));
  EXPECT_FALSE(ImportProfiles("excel", text, "f", {}));
}

}  // namespace
}  // namespace mortar::plan
