// Clients that are killed, stopped or dump core: the others go on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "board/fill_word.h"
#include "client_fixture.h"

namespace mortar::tests {
namespace {

class DeathTest : public ClientTest {
 protected:
  // A holder without pauses under a policy that lets nobody in, and one program held by it.
  void HoldOne(const std::vector<std::string>& holder_does = {"hold"}) {
    SetPolicy(model::PolicyId::kExclusive);
    holder.push_back(StartJoined("holder", 0, holder_does));
    waiter.push_back(Start("waiter", 5, {"submit", "20"}));
    ASSERT_TRUE(AwaitHeld("waiter"));
  }
  void ExpectWaiterEnds() {
    EXPECT_TRUE(waiter[0].ReadLine().starts_with("slot "));
    EXPECT_EQ(waiter[0].ReadLine(), "done 20");
    EXPECT_EQ(waiter[0].Wait(), 0) << waiter[0].Errors();
  }

  std::vector<Program> holder;  // at most one: declared here so that the tests share them
  std::vector<Program> waiter;
};

TEST_F(DeathTest, HolderIsKilled) {
  HoldOne();
  holder[0].Signal(SIGKILL);
  ExpectWaiterEnds();
}

TEST_F(DeathTest, HolderIsStoppedAndComesBack) {
  HoldOne();
  holder[0].Signal(SIGSTOP);
  ExpectWaiterEnds();
  board::Slot* slot = Find("holder");
  ASSERT_NE(slot, nullptr) << "it keeps its slot";
  holder[0].Signal(SIGCONT);
  // It is the holder again.
  Program next = Start("next", 5, {"submit", "1"});
  EXPECT_TRUE(AwaitHeld("next"));
  holder[0].CloseInput();
  EXPECT_EQ(holder[0].ReadLine(), "released");
  EXPECT_EQ(holder[0].Wait(), 0);
  EXPECT_TRUE(next.ReadLine().starts_with("slot "));
}

TEST_F(DeathTest, HolderDumpsCore) {
  // Where the system's pattern is a relative name, the core goes to the working directory.
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  rlimit before;
  getrlimit(RLIMIT_CORE, &before);
  setrlimit(RLIMIT_CORE, &unlimited);
  const base::Fd here(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(chdir(directory.path().c_str()), 0);
  HoldOne({"crash", "256"});
  setrlimit(RLIMIT_CORE, &before);
  holder[0].Signal(SIGUSR1);
  ExpectWaiterEnds();
  EXPECT_EQ(holder[0].Wait(), -SIGABRT);
  ASSERT_EQ(fchdir(here.get()), 0);
}

TEST_F(DeathTest, WaiterIsKilled) {
  HoldOne();
  Program second = Start("second", 5, {"submit", "20"});
  ASSERT_TRUE(AwaitHeld("second"));
  waiter[0].Signal(SIGKILL);
  EXPECT_EQ(waiter[0].Wait(), -SIGKILL);
  holder[0].CloseInput();
  EXPECT_EQ(holder[0].ReadLine(), "released");
  EXPECT_TRUE(second.ReadLine().starts_with("slot "));
  EXPECT_EQ(second.ReadLine(), "done 20");
}

TEST_F(DeathTest, WaiterIsStopped) {
  HoldOne();
  // Longer and of higher priority than the other one: better placed, were it to come.
  Program stopped = Start("stopped", 3, {"submit", "20"});
  ASSERT_TRUE(AwaitHeld("stopped"));
  stopped.Signal(SIGSTOP);
  holder[0].CloseInput();
  ExpectWaiterEnds();
  stopped.Signal(SIGCONT);
  EXPECT_TRUE(stopped.ReadLine().starts_with("slot "));
  EXPECT_EQ(stopped.ReadLine(), "done 20");
}

TEST_F(DeathTest, ClaimantIsKilled) {
  client::FakePeer holder_with_gaps(directory.path(), kDevice, "holder", 0);
  ASSERT_TRUE(holder_with_gaps.joined());
  std::atomic<bool> over{false};
  std::thread gaps([&] {
    while (!over.load()) {
      const std::int64_t now = holder_with_gaps.board().NowNs();
      holder_with_gaps.writer().Publish(board::kLaneRunning, now,
                                        {.busy_until_ns = now, .next_submit_ns = now + 1'000'000'000});
      usleep(1000);
    }
  });
  Program claimant = StartJoined("claimant", 5, {"claim"});
  EXPECT_EQ(claimant.Wait(), -SIGKILL);
  const board::FillWord claim = board::UnpackFill(TheBoard().header().fill_until.load());
  ASSERT_NE(Find("claimant"), nullptr) << "its slot stays until somebody needs it";
  EXPECT_EQ(&TheBoard().slot(claim.slot), Find("claimant")) << "it died with its claim standing";
  Program survivor = StartJoined("survivor", 5, {"submit", "20"});
  EXPECT_EQ(survivor.ReadLine(), "done 20");
  over.store(true);
  gaps.join();
}

// A killed client's slot is free for the next one; a stopped one's is not.
TEST_F(DeathTest, SlotsOfTheDeadAreUsedAgain) {
  Program killed = StartJoined("killed", 5, {"hold"});
  const int index = Active() == 1 ? std::countr_zero(TheBoard().header().active.load()) : -1;
  ASSERT_EQ(index, 0);
  killed.Signal(SIGKILL);
  EXPECT_EQ(killed.Wait(), -SIGKILL);
  Program next = Start("next", 5, {"submit", "1"});
  EXPECT_EQ(next.ReadLine(), "slot 0");
  EXPECT_EQ(next.ReadLine(), "done 1");
  EXPECT_EQ(next.Wait(), 0);
  EXPECT_EQ(Active(), 0) << "it left in order";

  Program stopped = StartJoined("stopped", 5, {"hold"});
  stopped.Signal(SIGSTOP);
  Program third = Start("third", 5, {"submit", "1"});
  EXPECT_EQ(third.ReadLine(), "slot 1");
}

// A dead rival would keep the living on the filler's path for ever, were its slot not cleared.
TEST_F(DeathTest, DeadRivalsAreCleared) {
  Program living = StartJoined("living", 5, {"hold"});
  Program rival = StartJoined("rival", 5, {"hold"});
  rival.Signal(SIGKILL);
  EXPECT_EQ(rival.Wait(), -SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Find("rival") == nullptr; }));
  EXPECT_NE(Find("living"), nullptr);
}

}  // namespace
}  // namespace mortar::tests
