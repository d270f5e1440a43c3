#include "emulated/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "base/glob.h"

namespace mortar::emulated {
namespace {

Table Good(std::string_view text) {
  auto table = Table::Parse(text, "t");
  EXPECT_TRUE(table.ok()) << (table.ok() ? "" : table.error().message);
  return table.ok() ? table.value() : Table{};
}

TEST(TableTest, EmptyHasDocumentedDefaults) {
  const Table table = Good("  # nothing\n\n");
  EXPECT_EQ(table.device, "emulated0");
  EXPECT_EQ(table.seed, 1U);
  EXPECT_EQ(table.launch_latency_ns, 5'000);
  EXPECT_EQ(table.jitter_ppm, 0);
  EXPECT_EQ(table.RuleFor("any").duration_ns, 50'000);
  EXPECT_EQ(table.TransferNs(0), 8'000);
  EXPECT_EQ(table.TransferNs(12'000), 9'000);  // 8 us + 12,000 B / (12 B/ns)
}

TEST(TableTest, ReadsEveryEntry) {
  const Table table = Good(
      "device gpu-1.a_b\nseed 18446744073709551615\nlaunch_latency_us 2.5\ncopy 0.5 3\njitter_percent 20\r\n"
      "\tkernel conv* 120.5 0.25 10%  # by size\nkernel gemm 7 5%\ndefault 9 1\n");
  EXPECT_EQ(table.device, "gpu-1.a_b");
  EXPECT_EQ(table.seed, 18446744073709551615ULL);
  EXPECT_EQ(table.launch_latency_ns, 2'500);
  EXPECT_EQ(table.TransferNs(1'000), 5'000);  // 3 us + 1,000 B / (0.5 B/ns)
  const Rule& conv = table.RuleFor("conv_3x3");
  EXPECT_EQ(conv.duration_ns, 120'500);
  EXPECT_EQ(conv.ns_per_item, 0.25);
  EXPECT_EQ(table.JitterOf(conv), 100'000);
  EXPECT_EQ(table.JitterOf(table.RuleFor("gemm")), 50'000);
  const Rule& other = table.RuleFor("relu");
  EXPECT_EQ(other.duration_ns, 9'000);
  EXPECT_EQ(table.JitterOf(other), 200'000);
}

TEST(TableTest, FirstMatchWins) {
  const Table table = Good("kernel conv_1 1\nkernel conv_* 2\nkernel * 3\ndefault 4\n");
  EXPECT_EQ(table.RuleFor("conv_1").duration_ns, 1'000);
  EXPECT_EQ(table.RuleFor("conv_2").duration_ns, 2'000);
  EXPECT_EQ(table.RuleFor("x").duration_ns, 3'000);
}

TEST(TableTest, BadLinesAreNamed) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"kernel a 1\n\nkernle b 2\n", "t:3: 'kernle' is unknown"},
      {"kernel a\n", "t:1: 'kernel' needs DURATION_US"},
      {"kernel\n", "t:1: 'kernel' needs GLOB"},
      {"kernel a -1\n", "'-1' is not a valid duration"},
      {"kernel a 1e3\n", "'1e3' is not a valid duration"},
      {"kernel a nan\n", "'nan' is not a valid duration"},
      {"kernel a 1.2.3\n", "'1.2.3' is not a valid duration"},
      {"kernel a 10000001\n", "is not a valid duration"},
      {"kernel a 1 2 3\n", "only a jitter"},
      {"kernel a 1 101%\n", "a jitter from 0% to 100% may stand last"},
      {"kernel a 1 5% 3\n", "may stand last"},
      {"kernel a 1 %\n", "may stand last"},
      {"kernel a 1 2 5% 6\n", "needs DURATION_US"},
      {"default\n", "'default' needs"},
      {"copy 12\n", "'copy' needs"},
      {"copy 0 1\n", "must be above 0"},
      {"device a/b\n", "is not a device name"},
      {"device ..\n", "is not a device name"},
      {"seed -1\n", "is not a whole number"},
      {"seed 1.5\n", "is not a whole number"},
      {"jitter_percent 101\n", "is not a jitter"},
      {"jitter_percent %\n", "is not a jitter"},
      {"launch_latency_us\n", "needs exactly one value"},
      {"seed 1\nseed 2\n", "t:2: 'seed' stands already on line 1"},
      {"default 1\ndefault 2\n", "stands already"},
  };
  for (const auto& bad : cases) {
    const auto table = Table::Parse(bad.text, "t");
    ASSERT_FALSE(table.ok()) << bad.text;
    EXPECT_THAT(table.error().message, testing::HasSubstr(bad.message)) << bad.text;
    EXPECT_EQ(table.error().code, base::Code::kInvalid);
  }
  EXPECT_FALSE(Table::Parse(std::string_view("seed 1\0\n", 8), "t").ok());
}

TEST(TableTest, ReadOfAbsentFileSaysSo) {
  const auto table = Table::Read("/nonexistent/table");
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code, base::Code::kNotFound);
  EXPECT_THAT(table.error().message, testing::HasSubstr("/nonexistent/table: No such file"));
}

TEST(TableTest, ReadNamesFileAndLine) {
  const std::string path = testing::TempDir() + "/table_test.txt";
  std::ofstream(path) << "seed 1\nnonsense\n";
  const auto table = Table::Read(path);
  std::remove(path.c_str());
  ASSERT_FALSE(table.ok());
  EXPECT_THAT(table.error().message, testing::HasSubstr(path + ":2: "));
}

TEST(GlobTest, MatchesWholeName) {
  const struct {
    const char* glob;
    const char* name;
    bool matches;
  } cases[] = {{"a", "a", true},         {"a", "ab", false},      {"*", "", true},     {"*", "abc", true},
               {"a*c", "abbc", true},    {"a*c", "abcd", false},  {"?b", "ab", true},  {"?", "", false},
               {"a*b*c", "axbyc", true}, {"a*b*c", "acb", false}, {"**a", "ba", true}, {"", "", true},
               {"", "a", false},         {"*ab", "aab", true}};
  for (const auto& c : cases)
    EXPECT_EQ(base::MatchesGlob(c.glob, c.name), c.matches) << c.glob << " " << c.name;
}

TEST(JitterTest, StaysWithinBoundsAndRepeats) {
  double sum = 0;
  std::int64_t least = 1'000'000;
  std::int64_t most = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::int64_t ns = Jittered(100'000, 200'000, 7, 42, i);
    EXPECT_EQ(ns, Jittered(100'000, 200'000, 7, 42, i));
    least = std::min(least, ns);
    most = std::max(most, ns);
    sum += static_cast<double>(ns);
  }
  EXPECT_GE(least, 80'000);
  EXPECT_LE(most, 120'000);
  EXPECT_LT(least, 80'100);
  EXPECT_GT(most, 119'900);
  // Uniform on 80…120 us: its mean's standard error over 10,000 is 0.115 us.
  EXPECT_NEAR(sum / 10'000, 100'000, 500);
}

TEST(JitterTest, SeedNameAndIndexAllMatter) {
  const std::int64_t one = Jittered(1'000'000'000, 200'000, 7, 42, 3);
  EXPECT_NE(one, Jittered(1'000'000'000, 200'000, 8, 42, 3));
  EXPECT_NE(one, Jittered(1'000'000'000, 200'000, 7, 43, 3));
  EXPECT_NE(one, Jittered(1'000'000'000, 200'000, 7, 42, 4));
  EXPECT_EQ(Jittered(123, 0, 7, 42, 3), 123);
}

TEST(KernelNsTest, AddsWorkItemsAndIsBounded) {
  const Table table = Good("kernel a 10 2\n");
  EXPECT_EQ(KernelNs(table, table.RuleFor("a"), 1, 0, 1'000), 12'000);  // 10 us + 1,000 × 2 ns
  EXPECT_EQ(KernelNs(table, table.RuleFor("a"), 1, 0, ~0ULL), 10'000'000'000);
}

TEST(KernelNsTest, TransferOfAnySizeIsBounded) { EXPECT_EQ(Table{}.TransferNs(~0ULL), 10'000'008'000); }

}  // namespace
}  // namespace mortar::emulated
