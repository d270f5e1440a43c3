// `mortar sim` as its users call it: which options go together, and what absent values look like.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class SimTest : public testing::Test {
 protected:
  // Two kernels of 100 us, 500 us apart, each waited for; behind them one of 50 us that no call submits.
  SimTest() {
    std::string text;
    const auto event = [&](const char* category, const char* name, int start, int duration, int number) {
      text += (text.empty() ? "" : ",\n") + std::string(R"({"ph":"X","cat":")") + category + R"(","name":")" +
              name + R"(","pid":1,"tid":1,"ts":)" + std::to_string(start) +
              ",\"dur\":" + std::to_string(duration) + R"(,"args":{"device":0,"stream":7,"correlation":)" +
              std::to_string(number) + "}}";
    };
    for (int i = 0; i < 2; ++i) {
      const int at = 1000 + i * 500;
      event("cuda_runtime", "cudaLaunchKernel", at, 5, 2 * i + 1);
      event("kernel", "k", at + 10, 100, 2 * i + 1);
      event("cuda_runtime", "cudaDeviceSynchronize", at + 6, 106, 2 * i + 2);
    }
    event("kernel", "stray", 1700, 50, 99);
    Write("one.json", "{\"traceEvents\":[" + text + "]}");
    Write("mix.toml", "for = \"50ms\"\n[[client]]\nrecording = \"one.json\"\n");
    Write("plan.json", R"({"feasible":true,"batch":1,"tau":1,"rate":50,"t_in_ms":2,"t_background_ms":3})");
  }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  Outcome Sim(std::vector<std::string> words) const {
    words.insert(words.begin(), "sim");
    return RunMortar(words, {{"MORTAR_DIR", directory_.path()}});
  }
  Outcome Pair(std::vector<std::string> words) const {
    words.insert(words.end(), {"--holder", Path("one.json"), "--filler", Path("one.json"), "--for", "50ms"});
    return Sim(words);
  }

  board::TemporaryDirectory directory_;
};

TEST_F(SimTest, OptionsThatDoNotApplyAreRefused) {
  const std::vector<std::string> scenario{"--scenario", Path("mix.toml")};
  const std::vector<std::string> plan{"--plan", Path("plan.json")};
  const std::vector<std::string> nothing[] = {{"--html", Path("x.html")}, {"--csv"}, {"--policy", "share"}};
  const std::vector<std::string> not_for_scenarios[] = {
      {"--for", "1s"}, {"--seed", "2"}, {"--plan", Path("plan.json")}};
  const std::vector<std::string> not_for_plans[] = {{"--perfetto", Path("x.json")}, {"--cold"}};
  const auto refused = [&](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = Sim(words);
    EXPECT_EQ(outcome.code, 2) << more[0];
    EXPECT_THAT(outcome.err, HasSubstr(more[0]));
    EXPECT_EQ(outcome.lines(), 1);
    EXPECT_EQ(outcome.out, "");
  };
  for (const auto& more : nothing) refused(scenario, more);
  for (const auto& more : nothing) refused(plan, more);
  for (const auto& more : not_for_scenarios) refused(scenario, more);
  for (const auto& more : not_for_plans) refused(plan, more);
  EXPECT_EQ(Sim({"--scenario", Path("mix.toml"), "--json"}).code, 0);
  EXPECT_EQ(Sim({"--scenario", Path("mix.toml"), "--perfetto", Path("t.json")}).code, 0);
  EXPECT_EQ(Sim({"--plan", Path("plan.json"), "--for", "1s", "--seed", "2", "--json"}).code, 0);
}

TEST_F(SimTest, AFullDiskIsAFailure) {
  const std::string words = " sim --scenario " + Path("mix.toml") + " --json > /dev/full 2> " + Path("err");
  EXPECT_EQ(WEXITSTATUS(std::system((MORTAR_BINARY + words).c_str())), 1);
  std::ifstream file(Path("err"));
  const std::string message{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(message, HasSubstr("mortar: write to stdout: "));
}

TEST_F(SimTest, WhatWasNotMeasuredIsNull) {
  const auto row = nlohmann::json::parse(Pair({"--json"}).out);
  EXPECT_TRUE(row["holder_p99_ms"].is_null());  // fewer than 1,000 requests
  EXPECT_FALSE(row["holder_max_ms"].is_null());
  EXPECT_TRUE(row["windows_over_limit"].is_null());  // fewer than 120
  EXPECT_TRUE(row["window_slowdown_p99"].is_null());
  const Outcome text = Pair({});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, Not(HasSubstr("nan")));
  const auto mix = nlohmann::json::parse(Sim({"--scenario", Path("mix.toml"), "--json"}).out);
  EXPECT_TRUE(mix["clients"][0]["p99_ms"].is_null());
  EXPECT_FALSE(mix["clients"][0]["mean_ms"].is_null());
  const auto plan = nlohmann::json::parse(Sim({"--plan", Path("plan.json"), "--for", "1s", "--json"}).out);
  EXPECT_TRUE(plan["fill"]["latency_p99_ms"].is_null());
}

// 50 of 250 us.
TEST_F(SimTest, WhatIsLeftOutIsSaid) {
  const auto row = nlohmann::json::parse(Pair({"--json"}).out);
  EXPECT_DOUBLE_EQ(row["holder_left_out"], 0.2);
  EXPECT_DOUBLE_EQ(row["filler_left_out"], 0.2);
  EXPECT_THAT(Pair({}).out, HasSubstr("one: no call in the recording submits 20 % of its device time"));
  const Outcome mix = Sim({"--scenario", Path("mix.toml")});
  EXPECT_THAT(mix.out, HasSubstr("one: no call in the recording submits 20 % of its device time"));
  const auto json = nlohmann::json::parse(Sim({"--scenario", Path("mix.toml"), "--json"}).out);
  EXPECT_DOUBLE_EQ(json["clients"][0]["left_out"], 0.2);
  const Outcome matrix = Sim({"matrix", "--holders", Path("one.json"), "--fillers", Path("one.json"),
                              "--policies", "share", "--for", "50ms"});
  EXPECT_THAT(matrix.err, HasSubstr("one: no call in the recording submits 20 % of its device time"));
}

}  // namespace
}  // namespace mortar::cli
