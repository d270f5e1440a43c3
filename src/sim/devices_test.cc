// Runs on several devices: who is on another one is not seen. Expectations are arithmetic on little programs.
#include <gtest/gtest.h>

#include "sim/run.h"
#include "sim/test_programs.h"

namespace mortar::sim {
namespace {

ProgramPtr Blocking() { return ProgramWriter().Launch(100 * kUs, 50 * kUs).WaitAll(0).End(); }

// A kernel of `duration` on each of two devices, then a wait for both.
ProgramPtr OnTwoDevices(Ns duration) {
  auto program = std::make_shared<Program>(*ProgramWriter().Launch(0, duration).Launch(0, duration).End());
  program->streams = {{0, 0}, {1, 0}};
  program->devices = 2;
  program->judge.ops[1].stream = 1;
  return program;
}

RunSpec Of(std::vector<ClientSpec> clients, Policy policy) {
  RunSpec spec;
  spec.policy = policy;
  spec.for_ns = 100 * kMs;
  spec.clients = std::move(clients);
  return spec;
}

ClientSpec At(ProgramPtr program, int priority, std::uint32_t device, bool judged = false) {
  ClientSpec client = MakeClient(std::move(program), priority, judged);
  client.first_device = device;
  return client;
}

class YardstickDevicesTest : public testing::TestWithParam<Policy> {};

TEST_P(YardstickDevicesTest, FillersMayUseDevicesThatTheHolderNeverUsed) {
  RunSpec alone = Of({MakeClient(Blocking(), 0, true)}, Policy::kShare);
  alone.keep_schedule = true;
  const RunResult solo = sim::Run(alone);
  RunSpec pair = Of({MakeClient(Blocking(), 0, true), MakeClient(OnTwoDevices(40 * kUs), 9)}, GetParam());
  pair.clients[0].learn_laps = solo.learn_laps;
  pair.holder = solo.schedule;
  pair.keep_waits = true;
  const RunResult result = sim::Run(pair);
  EXPECT_EQ(result.clients[0].wait_returns, solo.schedule->waits);
  EXPECT_GT(result.clients[1].work_ns, 0);
}
INSTANTIATE_TEST_SUITE_P(Both, YardstickDevicesTest,
                         testing::Values(Policy::kOracleGap, Policy::kOracleSlack));

class OtherDeviceTest : public testing::TestWithParam<Policy> {};

TEST_P(OtherDeviceTest, WhoIsThereIsNotWaitedFor) {
  // 100 ms of kernels back to back, whatever the holder of device 0 does.
  RunSpec spec =
      Of({At(Blocking(), 0, 0, true), At(ProgramWriter().Launch(0, 400 * kUs).End(), 9, 1)}, GetParam());
  const RunResult result = sim::Run(spec);
  EXPECT_GE(result.clients[1].work_ns, 99'600 * kUs);
  EXPECT_EQ(result.clients[1].held, 0U);
  for (const RequestTimes& r : result.clients[0].requests) EXPECT_EQ(r.end_ns - r.arrival_ns, 150 * kUs);
}

TEST_P(OtherDeviceTest, EqualsThereTakeNoTurns) {
  // What the lighter one has counts ten times: it would have to wait for the other's turn.
  const ProgramPtr busy = ProgramWriter().Launch(0, 400 * kUs).End();
  RunSpec spec = Of({At(busy, 3, 0), At(busy, 3, 1)}, GetParam());
  spec.clients[1].weight = 0.1;
  const RunResult result = sim::Run(spec);
  for (const ClientResult& client : result.clients) {
    EXPECT_GE(client.work_ns, 99'600 * kUs);
    EXPECT_EQ(client.held, 0U);
  }
}
INSTANTIATE_TEST_SUITE_P(All, OtherDeviceTest,
                         testing::Values(Policy::kExclusive, Policy::kPriority, Policy::kFikit, Policy::kFill,
                                         Policy::kSlice, Policy::kThreshold));

// Three clients, the lowest behind the second alone: its kernels never fit beside that one's.
TEST(DevicesTest, OneOnTheSameDeviceIsSeenPastThoseOnOthers) {
  const RunResult result = sim::Run(Of(
      {At(Blocking(), 0, 0, true), At(Blocking(), 1, 1), At(ProgramWriter().Launch(0, 30 * kUs).End(), 9, 1)},
      Policy::kExclusive));
  EXPECT_EQ(result.clients[2].work_ns, 0);
  EXPECT_EQ(result.clients[1].held, 0U);
}

TEST(DevicesTest, FillClaimsAreOfOneDevice) {
  // Each device: a holder, and a filler with three kernels of 30 us a gap. The pairs do the same as one pair
  // does that has a device to itself.
  const ProgramPtr filler = ProgramWriter().Launch(0, 30 * kUs).End();
  const RunResult one = sim::Run(Of({At(Blocking(), 0, 0, true), At(filler, 9, 0)}, Policy::kFill));
  const RunResult two = sim::Run(
      Of({At(Blocking(), 0, 0, true), At(filler, 9, 0), At(Blocking(), 0, 1, true), At(filler, 9, 1)},
         Policy::kFill));
  EXPECT_EQ(two.clients[0].requests.size(), one.clients[0].requests.size());
  EXPECT_EQ(two.clients[1].work_ns, one.clients[1].work_ns);
  EXPECT_GT(two.clients[3].work_ns, one.clients[1].work_ns / 2);
}

TEST(DevicesTest, BusyIsTheMeanOfTheDevicesUsed) {
  // Device 1 all of the time, device 3 a third of it; 0 and 2 are nobody's.
  const RunResult result = sim::Run(
      Of({At(ProgramWriter().Launch(0, 100 * kUs).End(), 0, 1), At(Blocking(), 0, 3)}, Policy::kShare));
  EXPECT_NEAR(static_cast<double>(result.busy_ns), 100e6 * (1 + 1. / 3) / 2, 1e5);
}

}  // namespace
}  // namespace mortar::sim
