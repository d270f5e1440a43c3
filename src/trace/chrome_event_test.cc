#include "trace/chrome_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/json_cutter.h"

namespace mortar::trace {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::string Padded(std::string_view text) { return std::string(text) + std::string(kCutterPadding, ' '); }

TEST(ChromeEventTest, MicrosecondsAreReadExactly) {
  const std::tuple<const char*, bool, std::int64_t> kCases[] = {
      // Beyond 2^53 ns a double would lose the last digits.
      {"1712195495519689.123", true, 1'712'195'495'519'689'123},
      {"0.001", true, 1},
      {"-1.5", true, -1500},
      {"7", true, 7000},
      {"7.0004", true, 7000},
      {"7.0005", true, 7001},
      {"7.9999", true, 8000},
      {"1.5e3", true, 1'500'000},
      {"4000000000000000", true, 4'000'000'000'000'000'000},
      {"4000000000000001", false, 0},
      {"", false, 0},
      {"-", false, 0},
      {"null", false, 0},
      {"1x", false, 0},
      {"1e400", false, 0},
  };
  for (const auto& [text, good, ns] : kCases) {
    std::int64_t got = 0;
    EXPECT_EQ(ParseMicroseconds(text, &got), good) << text;
    if (good) {
      EXPECT_EQ(got, ns) << text;
    }
  }
}

TEST(ChromeEventTest, KernelsOfNewAndOldFilesReadAlike) {
  EventParser parser;
  for (
      const char* text :
      {R"({"ph": "X", "cat": "kernel", "name": "k<1>", "pid": 0, "tid": 7, "ts": 10.5, "dur": 2.25, "args": {"stream": 7,
        "correlation": 9, "device": 1, "shared memory": 400, "grid": [512, 2, 1], "block": [64, 1, 1]}})",
       R"({"ph":"X","name":"k<1>","args":{"block":[64,1,1],"grid":[512,2,1],"device":"1","stream":7,"correlation":"9",
        "shared memory":400},"ts":10.5,"dur":2.25,"pid":0,"tid":"stream 7","cat":"Kernel"})"}) {
    const std::string padded = Padded(text);
    const auto event = parser.Parse(std::string_view(padded).substr(0, padded.size() - kCutterPadding));
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->what, EventClass::kKernel);
    EXPECT_EQ(event->name, "k<1>");
    EXPECT_EQ(event->ts_ns, 10500);
    EXPECT_EQ(event->dur_ns, 2250);
    EXPECT_EQ(event->correlation, 9);
    EXPECT_EQ(event->device, 1);
    EXPECT_EQ(event->stream, 7);
    EXPECT_THAT(event->shape.grid, ElementsAre(512, 2, 1));
    EXPECT_THAT(event->shape.block, ElementsAre(64, 1, 1));
    EXPECT_EQ(event->shape.shared_bytes, 400u);
  }
}

TEST(ChromeEventTest, ClassesFollowCategoryAndPhase) {
  const std::pair<const char*, EventClass> kCases[] = {
      {R"({"ph":"X","cat":"cuda_driver","name":"cuLaunchKernel"})", EventClass::kCall},
      {R"({"ph":"X","cat":"Runtime","name":"cudaLaunchKernel"})", EventClass::kCall},
      {R"({"ph":"X","cat":"xpu_runtime","name":"f"})", EventClass::kCall},
      {R"({"ph":"X","cat":"gpu_memcpy","name":"Memcpy"})", EventClass::kCopy},
      {R"({"ph":"X","cat":"Memset","name":"Memset"})", EventClass::kSet},
      {R"({"ph":"X","cat":"cpu_op","name":"aten::add"})", EventClass::kOther},
      {R"({"ph":"X","cat":"Operator","name":"ProfilerStep#5"})", EventClass::kStep},
      {R"({"ph":"X","cat":"gpu_user_annotation","name":"ProfilerStep#5"})", EventClass::kOther},
      {R"({"ph":"s","cat":"fwdbwd","name":"fwdbwd","id":1})", EventClass::kFlow},
      {R"({"ph":"s","cat":"ac2g","name":"ac2g","id":1})", EventClass::kOther},
      {R"({"ph":"M","name":"thread_name","args":{"name":"x"}})", EventClass::kName},
      {R"({"ph":"X","name":"mm","pid":"CUDA functions","tid":0,"ts":1,"dur":1})", EventClass::kLegacy},
      {R"({"ph":"B","cat":"kernel","name":"k"})", EventClass::kHalf},
      {R"({"ph":"E","cat":"kernel","name":"k"})", EventClass::kOther},
      {R"({"ph":"B","cat":"cpu_op","name":"f"})", EventClass::kOther},
      {R"({})", EventClass::kOther},
  };
  EventParser parser;
  for (const auto& [text, what] : kCases) {
    const std::string padded = Padded(text);
    const auto event = parser.Parse(std::string_view(padded).substr(0, padded.size() - kCutterPadding));
    ASSERT_TRUE(event) << text << event.error().message;
    EXPECT_EQ(event->what, what) << text;
  }
}

TEST(ChromeEventTest, WhatIsNoJsonIsRefused) {
  EventParser parser;
  for (const char* text : {"{\"ph\":}", "{\"ph\" \"X\"}", "{\"ph\":\"X\",,}", "[1]"}) {
    const std::string padded = Padded(text);
    EXPECT_FALSE(parser.Parse(std::string_view(padded).substr(0, padded.size() - kCutterPadding))) << text;
  }
}

TEST(ChromeEventTest, DevicesHaveNumbersAndNames) {
  EXPECT_THAT(ParseDeviceProperties(R"([{"id": 0, "name": "A"}, {"name": "no number"}, {"id": 3}])"),
              ElementsAre(Pair(0, "A"), Pair(3, "")));
  EXPECT_TRUE(ParseDeviceProperties("[{]").empty());
  EXPECT_TRUE(ParseDeviceProperties("7").empty());
}

}  // namespace
}  // namespace mortar::trace
