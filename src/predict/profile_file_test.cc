#include "predict/profile_file.h"

#include <gtest/gtest.h>

namespace mortar::predict {
namespace {

std::string Sample() {
  KernelTable table;
  Kernel* a = table.FindOrAdd(0xabc, "gemm with a blank");
  for (int i = 0; i < 20; ++i) table.AddSample(*a, 185'000, true);
  table.AddRecordedGap(*a, 400'000);
  table.AddRecordedGap(*a, 600'000);
  table.FindOrAdd(0xdef, "never timed");
  return WriteProfile(table, "pocl", "serve");
}

TEST(ProfileFileTest, WhatIsWrittenIsReadBack) {
  KernelTable table;
  ASSERT_TRUE(ReadProfile(Sample(), "pocl", &table).ok());
  EXPECT_EQ(table.size(), 1U);
  const Kernel* a = table.Find(0xabc);
  ASSERT_NE(a, nullptr);
  EXPECT_STREQ(a->name, "gemm with a blank");
  EXPECT_EQ(a->samples, 20U);
  EXPECT_NEAR(static_cast<double>(a->duration_ns), 185e3, 17e3);
  EXPECT_EQ(a->offline_duration_ns, 185'000);
  EXPECT_EQ(a->offline_gap_ns, 500'000);
}

TEST(ProfileFileTest, AnyFlippedByteIsFound) {
  const std::string good = Sample();
  for (std::size_t i = 0; i + 1 < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    KernelTable table;
    EXPECT_FALSE(ReadProfile(bad, "pocl", &table).ok()) << i;
    EXPECT_EQ(table.size(), 0U);
  }
}

TEST(ProfileFileTest, CutShortIsFound) {
  const std::string good = Sample();
  for (std::size_t length = 0; length + 1 < good.size(); ++length) {
    KernelTable table;
    EXPECT_FALSE(ReadProfile(good.substr(0, length), "pocl", &table).ok()) << length;
  }
}

TEST(ProfileFileTest, OtherDeviceAndOtherVersionAreNamed) {
  KernelTable table;
  const auto device = ReadProfile(Sample(), "H100", &table);
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().code, base::Code::kMismatch);
  EXPECT_NE(device.error().message.find("H100"), std::string::npos);
  const auto version = ReadProfile("mortar-profile 9\nchecksum 0\n", "pocl", &table);
  ASSERT_FALSE(version.ok());
  EXPECT_EQ(version.error().code, base::Code::kMismatch);
}

}  // namespace
}  // namespace mortar::predict
