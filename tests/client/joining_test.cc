// Who is on the board: forked children, new programs in a process, the 65th client.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "client_fixture.h"

namespace mortar::tests {
namespace {

using JoiningTest = ClientTest;

TEST_F(JoiningTest, LeavesAtTheEnd) {
  Program program = StartJoined("program", 5, {"submit", "3"});
  EXPECT_EQ(program.ReadLine(), "done 3");
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_EQ(program.Errors(), "");
  EXPECT_EQ(Active(), 0);
}

TEST_F(JoiningTest, ForkedChildrenJoinAnew) {
  Program program = Start("program", 5, {"fork"});
  std::set<std::string> slots;
  for (const char* who : {"parent", "child", "grandchild"}) {
    const std::string line = program.ReadLine();
    EXPECT_TRUE(line.starts_with(who)) << line;
    slots.insert(line.substr(line.find(' ')));
  }
  EXPECT_EQ(slots, (std::set<std::string>{" 0", " 1", " 2"}));
  EXPECT_EQ(program.ReadLine(), "parent 0") << "the parent's slot is untouched";
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_EQ(Active(), 0);
}

TEST_F(JoiningTest, ForkWhileAnotherThreadIsHeld) {
  client::BusyPeer holder(directory.path(), kDevice, 0);
  Program program = StartJoined("program", 5, {"fork-held"});
  ASSERT_TRUE(AwaitHeld("program"));
  program.Write();
  const std::string line = program.ReadLine();
  EXPECT_TRUE(line.starts_with("child ") && line != "child none") << line;
  EXPECT_EQ(program.ReadLine(), "forked");
  holder.Stop();
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(JoiningTest, ExecDropsTheSlot) {
  Program program = Start("program", 5, {"exec"});
  EXPECT_EQ(program.ReadLine(), "slot 0");
  EXPECT_EQ(program.ReadLine(), "slot 0") << "free at once, under the same name";
  EXPECT_EQ(program.ReadLine(), "done 1");
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_EQ(Active(), 0);
}

TEST_F(JoiningTest, SecondProcessOfAProgramJoinsUnderItsOwnName) {
  Program first = StartJoined("serve", 0, {"hold"});
  Program second = StartJoined("serve", 0, {"hold"});
  EXPECT_NE(Find("serve"), nullptr);
  EXPECT_NE(Find("serve-" + std::to_string(second.pid())), nullptr);
}

TEST_F(JoiningTest, SixtyFifthClientRunsUngatedWithOneLine) {
  std::vector<std::unique_ptr<client::FakePeer>> peers;
  for (int i = 0; i < board::kSlots; ++i) {
    peers.push_back(
        std::make_unique<client::FakePeer>(directory.path(), kDevice, "p" + std::to_string(i), 0));
    ASSERT_TRUE(peers.back()->joined()) << i;
  }
  Program program = Start("program", 5, {"submit", "50"});
  EXPECT_EQ(program.ReadLine(), "slot none");
  EXPECT_EQ(program.ReadLine(), "done 50");
  EXPECT_EQ(program.Wait(), 0);
  const std::string errors = program.Errors();
  EXPECT_EQ(Lines(errors), 1) << errors;
  EXPECT_NE(errors.find("64 clients share this device already"), std::string::npos) << errors;
  EXPECT_NE(errors.find("unscheduled"), std::string::npos) << errors;
}

TEST_F(JoiningTest, SixtyFifthClientJoinsOnceThereIsRoom) {
  std::vector<std::unique_ptr<client::FakePeer>> peers;
  for (int i = 0; i < board::kSlots; ++i) {
    peers.push_back(
        std::make_unique<client::FakePeer>(directory.path(), kDevice, "p" + std::to_string(i), 9));
  }
  Program program = Start("program", 5, {"hold"});
  EXPECT_EQ(program.ReadLine(), "slot none");
  peers[17]->Leave();
  EXPECT_TRUE(Eventually([&] { return Find("program") != nullptr; }));
  EXPECT_EQ(Find("program"), &TheBoard().slot(17));
}

}  // namespace
}  // namespace mortar::tests
