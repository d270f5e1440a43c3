// Runs of little programs; expectations are arithmetic on their schedules.
#include "sim/run.h"

#include <gtest/gtest.h>

#include "sim/test_programs.h"

namespace mortar::sim {
namespace {

RunSpec Alone(ProgramPtr program) {
  RunSpec spec;
  spec.policy = Policy::kShare;
  spec.for_ns = 100 * kMs;
  spec.clients = {MakeClient(std::move(program), 0)};
  return spec;
}

Ns RequestTime(const RequestTimes& request) { return request.end_ns - request.arrival_ns; }

TEST(RunTest, BlockingProgramAloneTakesThinkAndDeviceTime) {
  // 100 us think, 50 us kernel, wait: 150 us a round; two rounds a request.
  const ProgramPtr program =
      ProgramWriter().Launch(100 * kUs, 50 * kUs).WaitAll(0).Launch(100 * kUs, 50 * kUs).WaitAll(0).End();
  const RunResult result = sim::Run(Alone(program));
  ASSERT_GT(result.clients[0].requests.size(), 300U);
  for (const RequestTimes& request : result.clients[0].requests) EXPECT_EQ(RequestTime(request), 300 * kUs);
  EXPECT_EQ(result.clients[0].work_ns, 333 * 100 * kUs);
  EXPECT_EQ(result.busy_ns, 333 * 100 * kUs);
}

TEST(RunTest, AsynchronousProgramOverlapsThinkAndDeviceTime) {
  // Launches at 10 and 20 us, 100 us each, one after another; the wait ends at 210.
  const ProgramPtr program = ProgramWriter().Launch(10 * kUs, 100 * kUs).Launch(10 * kUs, 100 * kUs).End();
  const RunResult result = sim::Run(Alone(program));
  for (const RequestTimes& request : result.clients[0].requests) {
    EXPECT_EQ(RequestTime(request), 210 * kUs);
  }
}

TEST(RunTest, RequestsQueueUpBehindEachOther) {
  RunSpec spec = Alone(ProgramWriter().Launch(0, 100 * kUs).End());
  spec.clients[0].arrivals = std::make_shared<const std::vector<Ns>>(std::vector<Ns>{0, 10 * kUs, 500 * kUs});
  const auto requests = sim::Run(spec).clients[0].requests;
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(RequestTime(requests[0]), 100 * kUs);
  EXPECT_EQ(RequestTime(requests[1]), 190 * kUs);  // begins when the first is done
  EXPECT_EQ(RequestTime(requests[2]), 100 * kUs);
}

// Holder: 100 us think, 50 us kernel, blocking. Filler: kernels of `filler` back to back.
RunResult Share(Policy policy, Ns filler, DeviceOptions device = {}) {
  RunSpec spec;
  spec.policy = policy;
  spec.device = device;
  spec.for_ns = 200 * kMs;
  spec.clients = {MakeClient(ProgramWriter().Launch(100 * kUs, 50 * kUs).WaitAll(0).End(), 0, true),
                  MakeClient(ProgramWriter().Launch(0, filler).End(), 9)};
  return sim::Run(spec);
}

Ns Longest(const RunResult& result) {
  Ns longest = 0;
  for (const RequestTimes& request : result.clients[0].requests)
    longest = std::max(longest, RequestTime(request));
  return longest;
}

TEST(RunTest, SharedFifoMakesTheHolderWaitForARunningKernel) {
  const RunResult result = Share(Policy::kShare, 400 * kUs);
  // At worst a whole kernel of the filler is in front.
  EXPECT_GT(Longest(result), 150 * kUs + 200 * kUs);
  EXPECT_LE(Longest(result), 150 * kUs + 400 * kUs);
}

TEST(RunTest, FillUsesGapsAndLeavesTheHolderAlone) {
  const RunResult result = Share(Policy::kFill, 30 * kUs);
  EXPECT_LE(Longest(result), 160 * kUs);
  // Three fills of 30 us fit a gap of 100 us: 90 of every 150 us, less what caution and controls keep.
  const double share = static_cast<double>(result.clients[1].work_ns) / 200e6;
  EXPECT_GT(share, 0.35);
  EXPECT_LT(share, 0.61);
}

TEST(RunTest, FillStartsNothingThatDoesNotFit) {
  const RunResult result = Share(Policy::kFill, 400 * kUs);
  EXPECT_EQ(result.clients[1].work_ns, 0);
  EXPECT_LE(Longest(result), 151 * kUs);
}

struct FloorCase {
  std::uint32_t share_ppm;
  bool first;
  double max_slowdown;
};
// Holder: 10 us think, 185 us kernel, blocking: never idle for long. Filler: 10 ms kernels.
RunResult ShareWithFloor(Policy policy, const FloorCase& floor) {
  RunSpec spec;
  spec.policy = policy;
  spec.for_ns = 4'000 * kMs;
  spec.clients = {MakeClient(ProgramWriter().Launch(10 * kUs, 185 * kUs).WaitAll(0).End(), 0, true),
                  MakeClient(ProgramWriter().Launch(0, 10 * kMs).End(), 9)};
  spec.clients[0].max_slowdown = floor.max_slowdown;
  spec.clients[1].min_share_ppm = floor.share_ppm;
  spec.clients[1].floor_first = floor.first;
  return sim::Run(spec);
}

double DeviceShare(const RunResult& result) { return static_cast<double>(result.clients[1].work_ns) / 4e9; }

TEST(RunTest, FloorsAreKeptUnlessTheHolderAllowsLess) {
  EXPECT_EQ(ShareWithFloor(Policy::kFill, {0, false, 0.02}).clients[1].work_ns, 0);
  // 10 % takes a ninth of the holder's time: within an allowance of 30 %, and beyond one of 2 %.
  EXPECT_NEAR(DeviceShare(ShareWithFloor(Policy::kFill, {100'000, false, 0.3})), 0.1, 0.01);
  EXPECT_NEAR(DeviceShare(ShareWithFloor(Policy::kFill, {100'000, true, 0.02})), 0.1, 0.01);
  const RunResult yields = ShareWithFloor(Policy::kFill, {100'000, false, 0.02});
  EXPECT_GT(yields.clients[1].floors, 0U);
  EXPECT_LE(DeviceShare(yields), 0.021);
  const ClientResult& holder = yields.clients[0];
  EXPECT_GT(holder.floor_harm_ns, 0);
  EXPECT_LE(static_cast<double>(holder.harm_ns + holder.floor_harm_ns),
            0.021 * static_cast<double>(holder.request_ns));
  EXPECT_EQ(ShareWithFloor(Policy::kExclusive, {100'000, true, 0.02}).clients[1].work_ns, 0);
}

TEST(RunTest, ExclusiveStopsTheFillerWhileTheHolderIsActive) {
  EXPECT_EQ(Share(Policy::kExclusive, 30 * kUs).clients[1].work_ns, 0);
}

TEST(RunTest, ThresholdKeepsBehindWhatTheHolderHasOnTheDevice) {
  const RunResult result = Share(Policy::kThreshold, 30 * kUs);
  // One command can be under way, and up to three more in flight behind it.
  EXPECT_LE(Longest(result), 150 * kUs + 4 * 30 * kUs);
  EXPECT_GT(result.clients[1].work_ns, 50 * kMs);
}

TEST(RunTest, SlicedContextsShareByTurns) {
  DeviceOptions device;
  device.slice_ns = 1 * kMs;
  RunSpec spec;
  spec.policy = Policy::kTimeslice;
  spec.device = device;
  spec.for_ns = 100 * kMs;
  spec.clients = {MakeClient(ProgramWriter().Launch(0, 10 * kMs).End(), 0),
                  MakeClient(ProgramWriter().Launch(0, 10 * kMs).End(), 9)};
  const RunResult free = sim::Run(spec);
  // 10 ms of work in turns of 1 ms: 20 ms a request for both.
  ASSERT_EQ(free.clients[0].requests.size(), 5U);
  EXPECT_NEAR(static_cast<double>(RequestTime(free.clients[0].requests[2])), 20e6, 1e6);
  spec.device.switch_ns = 200 * kUs;
  const RunResult costly = sim::Run(spec);
  EXPECT_NEAR(static_cast<double>(RequestTime(costly.clients[0].requests[1])), 24e6, 1.5e6);
}

TEST(RunTest, OverlappingClientsDoNotNoticeEachOther) {
  DeviceOptions device;
  device.kind = DeviceKind::kOverlap;
  EXPECT_EQ(Longest(Share(Policy::kShare, 400 * kUs, device)), 150 * kUs);
}

TEST(RunTest, CopiesRunBesideKernels) {
  auto program = std::make_shared<Program>(*ProgramWriter().Launch(0, 100 * kUs).Launch(0, 100 * kUs).End());
  program->streams.push_back({0, 1});
  program->judge.ops[1].stream = 1;
  program->judge.ops[1].engine = Engine::kCopyIn;
  const RunResult result = sim::Run(Alone(program));
  for (const RequestTimes& request : result.clients[0].requests) {
    EXPECT_EQ(RequestTime(request), 100 * kUs);
  }
}

TEST(RunTest, DevicesRunSideBySide) {
  RunSpec spec = Alone(ProgramWriter().Launch(0, 100 * kUs).End());
  spec.clients.push_back(MakeClient(ProgramWriter().Launch(0, 100 * kUs).End(), 9));
  spec.clients[1].first_device = 1;
  const RunResult result = sim::Run(spec);
  for (const RequestTimes& request : result.clients[0].requests) EXPECT_EQ(RequestTime(request), 100 * kUs);
}

// A host that is ahead of the device by a whole lap: what the first lap left on the device still waits for
// what it waited for, and not for the second lap's.
TEST(RunTest, OperationsBelongToTheLapThatSubmittedThem) {
  Program program;
  program.name = "ahead";
  program.streams = {{0, 0}, {0, 1}};
  program.launches = {{1, "first", 10 * kMs}, {3, "second", kMs}};
  Step begin;
  begin.kind = StepKind::kBegin;
  Step first;
  first.op_count = 1;
  first.launch = 0;
  Step second = first;
  second.first_op = second.launch = 1;
  Step end;
  end.kind = StepKind::kEnd;  // without a wait
  program.judge.threads = {{begin, first, second, end}};
  program.judge.ops = {
      {.duration_ns = 10 * kMs, .useful_ns = 10 * kMs},
      {.duration_ns = kMs, .useful_ns = kMs, .stream = 1, .first_dependency = 0, .dependencies = 1}};
  program.judge.untils = {{0, 0}};  // the second one waits for the first
  program.judge.requests = 1;
  RunSpec spec;
  spec.clients = {MakeClient(std::make_shared<const Program>(program), 0)};
  spec.clients[0].arrivals = std::make_shared<const std::vector<Ns>>(std::vector<Ns>{0, kMs});
  spec.for_ns = 100 * kMs;
  spec.keep_trace = true;
  const RunResult result = sim::Run(spec);
  std::vector<Ns> ends;
  for (const model::TraceRecord& record : result.clients[0].trace) {
    if (record.kind == static_cast<std::uint32_t>(model::TraceKind::kDevice) && record.id == 3)
      ends.push_back(record.end_ns - result.window_begin_ns);
  }
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0], 11 * kMs) << "the second lap's first operation would have been done at 20 ms";
}

// Ten requests are fewer than are learned from: the run is over when they are, whoever else goes on.
TEST(RunTest, ArrivalsThatEndWhileLearningEndIt) {
  RunSpec spec;
  spec.for_ns = 100 * kMs;
  spec.clients = {MakeClient(ProgramWriter().Launch(0, 100 * kUs).End(), 0, true),
                  MakeClient(ProgramWriter().Launch(0, 100 * kUs).End(), 9)};
  std::vector<Ns> arrivals(10);
  for (std::size_t i = 0; i < arrivals.size(); ++i) arrivals[i] = static_cast<Ns>(i) * kMs;
  spec.clients[0].arrivals = std::make_shared<const std::vector<Ns>>(arrivals);
  const RunResult result = sim::Run(spec);
  EXPECT_EQ(result.window_end_ns - result.window_begin_ns, 100 * kMs);
  EXPECT_TRUE(result.clients[0].requests.empty());
  EXPECT_TRUE(result.clients[0].exhausted);
}

TEST(RunTest, SameSpecSameResult) {
  RunSpec spec;
  spec.policy = Policy::kFill;
  spec.for_ns = 100 * kMs;
  spec.clients = {MakeClient(RandomProgram(1, 30, 50 * kUs), 0, true),
                  MakeClient(RandomProgram(2, 30, 90 * kUs), 9)};
  const RunResult first = sim::Run(spec);
  const RunResult second = sim::Run(spec);
  ASSERT_EQ(first.clients[0].requests.size(), second.clients[0].requests.size());
  for (std::size_t i = 0; i < first.clients[0].requests.size(); ++i) {
    EXPECT_EQ(first.clients[0].requests[i].end_ns, second.clients[0].requests[i].end_ns);
  }
  EXPECT_EQ(first.clients[1].work_ns, second.clients[1].work_ns);
  EXPECT_EQ(first.events, second.events);
}

class YardstickTest : public testing::TestWithParam<Policy> {};

TEST_P(YardstickTest, NoWaitOfTheHolderMoves) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    RunSpec alone = Alone(RandomProgram(seed, 40, 150 * kUs));
    alone.clients[0].judged = true;
    alone.keep_schedule = true;
    const RunResult solo = sim::Run(alone);
    RunSpec pair = alone;
    pair.keep_schedule = false;
    pair.keep_waits = true;
    pair.policy = GetParam();
    pair.holder = solo.schedule;
    pair.clients[0].learn_laps = solo.learn_laps;
    pair.clients.push_back(MakeClient(RandomProgram(seed + 1000, 40, 60 * kUs), 9));
    const RunResult result = sim::Run(pair);
    ASSERT_EQ(result.clients[0].wait_returns, solo.schedule->waits) << "seed " << seed;
    EXPECT_GT(result.clients[1].work_ns, 0) << "seed " << seed;
  }
}
INSTANTIATE_TEST_SUITE_P(Both, YardstickTest, testing::Values(Policy::kOracleGap, Policy::kOracleSlack));

}  // namespace
}  // namespace mortar::sim
