// Programs that would deadlock if Mortar waited for what they are to complete themselves, through the OpenCL
// layer.
#include <gtest/gtest.h>

#include "client_fixture.h"

namespace mortar::tests {
namespace {

class LayerProcessTest : public ClientTest {
 protected:
  static constexpr char kMockDevice[] = "Mock-device-0";
  Program StartLayer(const std::string& scenario, int priority = 5) {
    return {LAYER_PROGRAM,
            {scenario},
            {{"MORTAR_DIR", directory.path()},
             {"MORTAR_PROFILES", ""},
             {"MORTAR_NAME", "program"},
             {"MORTAR_PRIORITY", std::to_string(priority)}}};
  }
  static void ExpectDone(Program& program) {
    EXPECT_EQ(program.ReadLine(), "done");
    EXPECT_EQ(program.Wait(), 0) << program.Errors();
    EXPECT_EQ(program.Errors(), "");
  }
};

TEST_F(LayerProcessTest, UserEventSetAfterTheNextEnqueueAlone) {
  Program program = StartLayer("user-event");
  ExpectDone(program);
}

TEST_F(LayerProcessTest, UserEventSetAfterTheNextEnqueueAsAFiller) {
  // Idle rivals: every enqueue passes the gate, and the bound on work in flight counts.
  client::FakePeer higher(directory.path(), kMockDevice, "higher", 0);
  client::FakePeer equal(directory.path(), kMockDevice, "equal", 5);
  ASSERT_TRUE(higher.joined() && equal.joined());
  Program program = StartLayer("user-event");
  ExpectDone(program);
}

TEST_F(LayerProcessTest, UserEventSetAfterTheNextEnqueueBelowAHolder) {
  client::FakePeer holder(directory.path(), kMockDevice, "holder", 0);
  ASSERT_TRUE(holder.joined());
  Program program = StartLayer("user-event");
  // A holder with gaps of 2 ms, as long as the program runs.
  std::atomic<bool> over{false};
  std::thread gaps([&] {
    while (!over.load()) {
      const std::int64_t now = holder.board().NowNs();
      holder.writer().Publish(board::kLaneRunning, now,
                              {.busy_until_ns = now + 200'000, .next_submit_ns = now + 2'200'000});
      usleep(2200);
    }
  });
  ExpectDone(program);
  over.store(true);
  gaps.join();
}

TEST_F(LayerProcessTest, EventSetByAnotherThreadAfterItsOwnEnqueue) {
  client::FakePeer equal(directory.path(), kMockDevice, "equal", 5);
  ASSERT_TRUE(equal.joined());
  Program program = StartLayer("two-threads");
  ExpectDone(program);
}

TEST_F(LayerProcessTest, CallbacksEnqueueWhileAThreadIsHeld) {
  client::BusyPeer holder(directory.path(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  Program program = StartLayer("callbacks");
  EXPECT_EQ(program.ReadLine(), "slot");
  const board::Board& board = holder.peer().board();
  ASSERT_TRUE(Eventually([&] {
    for (int i = 0; i < board::kSlots; ++i) {
      for (const auto& lane : board.slot(i).lanes) {
        if ((lane.flags.load() & board::kLaneStateMask) == board::kLaneGated) return true;
      }
    }
    return false;
  }));
  program.Write();
  EXPECT_EQ(program.ReadLine(), "callbacks left -1");
  holder.Stop();
  ExpectDone(program);
}

}  // namespace
}  // namespace mortar::tests
