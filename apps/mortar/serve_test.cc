// What `mortar serve` makes of samples: metrics and history.
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "mortar/test_support.h"
#ifdef MORTAR_HAVE_MICROHTTPD
#include "mortar/serve_history.h"
#include "mortar/serve_metrics.h"
#include "mortar/serve_page.h"

namespace mortar::cli {
namespace {

Sample OneSample(const std::string& name = "serve") {
  Sample sample;
  sample.time_ms = 1'700'000'000'000;
  DeviceRates device;
  device.status.device = "0000:3b:00.0";
  device.status.settings.policy = model::PolicyId::kFill;
  device.busy = 0.75;
  ClientRates client;
  client.now.alive = true;
  client.now.view.name = name;
  client.now.view.pid = 7;
  client.now.view.submits = 12;
  client.now.view.gated_ns = 1'500'000'000;
  client.now.view.max_slowdown_ppm = 20'000;
  client.now.view.measured_slowdown_ppm = 15'000;
  client.holds = true;
  client.device_share = 0.25;
  device.clients.push_back(client);
  sample.devices.push_back(device);
  return sample;
}

TEST(ServeMetricsTest, SaysWhatTheBoardSaysInBaseUnits) {
  const std::string text = ToMetrics(OneSample());
  for (const char* line :
       {"mortar_device_info{device=\"0000:3b:00.0\",policy=\"fill\",mode=\"fifo\"} 1\n",
        "mortar_device_busy_ratio{device=\"0000:3b:00.0\"} 0.75\n",
        "mortar_client_submits_total{device=\"0000:3b:00.0\",client=\"serve\",pid=\"7\",slot=\"-1\"} 12\n",
        "mortar_client_held_seconds_total{device=\"0000:3b:00.0\",client=\"serve\",pid=\"7\",slot=\"-1\"} "
        "1.5\n",
        "mortar_client_measured_slowdown_ratio{device=\"0000:3b:00.0\",client=\"serve\",pid=\"7\",slot=\"-"
        "1\"} 0.015\n",
        "mortar_client_holds{device=\"0000:3b:00.0\",client=\"serve\",pid=\"7\",slot=\"-1\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
  // What is not known is left out, and is not 0.
  EXPECT_EQ(text.find("mortar_device_unmanaged_processes{"), std::string::npos);
  EXPECT_EQ(text.find("mortar_client_period_seconds{"), std::string::npos);
}

// The format's grammar, and Prometheus' rules for names.
TEST(ServeMetricsTest, EveryLineIsWellFormed) {
  Sample sample = OneSample("a\"b\\c");
  sample.devices.push_back(OneSample("other").devices[0]);
  sample.devices[1].status.device = "two";
  const std::regex comment("# (HELP|TYPE) (mortar_[a-z_]+) .+");
  const std::regex line(
      R"re((mortar_[a-z_]+)(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? -?[0-9.]+(e[+-]?[0-9]+)?)re");
  std::istringstream text(ToMetrics(sample));
  std::set<std::string> typed;
  std::set<std::string> seen;
  std::smatch match;
  for (std::string one; std::getline(text, one);) {
    if (std::regex_match(one, match, comment)) {
      if (match[1] == "TYPE") {
        EXPECT_TRUE(typed.insert(match[2]).second) << one;
        const bool counter = one.ends_with(" counter");
        EXPECT_EQ(counter, match[2].str().ends_with("_total")) << one;
      }
      continue;
    }
    ASSERT_TRUE(std::regex_match(one, match, line)) << one;
    EXPECT_TRUE(typed.count(match[1])) << one;
    EXPECT_TRUE(seen.insert(one.substr(0, one.rfind(' '))).second) << "twice: " << one;
  }
  EXPECT_GT(seen.size(), 20U);
}

nlohmann::json Read(const Body& body) { return nlohmann::json::parse(*body); }

TEST(ServeHistoryTest, AnswersWithWhatIsMissing) {
  History history;
  for (int i = 0; i < 5; ++i) history.Add(OneSample());
  const auto all = Read(history.After(-1));
  EXPECT_EQ(all["samples"].size(), 5U);
  EXPECT_EQ(all["restarted"], true);
  EXPECT_EQ(all["last"], 4);
  EXPECT_EQ(all["now"]["devices"][0]["clients"][0]["name"], "serve");
  EXPECT_EQ(Read(history.After(4))["samples"].size(), 0U);
  EXPECT_EQ(Read(history.After(3))["samples"].size(), 1U);
  EXPECT_EQ(Read(history.After(2))["samples"].size(), 2U);
  EXPECT_EQ(Read(history.After(2))["restarted"], false);
  for (const std::int64_t number : {std::int64_t{5}, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(Read(history.After(number))["samples"].size(), 5U);
    EXPECT_EQ(Read(history.After(number))["restarted"], true);
  }
}

TEST(ServeHistoryTest, IsMadeOnceForAll) {
  History history;
  for (int i = 0; i < 3; ++i) history.Add(OneSample());
  EXPECT_EQ(history.After(-1), history.After(-1));
  EXPECT_EQ(history.After(1), history.After(1));
  const Body before = history.After(-1);
  history.Add(OneSample());
  EXPECT_NE(history.After(-1), before);
}

TEST(ServeHistoryTest, StaysWithinItsBounds) {
  History history;
  for (std::size_t i = 0; i < History::kMostSamples + 50; ++i) history.Add(OneSample());
  EXPECT_EQ(history.size(), History::kMostSamples);
  Sample large = OneSample();
  for (int i = 0; i < 500; ++i) large.devices[0].clients.push_back(large.devices[0].clients[0]);
  for (std::size_t i = 0; i < History::kMostSamples; ++i) history.Add(large);
  EXPECT_LE(history.bytes(), History::kMostBytes);
  EXPECT_LT(history.size(), History::kMostSamples);
  EXPECT_EQ(Read(history.After(-1))["samples"].size(), history.size());
}

TEST(ServePageTest, AsksForNothingFromElsewhere) {
  const std::string page(kLivePage);
  EXPECT_NE(page.find("fetch(\"/api/history"), std::string::npos);
  EXPECT_EQ(page.find("@MORTAR"), std::string::npos);
  std::string rest = page;
  // The only address in it is the name of SVG's namespace, which nobody fetches.
  const std::string name = "http://www.w3.org/2000/svg";
  rest.erase(rest.find(name), name.size());
  for (const char* part : {"http:", "https:", "src=", "@import", "url("})
    EXPECT_EQ(rest.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace mortar::cli
#endif
