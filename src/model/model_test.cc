#include "model/model.h"

#include <gtest/gtest.h>

#include "model/kernel_id.h"

namespace mortar::model {
namespace {

TEST(ModelTest, EveryPolicyNameFindsItsNumber) {
  for (const PolicyId id : kPolicies) EXPECT_EQ(FindPolicy(PolicyName(id)), id);
  EXPECT_FALSE(FindPolicy("fifo").has_value());
}

TEST(KernelIdTest, NameAndEachPartOfTheShapeCount) {
  const LaunchShape shape{{64, 1, 1}, {8, 1, 1}, 0};
  const KernelId id = MakeKernelId("gemm", shape);
  EXPECT_EQ(id, MakeKernelId("gemm", shape));
  EXPECT_NE(id, MakeKernelId("gemv", shape));
  EXPECT_NE(id, MakeKernelId("gemm", {{65, 1, 1}, {8, 1, 1}, 0}));
  EXPECT_NE(id, MakeKernelId("gemm", {{64, 1, 1}, {16, 1, 1}, 0}));
  EXPECT_NE(id, MakeKernelId("gemm", {{64, 1, 1}, {8, 1, 1}, 128}));
}

}  // namespace
}  // namespace mortar::model
