// The layer as a filler: held while the holder is at it, flushed when admitted; as the holder: never.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

class GatedTest : public LayerTest {
 protected:
  void SetUp() override {
    LayerTest::SetUp();
    ASSERT_EQ(Launch(queue, kernel), CL_SUCCESS);  // joins
    auto opened = board::Board::Open(Directory(), kMockDevice, /*create=*/false);
    ASSERT_TRUE(opened.ok());
    board = std::move(*opened);
    mock.Clear();
  }
  // A launch from a new thread, which is held: its lane is the first that no other thread has.
  struct Held {
    std::thread thread;
    std::atomic<cl_int> status{1};
    std::atomic<bool> returned{false};
  };
  void LaunchHeld(Held& held) {
    held.thread = std::thread([this, &held] {
      held.status.store(Launch(queue, kernel));
      held.returned.store(true);
    });
  }

  cl_command_queue queue = MakeQueue();
  cl_kernel kernel = MakeKernel();
  board::Board board;
};

TEST_F(GatedTest, HoldersQueueIsNeverFlushed) {
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Launch(queue, kernel), CL_SUCCESS);
  EXPECT_EQ(mock.flushes.load(), 0) << "alone";
  client::BusyPeer lower(Directory(), kMockDevice, 9);
  ASSERT_TRUE(lower.joined());
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Launch(queue, kernel), CL_SUCCESS);
  EXPECT_EQ(mock.flushes.load(), 0) << "above another";
}

TEST_F(GatedTest, AdmittedFillsAreFlushed) {
  client::FakePeer holder(Directory(), kMockDevice, "holder", 0);
  ASSERT_TRUE(holder.joined());
  for (int i = 0; i < 20; ++i) {
    const std::int64_t now = holder.board().NowNs();
    // A gap as long as one can be.
    holder.writer().Publish(board::kLaneRunning, now,
                            {.busy_until_ns = now, .next_submit_ns = now + 5'000'000'000});
    ASSERT_EQ(Launch(queue, kernel), CL_SUCCESS);
    EXPECT_EQ(mock.flushes.load(), i + 1);
  }
}

TEST_F(GatedTest, HeldUntilTheHolderLeaves) {
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  const board::Slot& own = OwnSlot(board);
  Held held;
  LaunchHeld(held);
  EXPECT_TRUE(client::AwaitGated(own.lanes[1]));
  EXPECT_FALSE(held.returned.load());
  EXPECT_EQ(mock.enqueues.load(), 0) << "the driver sees nothing before the gate opens";
  EXPECT_GT(own.lanes[1].pending_length_ns.load(), 0);
  mock.answer.store(CL_OUT_OF_RESOURCES);
  holder.Stop();
  held.thread.join();
  EXPECT_EQ(mock.enqueues.load(), 1);
  EXPECT_EQ(held.status.load(), CL_OUT_OF_RESOURCES) << "the driver's answer, later";
}

TEST_F(GatedTest, OffReleasesEveryWaiterAtOnce) {
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  const board::Slot& own = OwnSlot(board);
  Held held[6];
  for (Held& one : held) LaunchHeld(one);
  for (int lane = 1; lane <= 6; ++lane) EXPECT_TRUE(client::AwaitGated(own.lanes[lane])) << lane;
  board.header().off.store(1);
  board.Bump();
  for (Held& one : held) one.thread.join();
  EXPECT_EQ(mock.enqueues.load(), 6);
  board.header().off.store(0);
  board.Bump();
}

// More threads than lanes: those that share the last one must not stand in each other's way when one of them
// is in a driver's callback.
TEST_F(GatedTest, CallbackOnTheSharedLaneIsNotHeldBehindAHeldThread) {
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  const board::Slot& own = OwnSlot(board);
  Held held[8];  // lanes 1…6, and two on lane 7
  for (int i = 0; i < 7; ++i) LaunchHeld(held[i]);
  for (int lane = 1; lane <= 7; ++lane) ASSERT_TRUE(client::AwaitGated(own.lanes[lane])) << lane;
  std::thread callback([this] {
    const client::CallbackScope scope;
    EXPECT_EQ(Launch(queue, kernel), CL_SUCCESS);
    EXPECT_EQ(Layer().clFinish(queue), CL_SUCCESS);
  });
  callback.join();
  EXPECT_EQ(mock.enqueues.load(), 1) << "only the callback's";
  // A wait on the shared lane passes too.
  std::thread waits([this] { EXPECT_EQ(Layer().clFinish(queue), CL_SUCCESS); });
  waits.join();
  LaunchHeld(held[7]);
  holder.Stop();
  for (Held& one : held) one.thread.join();
  EXPECT_EQ(mock.enqueues.load(), 9);
}

}  // namespace
}  // namespace mortar::opencl
