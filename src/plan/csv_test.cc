#include "plan/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mortar::plan {
namespace {

using ::testing::HasSubstr;

constexpr char kHead[] = "device,workload,role,batch,gpu_mhz,time_ms,power_w\n";

TEST(CsvTest, ReadsModesBatchesAndHoles) {
  const auto table = ParseProfiles(std::string(kHead) +
                                       "# a comment\n"
                                       "d,net,infer,4,100,20,8\r\n"
                                       "d,net,infer,1,100,10,5\n"
                                       "d,net,infer,1,200,6,9\n"
                                       "d,net,train,16,200,30.5,12\n",
                                   "t");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->device, "d");
  EXPECT_EQ(table->mode_count(), 2u);
  const Series* infer = table->Find("net", Role::kInfer);
  ASSERT_NE(infer, nullptr);
  EXPECT_EQ(infer->batches, (std::vector<int>{1, 4}));
  EXPECT_DOUBLE_EQ(infer->time_ms[0], 10);     // batch 1, 100 MHz
  EXPECT_DOUBLE_EQ(infer->time_ms[1], 6);      // batch 1, 200 MHz
  EXPECT_DOUBLE_EQ(infer->time_ms[2], 20);     // batch 4, 100 MHz
  EXPECT_TRUE(std::isnan(infer->time_ms[3]));  // batch 4, 200 MHz: a hole
  EXPECT_EQ(table->LargestMode(), 1);
  EXPECT_EQ(table->Find("other", Role::kInfer), nullptr);
}

TEST(CsvTest, WritesWhatItReads) {
  const std::string text = std::string(kHead) + "d,net,infer,1,100,10.25,5\nd,net,infer,1,0.125,1e-07,9\n";
  const auto table = ParseProfiles(text, "t");
  ASSERT_TRUE(table) << table.error().message;
  const auto again = ParseProfiles(FormatProfiles(*table), "again");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->modes, table->modes);
  EXPECT_EQ(again->series[0].time_ms, table->series[0].time_ms);
}

struct BadCase {
  const char* name;
  std::string text;
  const char* expected;
};

class CsvBadTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(CsvBadTest, ErrorNamesLineAndCause) {
  const auto table = ParseProfiles(GetParam().text, "f.csv");
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, base::Code::kInvalid);
  EXPECT_THAT(table.error().message, HasSubstr(GetParam().expected));
}

std::string Rows(const std::string& rows) { return kHead + rows; }

std::string ManyKnobs() {
  std::string text = "device,workload,role,batch";
  for (int k = 0; k < 3000; ++k) text += ",k" + std::to_string(k);
  return text + ",time_ms,power_w\n";
}

INSTANTIATE_TEST_SUITE_P(
    Inputs, CsvBadTest,
    ::testing::Values(
        BadCase{"empty", "", "f.csv:1: the file is empty"}, BadCase{"no_rows", kHead, "no rows"},
        BadCase{"missing_column", "device,workload,batch,gpu,time_ms,power_w\n", "column 3 must be 'role'"},
        BadCase{"seconds", "device,workload,role,batch,gpu,time_s,power_w\n", "found 'time_s'"},
        BadCase{"milliwatts", "device,workload,role,batch,gpu,time_ms,power_mw\n", "found 'power_mw'"},
        BadCase{"no_knobs", "device,workload,role,batch,time_ms,power_w\n", "no knob columns"},
        BadCase{"knob_twice", "device,workload,role,batch,k,k,time_ms,power_w\n", "'k' appears twice"},
        BadCase{"too_many_knobs", ManyKnobs(), "3000 knob columns"},
        BadCase{"short_row", Rows("d,n,infer,1,100,5\n"), "f.csv:2: 6 columns, the header has 7"},
        BadCase{"nan", Rows("d,n,infer,1,100,nan,5\n"), "f.csv:2: time_ms 'nan'"},
        BadCase{"infinite_power", Rows("d,n,infer,1,100,5,inf\n"), "f.csv:2: power_w 'inf'"},
        BadCase{"zero_time", Rows("d,n,infer,1,100,1,5\nd,n,infer,1,200,0,5\n"), "f.csv:3: time_ms '0'"},
        BadCase{"negative_time", Rows("d,n,infer,1,100,-3,5\n"), "time_ms '-3'"},
        BadCase{"batch", Rows("d,n,infer,1.5,100,3,5\n"), "batch '1.5'"},
        BadCase{"batch_zero", Rows("d,n,infer,0,100,3,5\n"), "batch '0'"},
        BadCase{"role", Rows("d,n,serve,1,100,3,5\n"), "role 'serve'"},
        BadCase{"knob_text", Rows("d,n,infer,1,fast,3,5\n"), "gpu_mhz 'fast'"},
        BadCase{"two_devices", Rows("d,n,infer,1,100,3,5\ne,n,infer,1,200,3,5\n"), "f.csv:3: device 'e'"},
        BadCase{"duplicate", Rows("d,n,infer,1,100,3,5\n\nd,n,infer,1,100.0,4,5\n"),
                "f.csv:4: the same workload"},
        BadCase{"training_batches", Rows("d,n,train,8,100,3,5\nd,n,train,16,200,3,5\n"), "batches 8 and 16"},
        BadCase{"row_in_seconds",
                Rows("d,n,infer,1,100,300,5\nd,n,infer,1,200,0.2,5\nd,n,infer,1,300,150,5\nd,n,infer,1,400,"
                     "120,5\n"),
                "f.csv:3: time_ms 0.2 beside"},
        BadCase{"row_in_milliwatts",
                Rows("d,n,infer,1,100,30,5\nd,n,infer,1,200,20,6\nd,n,infer,1,300,15,7000\nd,n,infer,1,400,"
                     "12,9\n"),
                "f.csv:4: power_w 7000 beside"},
        BadCase{"all_in_milliwatts", Rows("d,n,infer,1,100,3,30000\n"), "look like milliwatts"}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace mortar::plan
