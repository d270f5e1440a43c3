// `mortar trace import` and `mortar trace show` as their users call them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mortar/show_page.h"
#include "mortar/show_report.h"
#include "mortar/test_support.h"
#include "trace/test_trace.h"

namespace mortar::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

// Kernels of 20 µs at 10, 50 and 130 µs: gaps of 20 and 60 µs.
trace::TestTrace SmallTrace() {
  trace::TestTrace trace;
  trace.Call("cudaLaunchKernel", "0", "2", 1).Kernel("k<int>", "10", "20", 1);
  trace.Call("cudaLaunchKernel", "40", "2", 2).Kernel("k<int>", "50", "20", 2);
  trace.Call("cudaLaunchKernel", "120", "2", 3).Kernel("other", "130", "20", 3);
  trace.Call("cudaLaunchKernel", "125", "2", 4);
  return trace;
}

class RecordingsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "recordings_test." + std::to_string(getpid());
    fs::create_directories(folder_);
    std::ofstream(Path("t.json")) << SmallTrace().Text();
    std::ofstream(Path("t.json.gz"), std::ios::binary) << trace::Gzip(SmallTrace().Text());
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  static nlohmann::json Json(const Outcome& outcome) {
    return nlohmann::json::parse(outcome.out, nullptr, false);
  }
  std::string folder_;
};

TEST_F(RecordingsTest, ShowAnswersInNumbers) {
  const Outcome outcome = RunMortar({"trace", "show", "--json", Path("t.json")}, {});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json(outcome);
  ASSERT_TRUE(json.is_object()) << outcome.out;
  EXPECT_EQ(json["kernels"], 3);
  EXPECT_DOUBLE_EQ(json["span_ms"], 0.14);
  EXPECT_DOUBLE_EQ(json["busy"], 60.0 / 140);
  EXPECT_DOUBLE_EQ(json["gap_us"]["p50"], 20);
  EXPECT_DOUBLE_EQ(json["gap_us"]["p90"], 60);
  EXPECT_DOUBLE_EQ(json["gap_us"]["p99"], 60);
  EXPECT_DOUBLE_EQ(json["fits"][1]["kernel_us"], 50);
  EXPECT_DOUBLE_EQ(json["fits"][1]["share"], 50.0 / 140);         // one, in the gap of 60 µs
  EXPECT_NEAR(json["replay_span_error"].get<double>(), 0, 0.02);  // the goal of a replay alone
  EXPECT_EQ(json["notes"][0]["count"], 1);
  EXPECT_EQ(json["notes"][0]["used"], false);
}

TEST_F(RecordingsTest, EveryFormTellsTheSame) {
  const Outcome imported = RunMortar({"trace", "import", Path("t.json"), "-o", Path("t.mtr")}, {});
  EXPECT_EQ(imported.code, 0);
  EXPECT_EQ(imported.out, "");
  EXPECT_THAT(imported.err, HasSubstr("3 kernels"));
  EXPECT_THAT(imported.err, HasSubstr("not used: 1 launches, copies and fills"));
  auto expected = Json(RunMortar({"trace", "show", "--json", Path("t.json")}, {}));
  for (const char* name : {"t.json.gz", "t.mtr"}) {
    auto json = Json(RunMortar({"trace", "show", "--json", Path(name)}, {}));
    EXPECT_EQ(json["file"], Path(name));
    json["file"] = expected["file"];
    EXPECT_EQ(json, expected) << name;
  }
}

TEST_F(RecordingsTest, TextAndPageShowGaps) {
  const Outcome text = RunMortar({"trace", "show", Path("t.json"), "--html", Path("t.html")}, {});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("Gaps: 2, 80 us in all"));
  EXPECT_THAT(text.out, HasSubstr("█"));
  std::ifstream file(Path("t.html"));
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(page, HasSubstr("k&lt;int&gt;"));
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, Not(HasSubstr("http")));  // stands alone
}

TEST_F(RecordingsTest, DurationsAloneHaveNoGaps) {
  std::ofstream(Path("list")) << "Name,Duration\na,1000\nb,3000\n";
  const auto json = Json(RunMortar({"trace", "show", "--json", Path("list")}, {}));
  EXPECT_EQ(json["form"], "durations");
  EXPECT_TRUE(json["gap_us"].is_null());
  EXPECT_THAT(RunMortar({"trace", "show", Path("list")}, {}).out, HasSubstr("Only durations are known"));
}

TEST_F(RecordingsTest, BadInputLeavesNothingBehind) {
  std::ofstream(Path("cut.json.gz"), std::ios::binary) << trace::Gzip(SmallTrace().Text()).substr(0, 100);
  const Outcome cut = RunMortar({"trace", "import", Path("cut.json.gz"), "-o", Path("cut.mtr")}, {});
  EXPECT_EQ(cut.code, 2);
  EXPECT_EQ(cut.lines(), 1) << cut.err;
  EXPECT_THAT(cut.err, HasSubstr("cut.json.gz: byte 100: the gzip file is cut short"));
  EXPECT_FALSE(fs::exists(Path("cut.mtr")));
  std::ofstream(Path("cut.mtr")) << "kept";
  EXPECT_EQ(RunMortar({"trace", "import", Path("nothing"), "-o", Path("cut.mtr")}, {}).code, 2);
  EXPECT_EQ(fs::file_size(Path("cut.mtr")), 4u);
  const Outcome nowhere = RunMortar({"trace", "import", Path("t.json"), "-o", Path("no/t.mtr")}, {});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_EQ(RunMortar({"trace", "show"}, {}).code, 2);
}

TEST(ShowReportTest, ReplayErrorIsShownWhereItIsKnown) {
  const auto recording = SmallTrace().Read();
  ASSERT_TRUE(recording.ok());
  ShowReport report = MakeShowReport(*recording);
  EXPECT_TRUE(ToJson(report)["replay_span_error"].is_null());
  EXPECT_TRUE(ToJson(report)["steps_found"].is_null());
  report.steps_found = 0.75;
  EXPECT_DOUBLE_EQ(ToJson(report)["steps_found"], 0.75);
  EXPECT_THAT(ToText(report), HasSubstr("Of its steps, 75 % are found without marks"));
  report.replay.emplace();
  report.replay->span_error = 0.0125;
  report.replay->gaps.p90_us = 9;
  EXPECT_DOUBLE_EQ(ToJson(report)["replay_span_error"], 0.0125);
  EXPECT_DOUBLE_EQ(ToJson(report)["replay"]["gap_us"]["p90"], 9);
  EXPECT_THAT(ToText(report), HasSubstr("its span is off by 1.25 %"));
  EXPECT_THAT(ToPage(report), HasSubstr("its span is off by 1.25 %"));
}

}  // namespace
}  // namespace mortar::cli
