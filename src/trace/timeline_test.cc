#include "trace/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/summary.h"
#include "trace/test_spool.h"

namespace mortar::trace {
namespace {

using model::TraceKind;
using testing::ElementsAre;
using testing::SizeIs;

// All times below are from the first event, which the tests put at this instant of the board.
constexpr std::int64_t kZero = 1'000'000'000;
constexpr std::int64_t kUs = 1000;

std::vector<std::pair<std::int64_t, std::int64_t>> TimesUs(const auto& slices) {
  std::vector<std::pair<std::int64_t, std::int64_t>> times;
  for (const auto& slice : slices) times.emplace_back(slice.begin_ns / kUs, slice.end_ns / kUs);
  return times;
}

using Pair = std::pair<std::int64_t, std::int64_t>;

TEST(TimelineTest, NothingRecordedGivesAnEmptyTimeline) {
  EXPECT_EQ(BuildTimeline({}).end_ns, 0);
  const Timeline timeline = BuildTimeline({TestSpool().Read()});
  ASSERT_THAT(timeline.clients, SizeIs(1));
  EXPECT_TRUE(timeline.clients[0].kernels.empty());
  EXPECT_EQ(timeline.end_ns, 0);
}

TEST(TimelineTest, MeasuredTimeTakesThePlaceOfThePredictedOne) {
  TestSpool spool;
  spool.Submit(7, kZero, kZero + 110 * kUs, 100 * kUs, /*fill=*/true);
  spool.Submit(7, kZero + 50 * kUs, kZero + 210 * kUs, 100 * kUs);
  spool.Device(7, kZero + 50 * kUs, kZero + 120 * kUs, kZero + 215 * kUs);  // of the second
  const ClientTimeline client = BuildTimeline({spool.Read()}).clients[0];
  EXPECT_THAT(TimesUs(client.kernels), ElementsAre(Pair{10, 110}, Pair{120, 215}));
  EXPECT_FALSE(client.kernels[0].measured);
  EXPECT_TRUE(client.kernels[0].fill);
  EXPECT_TRUE(client.kernels[1].measured);
  EXPECT_FALSE(client.kernels[1].fill);
  EXPECT_EQ(client.kernels[1].submitted_ns, 50 * kUs);
  EXPECT_EQ(client.kernels[1].predicted_ns, 100 * kUs);
}

TEST(TimelineTest, PredictedKernelNeverBeginsBeforeItsSubmit) {
  TestSpool spool;
  spool.Submit(7, kZero, kZero + 40 * kUs, 100 * kUs);
  EXPECT_THAT(TimesUs(BuildTimeline({spool.Read()}).clients[0].kernels), ElementsAre(Pair{0, 40}));
}

TEST(TimelineTest, MeasuredKernelWhoseSubmitIsMissingIsShownAlone) {
  TestSpool spool;
  spool.Submit(7, kZero, kZero + 100 * kUs, 100 * kUs);
  spool.Device(8, kZero, kZero + 10 * kUs, kZero + 20 * kUs);  // another kernel
  spool.Device(7, kZero, kZero + 30 * kUs, kZero + 40 * kUs);
  spool.Device(7, kZero, kZero + 50 * kUs, kZero + 60 * kUs);  // its submit has one already
  const ClientTimeline client = BuildTimeline({spool.Read()}).clients[0];
  EXPECT_THAT(TimesUs(client.kernels), ElementsAre(Pair{10, 20}, Pair{30, 40}, Pair{50, 60}));
  EXPECT_FALSE(client.kernels[0].submitted);
  EXPECT_TRUE(client.kernels[1].submitted);
  EXPECT_FALSE(client.kernels[2].submitted);
}

// Holder: 0–100 and 500–600 us. Filler: 150–250 and 240–300 (two streams) and 550–700.
std::vector<Client> Pair2() {
  TestSpool serve("serve", 0);
  serve.Submit(1, kZero, kZero + 100 * kUs, 100 * kUs);
  serve.Device(1, kZero, kZero, kZero + 100 * kUs);
  serve.Submit(1, kZero + 490 * kUs, kZero + 600 * kUs, 100 * kUs);
  serve.Device(1, kZero + 490 * kUs, kZero + 500 * kUs, kZero + 600 * kUs);
  TestSpool train("train", 5);
  train.Submit(2, kZero + 140 * kUs, kZero + 250 * kUs, 100 * kUs, true);
  train.Device(2, kZero + 140 * kUs, kZero + 150 * kUs, kZero + 250 * kUs);
  train.Submit(3, kZero + 141 * kUs, kZero + 300 * kUs, 60 * kUs, true);
  train.Device(3, kZero + 141 * kUs, kZero + 240 * kUs, kZero + 300 * kUs);
  train.Submit(2, kZero + 545 * kUs, kZero + 700 * kUs, 150 * kUs);
  train.Device(2, kZero + 545 * kUs, kZero + 550 * kUs, kZero + 700 * kUs);
  return {serve.Read(), train.Read()};
}

TEST(TimelineTest, GapsAreWhatAClientLeavesAndSayWhatOthersUsed) {
  const Timeline timeline = BuildTimeline(Pair2());
  EXPECT_THAT(TimesUs(timeline.clients[0].gaps), ElementsAre(Pair{100, 500}));
  EXPECT_EQ(timeline.clients[0].gaps[0].others_ns, 150 * kUs);  // 150…300
  EXPECT_THAT(TimesUs(timeline.clients[1].gaps), ElementsAre(Pair{300, 550}));
  EXPECT_EQ(timeline.clients[1].gaps[0].others_ns, 50 * kUs);  // 500…550
}

TEST(TimelineTest, OtherDevicesFillNoGaps) {
  std::vector<Client> clients = Pair2();
  clients[1].device = "another";
  const Timeline timeline = BuildTimeline(clients);
  EXPECT_EQ(timeline.clients[0].gaps[0].others_ns, 0);
  EXPECT_NE(timeline.clients[0].board, timeline.clients[1].board);
}

TEST(TimelineTest, ClocksOfTwoBoardsAreBroughtTogether) {
  TestSpool a("a");
  a.header.board_ns = kZero;
  a.header.monotonic_ns = 50 * kZero;
  a.Add(TraceKind::kWait, kZero, kZero + 100 * kUs);
  TestSpool b("b");
  TestSpool::Put("gpu1", b.header.device);
  b.header.board_ns = 7 * kZero;  // its board was made earlier
  b.header.monotonic_ns = 50 * kZero;
  b.Add(TraceKind::kWait, 7 * kZero + 20 * kUs, 7 * kZero + 300 * kUs);
  const Timeline timeline = BuildTimeline({a.Read(), b.Read()});
  EXPECT_THAT(TimesUs(timeline.clients[0].waits), ElementsAre(Pair{0, 100}));
  EXPECT_THAT(TimesUs(timeline.clients[1].waits), ElementsAre(Pair{20, 300}));
  EXPECT_EQ(timeline.end_ns, 300 * kUs);
}

TEST(TimelineTest, ClientsOfOneBoardKeepItsClock) {
  // The second compared its clocks 30 us late: that must not move it against the first.
  TestSpool a("a");
  a.header.board_ns = kZero;
  a.header.monotonic_ns = 50 * kZero;
  a.Add(TraceKind::kWait, kZero, kZero + 100 * kUs);
  TestSpool b = a;
  b.header.monotonic_ns += 30 * kUs;
  const Timeline timeline = BuildTimeline({a.Read(), b.Read()});
  EXPECT_EQ(timeline.clients[1].board, 0u);
  EXPECT_THAT(TimesUs(timeline.clients[1].waits), ElementsAre(Pair{0, 100}));
}

TEST(TimelineTest, SubmitsThatWereNeverRefusedWereNotHeld) {
  TestSpool spool;
  spool.Add(TraceKind::kGate, kZero, kZero + 300).detail = 0;
  spool.Add(TraceKind::kGate, kZero + 5 * kUs, kZero + 9 * kUs).detail = 6;
  EXPECT_THAT(TimesUs(BuildTimeline({spool.Read()}).clients[0].held), ElementsAre(Pair{5, 9}));
}

TEST(TimelineTest, SharedLaneGetsRowsAndOtherLanesDoNot) {
  TestSpool spool;
  spool.Add(TraceKind::kWait, kZero, kZero + 100);
  spool.Add(TraceKind::kWait, kZero + 50, kZero + 150);
  spool.Add(TraceKind::kWait, kZero + 60, kZero + 160).lane = 1;
  const ClientTimeline client = BuildTimeline({spool.Read()}).clients[0];
  EXPECT_EQ(client.waits[0].row, 0);
  EXPECT_EQ(client.waits[1].row, 1);
  EXPECT_EQ(client.waits[2].row, 0);
}

TEST(SummaryTest, SumsAreThoseOfTheRecording) {
  std::vector<Client> clients = Pair2();
  const auto add = [&](TraceKind kind, int begin_us, int end_us, std::int64_t value, std::uint32_t detail) {
    model::TraceRecord record;
    record.kind = static_cast<std::uint32_t>(kind);
    record.begin_ns = kZero + begin_us * kUs;
    record.end_ns = kZero + end_us * kUs;
    record.value_ns = value;
    record.detail = detail;
    clients[0].records.push_back(record);
  };
  add(TraceKind::kWait, 10, 110, 5 * kUs, 0);
  add(TraceKind::kWait, 510, 610, 2 * kUs, 0);
  add(TraceKind::kGate, 120, 130, 0, 5);
  add(TraceKind::kRequest, 0, 110, 5 * kUs, 0);
  add(TraceKind::kRequest, 490, 610, 2 * kUs, 1);
  const SpoolSet recording{clients, {"3-0.spool is no spool"}};
  const Summary summary = Summarize(recording, BuildTimeline(clients));
  const ClientSummary& serve = summary.clients[0];
  EXPECT_EQ(serve.kernels, 2u);
  EXPECT_EQ(serve.measured, 2u);
  EXPECT_EQ(serve.fills, 0u);
  EXPECT_EQ(serve.device_ns, 200 * kUs);
  EXPECT_EQ(serve.waits, 2u);
  EXPECT_EQ(serve.wait_ns, 200 * kUs);
  EXPECT_EQ(serve.harm_ns, 7 * kUs);
  EXPECT_EQ(serve.requests, 2u);
  EXPECT_EQ(serve.request_ns, 230 * kUs);
  EXPECT_EQ(serve.controls, 1u);
  EXPECT_EQ(serve.held, 1u);
  EXPECT_EQ(serve.held_ns, 10 * kUs);
  EXPECT_EQ(serve.gap_ns, 400 * kUs);
  EXPECT_EQ(serve.others_ns, 150 * kUs);
  EXPECT_EQ(summary.clients[1].fills, 2u);
  ASSERT_THAT(summary.boards, SizeIs(1));
  // 0–100, 150–300 and 500–700 of 0–700.
  EXPECT_EQ(summary.boards[0].busy_ns, 450 * kUs);
  EXPECT_EQ(summary.boards[0].span_ns, 700 * kUs);
  EXPECT_THAT(summary.unreadable, SizeIs(1));
}

TEST(SummaryTest, OverlapCountsMeasuredKernelsOfDifferentClientsOnly) {
  // Holder's 500–600 and filler's 550–700; the filler's own two at 240 are not counted.
  const std::vector<Client> clients = Pair2();
  const Summary summary = Summarize({clients, {}}, BuildTimeline(clients));
  const Overlap& overlap = summary.boards[0].overlap;
  EXPECT_EQ(overlap.count, 1u);
  EXPECT_EQ(overlap.total_ns, 50 * kUs);
  EXPECT_EQ(overlap.longest_ns, 50 * kUs);
  EXPECT_EQ(overlap.longest_at_ns, 550 * kUs);
}

TEST(SummaryTest, PredictedKernelsOverlapNothing) {
  TestSpool a("a");
  a.Submit(1, kZero, kZero + 100 * kUs, 100 * kUs);
  TestSpool b("b");
  b.Submit(1, kZero, kZero + 100 * kUs, 100 * kUs);
  const std::vector<Client> clients = {a.Read(), b.Read()};
  EXPECT_EQ(Summarize({clients, {}}, BuildTimeline(clients)).boards[0].overlap.count, 0u);
}

}  // namespace
}  // namespace mortar::trace
