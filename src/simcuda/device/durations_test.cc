#include "simcuda/device/durations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace mortar::simcuda {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::vector<KernelRule> Parse(std::string_view text, const KernelRule& fallback = {}) {
  auto rules = ParseDurations(text, "f.csv", fallback);
  EXPECT_TRUE(rules) << (rules ? "" : rules.error().message);
  return rules ? *rules : std::vector<KernelRule>();
}

TEST(DurationsTest, TableByHandIsRead) {
  const auto rules = Parse(
      "# ours\n\nname,grid,us,ns_per_block,occupancy,error\n"
      "gemm_*,64x2x1,185.5,0.5,0.25,700\n\"void f<float, 4>(\"\"x\"\")\",,3,,,\r\n");
  ASSERT_THAT(rules, SizeIs(2));
  EXPECT_EQ(rules[0].glob, "gemm_*");
  EXPECT_TRUE(rules[0].has_grid);
  EXPECT_EQ(rules[0].grid, (Grid{64, 2, 1}));
  EXPECT_EQ(rules[0].base_ns, 185'500);
  EXPECT_EQ(rules[0].ns_per_block, 0.5);
  EXPECT_EQ(rules[0].occupancy_permille, 250);
  EXPECT_EQ(rules[0].error, 700);
  EXPECT_EQ(rules[1].glob, "void f<float, 4>(\"x\")");
  EXPECT_FALSE(rules[1].has_grid);
  EXPECT_EQ(rules[1].base_ns, 3000);
}

TEST(DurationsTest, EmptyCellsAndAbsentColumnsAreAsTheDefaultSays) {
  KernelRule fallback;
  fallback.occupancy_permille = 125;
  fallback.ns_per_block = 3;
  const auto rules = Parse("ns,name,occupancy\n7,a,\n8,b", fallback);
  ASSERT_THAT(rules, SizeIs(2));
  EXPECT_EQ(rules[0].occupancy_permille, 125);
  EXPECT_EQ(rules[1].occupancy_permille, 125);
  EXPECT_EQ(rules[1].ns_per_block, 3);
  EXPECT_EQ(rules[1].base_ns, 8);
}

// As `nsys stats --format csv` exports them.
TEST(DurationsTest, ProfilersTraceGivesMediansByNameAndGridWithoutCopies) {
  const auto rules = Parse(
      "Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Bytes (MB),Name\n"
      "10,900,1,,,,,,,4.1,[CUDA memcpy Host-to-Device]\n"
      "20,300,2,8,1,1,128,1,1,,relu\n30,100,3,8,1,1,128,1,1,,relu\n40,200,4,8,1,1,128,1,1,,relu\n"
      "50,7000,5,16,2,1,128,1,1,,relu\n");
  ASSERT_THAT(rules, SizeIs(2));
  EXPECT_EQ(rules[0].grid, (Grid{8, 1, 1}));
  EXPECT_EQ(rules[0].base_ns, 200);
  EXPECT_EQ(rules[1].grid, (Grid{16, 2, 1}));
  EXPECT_EQ(rules[1].base_ns, 7000);
}

TEST(DurationsTest, ProfilersSummaryGivesItsMedian) {
  const auto rules = Parse(
      "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),GridXYZ,Name\n"
      "60.1,4000,2,2000.0,1900.5,1,3000,5.0,  64    2    1,\"f(int, int)\"\n");
  ASSERT_THAT(rules, SizeIs(1));
  EXPECT_EQ(rules[0].glob, "f(int, int)");
  EXPECT_EQ(rules[0].grid, (Grid{64, 2, 1}));
  EXPECT_EQ(rules[0].base_ns, 1901);
}

struct Bad {
  const char* text;
  const char* begins;
  const char* says;
};

class DurationsBadTest : public ::testing::TestWithParam<Bad> {};

TEST_P(DurationsBadTest, OneLineSaysWhereAndWhat) {
  const auto rules = ParseDurations(GetParam().text, "f.csv", {});
  ASSERT_FALSE(rules);
  EXPECT_EQ(rules.error().code, base::Code::kInvalid);
  EXPECT_THAT(rules.error().message, StartsWith(GetParam().begins));
  EXPECT_THAT(rules.error().message, HasSubstr(GetParam().says));
  EXPECT_THAT(rules.error().message, Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, DurationsBadTest,
    ::testing::Values(Bad{"", "f.csv:1: no columns", "name,grid,us"},
                      Bad{"# nothing else\n", "f.csv:1: no columns", ""},
                      Bad{"gemm,3\n", "f.csv:1: the first line must name", "'name'"},
                      Bad{"name,grid\n", "f.csv:1: the first line must name", "'us', 'ns'"},
                      Bad{"name,us\n\na,fast\n", "f.csv:3: length 'fast'", "10 s"},
                      Bad{"name,us\na,-1\n", "f.csv:2: length '-1'", ""},
                      Bad{"name,us\na,nan\n", "f.csv:2: length 'nan'", ""},
                      Bad{"name,us\na,10000001\n", "f.csv:2: length", "10 s"},
                      Bad{"name,us\na\n", "f.csv:2: length ''", ""},
                      Bad{"name,us\n,3\n", "f.csv:2: a name must have", ""},
                      Bad{"name,us\n\"a,3\n", "f.csv:2: a quote is not closed", ""},
                      Bad{"name,us\n\"a\"b,3\n", "f.csv:2: text behind a closing quote", ""},
                      Bad{"name,us,grid\na,3,0\n", "f.csv:2: grid '0'", "64x2x1"},
                      Bad{"name,us,grid\na,3,1x2x3x4\n", "f.csv:2: grid", "one to three"},
                      Bad{"name,us,grid\na,3,4\x07z\n", "f.csv:2: grid '4?z'", ""},
                      Bad{"name,us,occupancy\na,3,2\n", "f.csv:2: occupancy '2'", "0.001 to 1"},
                      Bad{"name,us,ns_per_block\na,3,x\n", "f.csv:2: ns_per_block 'x'", ""},
                      Bad{"name,us,error\na,3,1.5\n", "f.csv:2: error '1.5'", "whole"}));

class DurationsFileTest : public ::testing::Test {
 protected:
  DurationsFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "durations-XXXXXX").string();
    folder_ = mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~DurationsFileTest() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(DurationsFileTest, DescriptionNamesOneBesideItAndItsOwnEntriesGoFirst) {
  Write("k.csv", "name,grid,us\na,,5\na,4,9\nb,,6\n");
  const auto device = Description::Read(Write(
      "d.toml", "[time]\ndurations = \"k.csv\"\n[default]\nus = 2\n[[kernel]]\nname = \"a\"\nus = 50\n"));
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(KernelNs(device->RuleFor("a", {1, 1, 1}), {1, 1, 1}), 50'000);
  EXPECT_EQ(KernelNs(device->RuleFor("a", {4, 1, 1}), {4, 1, 1}), 9'000);
  EXPECT_EQ(KernelNs(device->RuleFor("b", {4, 1, 1}), {4, 1, 1}), 6'000);
  EXPECT_EQ(KernelNs(device->RuleFor("c", {4, 1, 1}), {4, 1, 1}), 2'000);
}

TEST_F(DurationsFileTest, WhatIsWrongWithItIsSaidWithItsNameAndLine) {
  const std::string table = Write("k.csv", "name,us\na,x\n");
  auto device = Description::Read(Write("d.toml", "[time]\ndurations = \"" + table + "\"\n"));
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().message, StartsWith(table + ":2: length 'x'"));

  const std::string description = Write("d.toml", "[time]\ndurations = \"absent.csv\"\n");
  device = Description::Read(description);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, base::Code::kNotFound);
  EXPECT_THAT(device.error().message, StartsWith(description + ": 'durations':"));
  EXPECT_THAT(device.error().message, HasSubstr(folder_ + "/absent.csv"));
}

TEST_F(DurationsFileTest, MoreKernelsThanCanBeTriedInTurnAreRefused) {
  std::string text = "name,us\n";
  for (int i = 0; i < 5000; ++i) text += "k" + std::to_string(i) + ",1\n";
  Write("k.csv", text);
  const auto device = Description::Read(Write("d.toml", "[time]\ndurations = \"k.csv\"\n"));
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().message, HasSubstr("more than 4096 kernels"));
}

}  // namespace
}  // namespace mortar::simcuda
