#include "trace/chrome_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "trace/test_spool.h"

namespace mortar::trace {
namespace {

using model::TraceKind;
using nlohmann::json;

constexpr std::int64_t kZero = 1'000'000'000;
constexpr std::int64_t kUs = 1000;

struct TextInMemory : TextSink {
  base::Status Write(std::string_view piece) override {
    if (full) return base::Error{base::Code::kFull, "write: no space"};
    text += piece;
    return {};
  }
  std::string text;
  bool full = false;
};

const char* ReasonOf(std::uint32_t detail) { return detail == 5 ? "holder busy" : "other"; }

json Export(const std::vector<Client>& clients) {
  TextInMemory sink;
  EXPECT_TRUE(WriteChromeTrace(clients, BuildTimeline(clients), ReasonOf, &sink).ok());
  const json trace = json::parse(sink.text, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(trace.is_discarded()) << sink.text.substr(0, 2000);
  return trace;
}

json Only(const json& trace, const std::string& key, const std::string& value) {
  json found = json::array();
  for (const json& event : trace["traceEvents"]) {
    if (event.value(key, "") == value) found.push_back(event);
  }
  return found;
}

// A viewer's arithmetic: microseconds in floating point, cut to nanoseconds.
std::int64_t ViewedNs(const json& microseconds) {
  return static_cast<std::int64_t>(microseconds.get<double>() * 1000);
}

void CheckStructure(const json& trace) {
  ASSERT_TRUE(trace["traceEvents"].is_array());
  std::map<std::int64_t, std::int64_t> pid_of_tid, free_at;
  std::set<std::int64_t> named;
  double newest = 0;
  for (const json& event : trace["traceEvents"]) {
    const std::string phase = event["ph"];
    ASSERT_THAT(phase, testing::AnyOf("M", "X", "i", "C"));
    ASSERT_GT(event["pid"].get<std::int64_t>(), 0);
    if (phase == "M" && event["name"] == "thread_name") named.insert(event["tid"].get<std::int64_t>());
    if (phase == "M") continue;
    ASSERT_GE(event["ts"].get<double>(), newest) << event;  // ascending
    newest = event["ts"].get<double>();
    ASSERT_FALSE(event["name"].get<std::string>().empty());
    if (phase == "C") continue;
    const auto tid = event["tid"].get<std::int64_t>();
    ASSERT_TRUE(named.contains(tid)) << event;
    const auto pid = event["pid"].get<std::int64_t>();
    ASSERT_EQ(pid_of_tid.emplace(tid, pid).first->second, pid);  // no number used twice
    if (phase != "X") continue;
    ASSERT_GE(event["dur"].get<double>(), 0) << event;
    ASSERT_GE(ViewedNs(event["ts"]), free_at[tid]) << event;
    free_at[tid] = ViewedNs(event["ts"]) + ViewedNs(event["dur"]);
  }
}

// One holder with a request, a wait with harm and a gap; one filler that was held.
std::vector<Client> Example() {
  TestSpool serve("serve", 0);
  serve.Name(1, "gemm");
  serve.Submit(1, kZero, kZero + 100 * kUs, 90 * kUs);
  serve.Device(1, kZero, kZero + 10 * kUs, kZero + 105 * kUs);
  serve.Submit(1, kZero + 400 * kUs, kZero + 500 * kUs, 90 * kUs);
  serve.Add(TraceKind::kWait, kZero + 20 * kUs, kZero + 106 * kUs).value_ns = 3 * kUs;
  serve.Add(TraceKind::kWait, kZero + 410 * kUs, kZero + 510 * kUs).value_ns = 4 * kUs;
  serve.Add(TraceKind::kRequest, kZero, kZero + 106 * kUs).value_ns = 3 * kUs;
  serve.Add(TraceKind::kRequest, kZero + 400 * kUs, kZero + 510 * kUs).detail = 1;
  TestSpool train("train", 5);
  train.header.pid = 200;
  train.Name(2, "sgd \"step\"\n");
  model::TraceRecord& held = train.Add(TraceKind::kGate, kZero + 50 * kUs, kZero + 120 * kUs);
  held.detail = 5;
  held.id = 2;
  train.Submit(2, kZero + 120 * kUs, kZero + 220 * kUs, 100 * kUs, /*fill=*/true);
  train.Device(2, kZero + 120 * kUs, kZero + 125 * kUs, kZero + 225 * kUs);
  return {serve.Read(), train.Read()};
}

TEST(ChromeTraceTest, EmptyRecordingIsValid) {
  const json trace = Export({});
  CheckStructure(trace);
  EXPECT_TRUE(trace["traceEvents"].empty());
}

TEST(ChromeTraceTest, ExampleHasTheRightStructure) { CheckStructure(Export(Example())); }

TEST(ChromeTraceTest, EventsComeFirstAndNothingSetsTheUnit) {
  // Viewers stop at members they do not know, and take displayTimeUnit for the unit of ts.
  TextInMemory sink;
  const auto clients = Example();
  ASSERT_TRUE(WriteChromeTrace(clients, BuildTimeline(clients), ReasonOf, &sink).ok());
  EXPECT_TRUE(sink.text.starts_with("{\"traceEvents\":["));
  EXPECT_EQ(sink.text.find("displayTimeUnit"), std::string::npos);
}

TEST(ChromeTraceTest, ClientsAreProcessesWithNamePriorityAndPolicy) {
  const json trace = Export(Example());
  const json names = Only(trace, "name", "process_name");
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0]["args"]["name"], "serve (priority 0)");
  EXPECT_EQ(names[0]["pid"], 100);
  EXPECT_EQ(names[1]["args"]["name"], "train (priority 5)");
  EXPECT_EQ(Only(trace, "name", "process_labels")[1]["args"]["labels"],
            "priority 5, policy fill, device gpu");
  EXPECT_EQ(trace["otherData"]["clients"][0]["policy"], "fill");
}

TEST(ChromeTraceTest, KernelsSayWhetherTheyWereMeasuredAndFills) {
  const json trace = Export(Example());
  const json measured = Only(trace, "cat", "kernel");
  ASSERT_EQ(measured.size(), 1u);
  EXPECT_EQ(measured[0]["name"], "gemm");
  EXPECT_EQ(measured[0]["ts"], 10.0);
  EXPECT_EQ(measured[0]["dur"], 95.0);
  EXPECT_EQ(measured[0]["args"]["time"], "measured");
  EXPECT_EQ(measured[0]["args"]["predicted_us"], 90.0);
  EXPECT_FALSE(measured[0]["args"].contains("fill"));
  const json predicted = Only(trace, "cat", "kernel,predicted");
  ASSERT_EQ(predicted.size(), 1u);
  EXPECT_EQ(predicted[0]["ts"], 410.0);
  EXPECT_EQ(predicted[0]["args"]["time"], "predicted");
  const json fills = Only(trace, "cat", "kernel,fill");
  ASSERT_EQ(fills.size(), 1u);
  EXPECT_EQ(fills[0]["name"], "fill: sgd \"step\"?");
  EXPECT_EQ(fills[0]["cname"], "good");
  EXPECT_EQ(fills[0]["args"]["fill"], true);
  EXPECT_EQ(fills[0]["args"]["predicted_us"], 100.0);
}

TEST(ChromeTraceTest, WaitsRequestsGatesAndGapsCarryTheirFigures) {
  const json trace = Export(Example());
  const json waits = Only(trace, "cat", "wait");
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(waits[1]["args"]["harm_modelled_us"], 4.0);
  EXPECT_EQ(waits[1]["name"], "wait, harmed");
  EXPECT_EQ(Only(trace, "cat", "request")[0]["dur"], 106.0);
  EXPECT_EQ(Only(trace, "cat", "request,control")[0]["name"], "control request");
  const json held = Only(trace, "cat", "gate");
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0]["name"], "held: holder busy");
  EXPECT_EQ(held[0]["args"]["kernel"], "sgd \"step\"?");
  const json gaps = Only(trace, "cat", "gap");
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0]["ts"], 105.0);
  EXPECT_EQ(gaps[0]["dur"], 305.0);
  EXPECT_EQ(gaps[0]["args"]["others_us"], 100.0);
}

