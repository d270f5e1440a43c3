#include "sim/compile.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "sim/pair.h"
#include "sim/test_recordings.h"
#include "support/shared_data.h"

namespace mortar::sim {
namespace {

TEST(CompileTest, LaterHalfOfTheRequestsIsJudged) {
  const auto program = Compile(Draw({.requests = 5}), {.learns = true});
  ASSERT_TRUE(program.ok()) << program.error().message;
  EXPECT_EQ((*program)->learn.requests, 2U);
  EXPECT_EQ((*program)->judge.requests, 3U);
  EXPECT_EQ((*program)->judge.ops.size(), 15U);
  EXPECT_EQ((*program)->judge.device_ns, 15 * 20 * kUs);
  EXPECT_FALSE((*program)->repeats_itself);
}

TEST(CompileTest, ARecordingWithoutRequestsIsOneAndRepeatsItself) {
  const auto program = Compile(Draw({.requests = 3, .marked = false}), {.learns = true});
  ASSERT_TRUE(program.ok());
  EXPECT_EQ((*program)->judge.requests, 1U);
  EXPECT_EQ((*program)->judge.ops.size(), 15U);
  EXPECT_TRUE((*program)->learn.empty());
  EXPECT_TRUE((*program)->repeats_itself);
}

TEST(CompileTest, RequestsTakeAsLongAsRecorded) {
  const auto program = Compile(Draw({}), {});
  ASSERT_TRUE(program.ok());
  RunSpec spec;
  spec.policy = Policy::kShare;
  spec.for_ns = 20 * kMs;
  spec.clients = {MakeClient(*program, 0)};
  const RunResult result = sim::Run(spec);
  ASSERT_GT(result.clients[0].requests.size(), 20U);
  // 5 × 50 us to the last launch's return; it began 4 us earlier: 5 us latency, 20 us on the device, 3 us
  // tail. The wait at the lap's end adds its own return, 3 us, the median of the recording's.
  const RequestTimes& first = result.clients[0].requests[0];
  EXPECT_EQ(first.end_ns - first.arrival_ns, (250 - 4 + 5 + 20 + 3) * kUs);
  const RequestTimes& last = result.clients[0].requests[1];
  EXPECT_EQ(last.end_ns - last.arrival_ns, (250 - 4 + 5 + 20 + 3 + 3) * kUs);
}

TEST(CompileTest, CutKernelsKeepTheirWorkAndPayForEachPiece) {
  const auto program =
      Compile(Draw({.duration = 130 * kUs}), {.split_ns = 50 * kUs, .split_cost_ns = 5 * kUs});
  ASSERT_TRUE(program.ok());
  const Lap& lap = (*program)->judge;
  ASSERT_EQ(lap.ops.size(), 30U);  // three pieces each
  EXPECT_EQ(lap.device_ns, 10 * 130 * kUs);
  EXPECT_EQ(lap.ops[0].duration_ns, lap.ops[0].useful_ns + 5 * kUs);
  EXPECT_LE(lap.ops[0].useful_ns, 50 * kUs);
  // The wait still covers the last piece of the last kernel.
  const Step& wait = lap.threads[0][16];
  ASSERT_TRUE(wait.waits);
  ASSERT_EQ(wait.until_count, 1U);
  EXPECT_EQ(lap.untils[wait.first_until].ordinal, 14U);
}

// Copies of 130 us, the last of each request one that its call waits for.
trace::Recording Copies(trace::CopyPath path, trace::OpKind kind = trace::OpKind::kCopy) {
  trace::Recording r = Draw({.duration = 130 * kUs});
  r.identities[0].kind = kind;
  r.identities[0].path = path;
  for (const trace::HostCall& call : r.calls) {
    if (call.waits.count == 0) continue;
    trace::HostCall& copy = r.calls[static_cast<std::size_t>(&call - r.calls.data()) - 1];
    copy.kind = trace::CallKind::kSyncCopy;
    copy.waits = call.waits;
    copy.tail_ns = call.tail_ns;
  }
  return r;
}

TEST(CompileTest, CopiesAreCutAsKernelsAre) {
  const std::pair<trace::CopyPath, Engine> paths[] = {{trace::CopyPath::kHostToDevice, Engine::kCopyIn},
                                                      {trace::CopyPath::kDeviceToHost, Engine::kCopyOut},
                                                      {trace::CopyPath::kDeviceToDevice, Engine::kCompute}};
  for (const auto& [path, engine] : paths) {
    const auto program = Compile(Copies(path), {.split_ns = 50 * kUs, .split_cost_ns = 5 * kUs});
    ASSERT_TRUE(program.ok());
    const Lap& lap = (*program)->judge;
    ASSERT_EQ(lap.ops.size(), 30U);  // three pieces each
    EXPECT_EQ(lap.device_ns, 10 * 130 * kUs);
    EXPECT_EQ(lap.ops[0].duration_ns, lap.ops[0].useful_ns + 5 * kUs);
    EXPECT_EQ(lap.ops[2].engine, engine);
    // A mark, and then each piece a submit of its own; the call's own time is the last one's.
    const std::vector<Step>& steps = lap.threads[0];
    for (std::uint32_t i = 0; i < 15; ++i) {
      EXPECT_EQ(steps[1 + i].first_op, i);
      EXPECT_EQ(steps[1 + i].op_count, 1U);
      EXPECT_EQ(steps[1 + i].call_ns, i % 3 == 2 ? 4 * kUs : 0);
      EXPECT_EQ(steps[1 + i].think_ns > 0, i % 3 == 0);
      // Only the last copy's call waits, and only its last piece.
      EXPECT_EQ(steps[1 + i].waits, i == 14) << i;
    }
    const Step& last = steps[15];
    ASSERT_EQ(last.until_count, 1U);
    EXPECT_EQ(lap.untils[last.first_until].ordinal, 14U);
    EXPECT_EQ(last.tail_ns, 3 * kUs);
  }
  const auto sets = Compile(Copies(trace::CopyPath::kUnsaid, trace::OpKind::kSet), {.split_ns = 50 * kUs});
  ASSERT_TRUE(sets.ok());
  EXPECT_EQ((*sets)->judge.ops.size(), 10U) << "fills of memory are left whole";
}

TEST(CompileTest, BlockingWaitsAfterEveryLaunch) {
  const auto program = Compile(Draw({}), {.blocking = true});
  ASSERT_TRUE(program.ok());
  int waits = 0;
  for (const Step& step : (*program)->judge.threads[0]) waits += step.op_count > 0 && step.waits ? 1 : 0;
  EXPECT_EQ(waits, 10);
}

TEST(CompileTest, NothingOnADeviceIsRefused) {
  trace::Recording empty;
  empty.source = "empty.json";
  const auto program = Compile(empty, {});
  ASSERT_FALSE(program.ok());
  EXPECT_NE(program.error().message.find("empty.json"), std::string::npos);
}

TEST(CompileTest, AListOfDurationsIsLaunchedAhead) {
  trace::Recording list = Draw({.requests = 1, .marked = false});
  list.form = trace::Form::kDurations;
  list.threads.clear();
  list.calls.clear();
  list.waited.clear();
  for (trace::Op& op : list.ops) op.call = trace::kNone;
  const auto program = Compile(list, {});
  ASSERT_TRUE(program.ok()) << program.error().message;
  EXPECT_EQ((*program)->judge.ops.size(), 5U);
  EXPECT_EQ((*program)->judge.threads[0].size(), 7U);  // five launches between two marks
}

TEST(CompileTest, HandOversKeepTheirOrder) {
  // Thread 1 launches; its return lets thread 2 launch 10 us later; then thread 1 goes on after thread 2.
  trace::Recording r = Draw({.requests = 1, .launches = 3});
  r.threads = {trace::HostThread{1, 1, "a", {0, 3}}, trace::HostThread{1, 2, "b", {3, 1}}};
  // Calls by thread: 0, 2 and the wait; then 1.
  std::swap(r.calls[1], r.calls[2]);
  std::swap(r.calls[2], r.calls[3]);
  r.calls[3].after = 0;
  r.calls[1].after = 3;
  r.calls[2].after = 1;
  for (trace::Index i = 0; i < r.calls.size(); ++i) {
    if (r.calls[i].ops.count > 0) r.ops[r.calls[i].ops.first].call = i;
  }
  const auto report = Replay(r);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_DOUBLE_EQ(report->span_error, 0);
}

TEST(ReplayTest, IsExactAlsoWhereTheDeviceIsBehind) {
  for (const Ns duration : {20 * kUs, 200 * kUs}) {
    const auto report = Replay(Draw({.duration = duration}));
    ASSERT_TRUE(report.ok());
    EXPECT_DOUBLE_EQ(report->span_error, 0) << duration;
    EXPECT_EQ(report->gap_p90_ns, report->replayed_gap_p90_ns);
  }
}

// Kernels whose launches the profiler did not see, between others of their stream and behind the last one.
trace::Recording WithStrays() {
  trace::Recording r = Draw({.requests = 1, .launches = 3, .apart = 500 * kUs, .marked = false});
  for (const Ns start : {1'100 * kUs, 1'900 * kUs}) {
    trace::Op op;
    op.start_ns = start;
    op.duration_ns = 100 * kUs;
    r.ops.push_back(op);
  }
  // 501, 1001 and 1501 us are when the others begin.
  r.stream_ops = {0, 1, 3, 2, 4};
  r.streams[0].ops.count = 5;
  r.end_ns = 2'000 * kUs;
  return r;
}

TEST(ReplayTest, OperationsWithoutACallComeWhenTheyCame) {
  const auto report = Replay(WithStrays());
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_DOUBLE_EQ(report->span_error, 0);
  EXPECT_EQ(report->gap_p50_ns, report->replayed_gap_p50_ns);
  EXPECT_EQ(report->gap_p90_ns, report->replayed_gap_p90_ns);
}

// Its call is the recording's first instant, and what no call submitted is in front of it all the same.
TEST(ReplayTest, AlsoInFrontOfACallAtTheVeryBeginning) {
  trace::Recording r = Draw({.requests = 1, .launches = 1, .apart = 4 * kUs, .marked = false});
  ASSERT_EQ(r.calls[0].start_ns, 0);
  r.ops[0].start_ns = 50 * kUs;
  trace::Op op;
  op.start_ns = 10 * kUs;
  op.duration_ns = 30 * kUs;
  r.ops.push_back(op);
  r.stream_ops = {1, 0};
  r.streams[0].ops.count = 2;
  const auto report = Replay(r);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_DOUBLE_EQ(report->span_error, 0);
}

TEST(CompileTest, WhatNoCallSubmittedIsLeftOutOfLapsAndNamed) {
  const auto program = Compile(WithStrays(), {});
  ASSERT_TRUE(program.ok());
  EXPECT_EQ((*program)->judge.ops.size(), 3U);
  EXPECT_DOUBLE_EQ((*program)->left_out, 200. / 260);  // three of 20 us, two of 100
  EXPECT_EQ((*Compile(Draw({}), {}))->left_out, 0);
  // What was on the device before the first launch is not the program's to repeat.
  trace::Recording late = WithStrays();
  late.stream_ops = {3, 0, 1, 2, 4};
  EXPECT_DOUBLE_EQ((*Compile(late, {}))->left_out, 100. / 260);
}

// A thread that only marks does not feel the device; who launches does.
TEST(CompileTest, MarksAreSetByAThreadThatMakesCalls) {
  trace::Recording elsewhere = Draw({});
  for (trace::Request& request : elsewhere.requests) request.thread = trace::kNone;
  trace::Recording later = Draw({});  // by one that makes a call when all is over
  later.threads.push_back(
      trace::HostThread{1, 2, "marks", {static_cast<trace::Index>(later.calls.size()), 1}});
  trace::HostCall call;
  call.start_ns = later.end_ns + kMs;
  later.calls.push_back(call);
  for (trace::Request& request : later.requests) request.thread = 1;
  for (const trace::Recording* r : {&elsewhere, &later}) {
    const auto program = Compile(*r, {});
    ASSERT_TRUE(program.ok());
    ASSERT_EQ((*program)->judge.threads.size(), 1U);
    EXPECT_EQ((*program)->judge.threads[0].front().kind, StepKind::kBegin);
    RunSpec spec;
    spec.policy = Policy::kShare;
    spec.for_ns = 20 * kMs;
    spec.clients = {MakeClient(*program, 0), MakeClient(*Compile(Draw({.duration = 400 * kUs}), {}), 9)};
    const RunResult shared = sim::Run(spec);
    spec.clients[0].program = *Compile(Draw({}), {});
    EXPECT_EQ(shared.clients[0].requests.size(), sim::Run(spec).clients[0].requests.size());
  }
}

// Goal: span within 2 %, gap p50 and p90 within 5 % or 2 us, with recorded latencies and with their medians.
TEST(ReplayTest, SharedRecordingsKeepTheirSpanAndGaps) {
  const auto shared = test::SharedData();
  if (!shared) GTEST_SKIP() << test::kNoSharedData;
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*shared + "/traces")) {
    if (entry.path().extension() != ".gz") continue;
    const auto source = ReadSource(entry.path().string());
    ASSERT_TRUE(source.ok()) << source.error().message;
    ++read;
    for (const bool medians : {false, true}) {
      const auto report = Replay(*source->recording, medians);
      ASSERT_TRUE(report.ok()) << report.error().message;
      EXPECT_NEAR(report->span_error, 0, 0.02) << source->name;
      const auto near = [&](Ns recorded, Ns replayed) {
        const double allowed = std::max(0.05 * static_cast<double>(recorded), 2e3);
        EXPECT_NEAR(static_cast<double>(recorded), static_cast<double>(replayed), allowed) << source->name;
      };
      near(report->gap_p50_ns, report->replayed_gap_p50_ns);
      near(report->gap_p90_ns, report->replayed_gap_p90_ns);
    }
  }
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace mortar::sim
