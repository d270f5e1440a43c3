// Nothing of Mortar's, and nobody it holds, stands in the way for ever.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <vector>

#include "client_fixture.h"

namespace mortar::tests {
namespace {

class DeadlockTest : public ClientTest, public testing::WithParamInterface<model::PolicyId> {};

// The filler is held while it has a lock that the holder's thread needs: the holder stands still, and what it
// published loses its force.
TEST_P(DeadlockTest, FillerHasTheLockThatTheHolderNeeds) {
  SetPolicy(GetParam());
  const std::string path = directory.path() + "/lock";
  base::Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(file.get(), 4096), 0);
  auto* mutex =
      static_cast<pthread_mutex_t*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  ASSERT_NE(mutex, MAP_FAILED);
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  ASSERT_EQ(pthread_mutex_init(mutex, &shared), 0);
  const Program::Environment lock = {{"LOCK_FILE", path}};
  Program filler = StartJoined("filler", 5, {"locked", "20"}, lock);
  Program holder = StartJoined("holder", 0, {"locked", "20"}, lock);
  EXPECT_EQ(holder.ReadLine(), "done");
  EXPECT_EQ(filler.ReadLine(), "done");
  EXPECT_EQ(holder.Wait(), 0);
  EXPECT_EQ(filler.Wait(), 0);
  munmap(mutex, 4096);
}

TEST_P(DeadlockTest, TenPrioritiesAllEnd) {
  SetPolicy(GetParam());
  std::vector<Program> programs;
  for (int priority = 9; priority >= 0; --priority) {
    programs.push_back(StartJoined("p" + std::to_string(priority), priority, {"submit", "50", "200"}));
  }
  for (Program& program : programs) {
    EXPECT_EQ(program.ReadLine(), "done 50");
    EXPECT_EQ(program.Wait(), 0) << program.Errors();
  }
}

// More threads than lanes, above and below another such program.
TEST_P(DeadlockTest, ThreadsBeyondEightLanes) {
  SetPolicy(GetParam());
  Program above = Start("above", 2, {"threads", "20", "10"});
  Program below = Start("below", 7, {"threads", "20", "10"});
  Program equal = Start("equal", 7, {"threads", "20", "10"});
  for (Program* program : {&above, &below, &equal}) {
    EXPECT_EQ(program->ReadLine(), "done 200");
    EXPECT_EQ(program->Wait(), 0) << program->Errors();
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, DeadlockTest, testing::ValuesIn(model::kPolicies),
                         [](const auto& param) { return std::string(model::PolicyName(param.param)); });

class HeldTest : public ClientTest {};

TEST_F(HeldTest, CallbackPassesWhileTheProgramIsHeld) {
  client::BusyPeer holder(directory.path(), kDevice, 0);
  Program program = StartJoined("program", 5, {"callback"});
  ASSERT_TRUE(AwaitHeld("program"));
  program.Write();
  EXPECT_EQ(program.ReadLine(), "callback passed");
  EXPECT_TRUE(AwaitHeld("program")) << "the other thread still is";
  holder.Stop();
  EXPECT_EQ(program.ReadLine(), "done");
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(HeldTest, OffReleasesEveryWaiter) {
  client::BusyPeer holder(directory.path(), kDevice, 0);
  std::vector<Program> programs;
  for (int i = 0; i < 8; ++i) {
    programs.push_back(Start("waiter" + std::to_string(i), i % 9 + 1, {"submit", "1"}));
  }
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(AwaitHeld("waiter" + std::to_string(i)));
  TheBoard().header().off.store(1);
  TheBoard().Bump();
  for (Program& program : programs) {
    EXPECT_TRUE(program.ReadLine().starts_with("slot "));
    EXPECT_EQ(program.ReadLine(), "done 1");
    EXPECT_EQ(program.Wait(), 0);
  }
}

TEST_F(HeldTest, NewPolicyReleasesEveryWaiter) {
  client::BusyPeer holder(directory.path(), kDevice, 0);
  Program program = Start("waiter", 5, {"submit", "100"});
  ASSERT_TRUE(AwaitHeld("waiter"));
  SetPolicy(model::PolicyId::kShare);
  EXPECT_TRUE(program.ReadLine().starts_with("slot "));
  EXPECT_EQ(program.ReadLine(), "done 100");
}

TEST_F(HeldTest, NewPriorityReleasesTheWaiter) {
  client::BusyPeer holder(directory.path(), kDevice, 1);
  Program program = Start("waiter", 5, {"submit", "100"});
  ASSERT_TRUE(AwaitHeld("waiter"));
  Find("waiter")->priority.store(0);
  TheBoard().Bump();
  EXPECT_TRUE(program.ReadLine().starts_with("slot "));
  EXPECT_EQ(program.ReadLine(), "done 100");
}

}  // namespace
}  // namespace mortar::tests
