#include "simcuda/device/description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mortar::simcuda {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGood = R"([device]
name = "Test GPU"
memory_mib = 1024
compute_capability = "8.6"
pci_address = "0000:3B:00.1"
[time]
mode = "merged"
slice_us = 1.5
host_to_device_gb_s = 10
copy_latency_us = 2
[default]
us = 7
occupancy = 0.25
[[kernel]]
name = "gemm_*"
us = 185
ns_per_block = 0.5
[[kernel]]
name = "gemm_*"
grid = [64, 2]
us = 40
[[kernel]]
name = "gemm_b"
us = 1
)";

TEST(DescriptionTest, EveryKeyIsRead) {
  auto device = Description::Parse(kGood, "f");
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(device->name, "Test GPU");
  EXPECT_EQ(device->memory_bytes, 1024ULL << 20);
  EXPECT_EQ(device->capability_major * 10 + device->capability_minor, 86);
  EXPECT_EQ(PciText(device->pci), "0000:3b:00.1");
  EXPECT_EQ(device->mode, model::DeviceMode::kMerged);
  EXPECT_EQ(device->slice_ns, 1500);
  // 2 µs + 10^6 bytes / 10 bytes a ns = 2 000 + 100 000 ns
  EXPECT_EQ(device->CopyNs(CopyDirection::kHostToDevice, 1'000'000), 102'000);
}

TEST(DescriptionTest, EmptyTextGivesTheDefaults) {
  auto device = Description::Parse("", "f");
  ASSERT_TRUE(device);
  EXPECT_EQ(device->mode, model::DeviceMode::kSliced);
  EXPECT_EQ(KernelNs(device->RuleFor("any", {5, 1, 1}), {5, 1, 1}), 10'000);
}

TEST(DescriptionTest, RuleWithTheGridGoesFirstElseTheFirstMatch) {
  auto device = Description::Parse(kGood, "f");
  ASSERT_TRUE(device);
  // 185 µs + 0.5 ns × 10 × 2 blocks
  EXPECT_EQ(KernelNs(device->RuleFor("gemm_b", {10, 2, 1}), {10, 2, 1}), 185'010);
  EXPECT_EQ(KernelNs(device->RuleFor("gemm_b", {64, 2, 1}), {64, 2, 1}), 40'000);
  EXPECT_EQ(KernelNs(device->RuleFor("relu", {64, 2, 1}), {64, 2, 1}), 7'000);
  EXPECT_EQ(device->RuleFor("gemm_b", {1, 1, 1}).occupancy_permille, 250);  // the default's
}

TEST(DescriptionTest, LengthsAreBounded) {
  KernelRule rule;
  rule.ns_per_block = 1e9;
  EXPECT_EQ(KernelNs(rule, {1'000'000, 1'000'000, 1'000'000}), 10'000'000'000);
  rule.base_ns = 0;
  rule.ns_per_block = 0;
  EXPECT_EQ(KernelNs(rule, {1, 1, 1}), 1);
}

struct Bad {
  const char* text;
  const char* begins;
  const char* says;
};

class DescriptionBadTest : public ::testing::TestWithParam<Bad> {};

TEST_P(DescriptionBadTest, OneLineSaysWhereAndWhat) {
  const auto device = Description::Parse(GetParam().text, "f.toml");
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, base::Code::kInvalid);
  EXPECT_THAT(device.error().message, StartsWith(GetParam().begins));
  EXPECT_THAT(device.error().message, HasSubstr(GetParam().says));
  EXPECT_THAT(device.error().message, Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, DescriptionBadTest,
    ::testing::Values(Bad{"[device", "f.toml:1: not TOML", ""},
                      Bad{"[device]\n\xef\xbb\xbe = 1\n", "f.toml:2: not TOML", "above ASCII"},
                      Bad{"[gpu]\n", "f.toml:1: 'gpu' is unknown", "[time]"},
                      Bad{"\n[device]\nmemory = 3\n", "f.toml:3: 'memory' is unknown", "memory_mib"},
                      Bad{"[device]\nmemory_mib = 0\n", "f.toml:2: 'memory_mib'", "1 to 16777216"},
                      Bad{"[device]\nmemory_mib = 1.5\n", "f.toml:2:", "whole number"},
                      Bad{"[device]\nname = \"\"\n", "f.toml:2: 'name'", "printable"},
                      Bad{"[device]\nname = \"a\\nb\"\n", "f.toml:2: 'name'", "printable"},
                      Bad{"[device]\ncompute_capability = \"9\"\n", "f.toml:2:", "such as \"9.0\""},
                      Bad{"[device]\npci_address = \"1:0.0\"\n", "f.toml:2:", "0000:01:00.0"},
                      Bad{"[device]\npci_address = \"0000:01:20.0\"\n", "f.toml:2:", "0000:01:00.0"},
                      Bad{"[time]\nmode = \"mps\"\n", "f.toml:2:", "merged"},
                      Bad{"[time]\nslice_us = 0\n", "f.toml:2:", "at least 1"},
                      Bad{"[time]\nswitch_us = nan\n", "f.toml:2:", "0 to 10000000"},
                      Bad{"[time]\ndevice_to_host_gb_s = 0\n", "f.toml:2:", "0.001"},
                      Bad{"[time]\ncopy_engines = true\n", "f.toml:2:", "1 to 2"},
                      Bad{"[default]\nname = \"x\"\n", "f.toml:2: 'name' is unknown in [default]", ""},
                      Bad{"[kernel]\nname = \"x\"\n", "f.toml:1:", "[[kernel]]"},
                      Bad{"[[kernel]]\nus = 1\n", "f.toml:1:", "no 'name'"},
                      Bad{"[[kernel]]\nname = \"x\"\ngrid = [0]\n", "f.toml:3: 'grid'", "from 1"},
                      Bad{"[[kernel]]\nname = \"x\"\ngrid = [1, 1, 1, 1]\n", "f.toml:3: 'grid'",
                          "one to three"},
                      Bad{"time = 3\n", "f.toml:1: 'time' must be a section", ""},
                      Bad{"[[kernel]]\nname = \"x\"\noccupancy = 0\n", "f.toml:3:", "0.001 to 1"}));

TEST(DescriptionTest, FileThatIsAbsentIsNamed) {
  const auto device = Description::Read("/nonexistent/h100.toml");
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, base::Code::kNotFound);
  EXPECT_THAT(device.error().message, HasSubstr("/nonexistent/h100.toml"));
}

}  // namespace
}  // namespace mortar::simcuda
