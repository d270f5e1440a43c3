#include "trace/live_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/check_recording.h"
#include "trace/chrome_trace.h"
#include "trace/test_spool.h"
#include "trace/test_trace.h"
#include "trace/timeline.h"

namespace mortar::trace {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kZero = 1'000'000'000;

struct Text : TextSink {
  base::Status Write(std::string_view piece) override {
    text += piece;
    return {};
  }
  std::string text;
};

// A program that writes a buffer, launches twice, and waits; the second kernel begins 300 ns before the first
// one ends, by the clocks, and a third was not measured.
Client Serve() {
  TestSpool spool("serve", 0);
  spool.Name(1, "write buffer");
  spool.Name(2, "gemm");
  spool.Submit(1, kZero, kZero + 30 * kUs, 10 * kUs);
  spool.Device(1, kZero, kZero + 20 * kUs, kZero + 30 * kUs);
  spool.Submit(2, kZero + 5 * kUs, kZero + 80 * kUs, 50 * kUs);
  spool.Device(2, kZero + 5 * kUs, kZero + 30 * kUs - 300, kZero + 80 * kUs);
  spool.Submit(2, kZero + 8 * kUs, kZero + 130 * kUs, 50 * kUs);
  spool.Add(model::TraceKind::kWait, kZero + 10 * kUs, kZero + 133 * kUs);
  spool.Add(model::TraceKind::kRequest, kZero, kZero + 133 * kUs);
  return spool.Read();
}

void ExpectServe(const Recording& r) {
  ASSERT_TRUE(CheckRecording(r).ok()) << CheckRecording(r).error().message;
  EXPECT_EQ(r.recorder, "mortar trace record");
  ASSERT_EQ(r.ops.size(), 3u);
  EXPECT_EQ(r.identities[r.ops[0].identity].kind, OpKind::kCopy);
  EXPECT_EQ(r.identities[r.ops[0].identity].path, CopyPath::kHostToDevice);
  EXPECT_EQ(r.identities[r.ops[1].identity].name, "gemm");
  EXPECT_EQ(r.ops[0].start_ns, 20 * kUs);
  EXPECT_EQ(r.ops[0].duration_ns, 10 * kUs - 300);  // until the next begins
  EXPECT_EQ(r.ops[1].start_ns, 30 * kUs - 300);
  EXPECT_EQ(r.ops[1].duration_ns, 50 * kUs + 300);
  EXPECT_EQ(r.ops[2].start_ns, 80 * kUs);  // predicted
  ASSERT_EQ(r.calls.size(), 4u);
  EXPECT_EQ(r.ops[2].call, 2u);
  EXPECT_EQ(r.calls[3].waits.count, 1u);
  EXPECT_EQ(r.calls[3].tail_ns, 3 * kUs);
  ASSERT_EQ(r.requests.size(), 1u);
  EXPECT_EQ(r.threads.size(), 1u) << "a request that takes longer than recorded ends where its calls do";
  EXPECT_EQ(r.requests[0].thread, 0u);
  EXPECT_EQ(r.devices[0].name, "gpu");
  EXPECT_EQ(r.notes[0].count, 1u);
  EXPECT_THAT(r.notes[0].what, HasSubstr("predicted, not measured"));
}

TEST(LiveTraceTest, SpoolBecomesARecording) {
  LiveTrace live("");
  live.AddSpool(Serve());
  const auto r = live.Make("s.spool");
  ASSERT_TRUE(r) << r.error().message;
  ExpectServe(*r);
}

TEST(LiveTraceTest, TimelineTellsTheSameAsItsSpool) {
  TestSpool other("train", 5);
  other.header.pid = 200;
  other.Submit(7, kZero + 10 * kUs, kZero + 20 * kUs, 10 * kUs, /*fill=*/true);
  other.Device(7, kZero + 10 * kUs, kZero + 12 * kUs, kZero + 20 * kUs);
  const std::vector<Client> clients{Serve(), other.Read()};
  Text sink;
  ASSERT_TRUE(WriteChromeTrace(
                  clients, BuildTimeline(clients), [](std::uint32_t) { return "r"; }, &sink)
                  .ok());
  ReadOptions options;
  options.client = "serve";
  const auto r = TestTrace::ReadTrace(sink.text, options);
  ASSERT_TRUE(r) << r.error().message;
  ExpectServe(*r);
  options.client = "train";
  const auto train = TestTrace::ReadTrace(sink.text, options);
  ASSERT_TRUE(train) << train.error().message;
  EXPECT_EQ(train->ops.size(), 1u);
  options.client = "";
  const auto which = TestTrace::ReadTrace(sink.text, options);
  ASSERT_FALSE(which);
  EXPECT_THAT(which.error().message,
              HasSubstr("several programs in it; name one of \"serve\", \"train\" as FILE#NAME"));
  options.client = "x";
  EXPECT_THAT(TestTrace::ReadTrace(sink.text, options).error().message,
              HasSubstr("no programs called \"x\" in it"));
}

}  // namespace
}  // namespace mortar::trace