TEST(ChromeTraceTest, HarmIsCountedUp) {
  const json counts = Only(Export(Example()), "ph", "C");
  std::vector<double> serve;
  for (const json& count : counts) {
    if (count["pid"] == 100) serve.push_back(count["args"]["us"].get<double>());
  }
  EXPECT_THAT(serve, testing::ElementsAre(0.0, 3.0, 7.0));
}

TEST(ChromeTraceTest, ClientsOfOneProcessKeepApart) {
  std::vector<Client> clients = Example();
  clients[1].pid = clients[0].pid;
  clients.push_back(clients[0]);
  clients[2].pid = -1;
  const json trace = Export(clients);
  CheckStructure(trace);
  std::set<std::int64_t> pids;
  for (const json& name : Only(trace, "name", "process_name")) pids.insert(name["pid"].get<std::int64_t>());
  EXPECT_EQ(pids.size(), 3u);
  EXPECT_EQ(trace["otherData"]["clients"][2]["os_pid"], -1);
}

TEST(ChromeTraceTest, NamelessKernelsAreShownByNumber) {
  TestSpool spool;
  spool.Submit(0xabc, kZero, kZero + 10 * kUs, 10 * kUs);
  spool.Submit(0, kZero + 20 * kUs, kZero + 30 * kUs, 10 * kUs);
  const json trace = Export({spool.Read()});
  EXPECT_EQ(Only(trace, "cat", "kernel,predicted")[0]["name"], "kernel 0000000000000abc");
  EXPECT_EQ(Only(trace, "cat", "kernel,predicted")[1]["name"], "unknown kernel");
}

TEST(ChromeTraceTest, KernelOfUnknownLengthComesBeforeWhatBeginsWithIt) {
  TestSpool spool;
  spool.Submit(1, kZero, kZero + 5 * kUs, 0);
  spool.Submit(2, kZero, kZero + 15 * kUs, 10 * kUs);
  const json trace = Export({spool.Read()});
  CheckStructure(trace);
  const json kernels = Only(trace, "cat", "kernel,predicted");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0]["dur"], 0.0);
  EXPECT_EQ(kernels[0]["tid"], kernels[1]["tid"]);
}

TEST(ChromeTraceTest, SinkThatIsFullIsReported) {
  TextInMemory sink;
  sink.full = true;
  const auto clients = Example();
  EXPECT_EQ(WriteChromeTrace(clients, BuildTimeline(clients), ReasonOf, &sink).error().code,
            base::Code::kFull);
}

// Records at random: overlapping, touching to the nanosecond, of all kinds and several lanes.
TEST(ChromeTraceTest, RandomRecordingsHaveTheRightStructure) {
  base::Random random(3);
  for (int round = 0; round < 30; ++round) {
    std::vector<Client> clients;
    for (int c = 0; c < 3; ++c) {
      TestSpool spool("client", static_cast<std::uint32_t>(c));
      std::int64_t at = kZero;
      for (int i = 0; i < 300; ++i) {
        at += static_cast<std::int64_t>(random.Next() % 50'000);
        const auto length = static_cast<std::int64_t>(random.Next() % 90'000);
        model::TraceRecord& record =
            spool.Add(static_cast<TraceKind>(1 + random.Next() % 5), at, at + length);
        record.lane = static_cast<std::uint32_t>(random.Next() % 3);
        record.id = random.Next() % 4;
        record.value_ns = static_cast<std::int64_t>(random.Next() % 60'000);
        record.detail = static_cast<std::uint32_t>(random.Next() % 2);
        if (random.Next() % 2 == 0) at += length;  // the next may touch
      }
      clients.push_back(spool.Read());
    }
    CheckStructure(Export(clients));
  }
}

}  // namespace
}  // namespace mortar::trace
