// Programs in containers, as far as namespaces make them, and programs of other users. Containers share
// nothing but the directory of boards. Skipped, with a word, where namespaces may not be made.
#include <sys/stat.h>

#include "client_fixture.h"

namespace mortar::tests {
namespace {

class NamespacesTest : public ClientTest {
 protected:
  Program::Environment EnvironmentOf(const std::string& name, int priority) {
    return {{"MORTAR_DIR", directory.path()},
            {"MORTAR_PROFILES", ""},
            {"MORTAR_NAME", name},
            {"MORTAR_PRIORITY", std::to_string(priority)}};
  }
  // Starts the test program through `words` (unshare or setpriv and their flags).
  Program StartThrough(std::vector<std::string> words, const std::string& name, int priority,
                       const std::vector<std::string>& arguments) {
    const std::string path = "/usr/bin/" + words.front();
    words.erase(words.begin());
    words.push_back(CLIENT_PROGRAM);
    words.insert(words.end(), arguments.begin(), arguments.end());
    return {path, words, EnvironmentOf(name, priority)};
  }
  static bool Can(const std::vector<std::string>& words) {
    std::string line = "/usr/bin/" + words.front();
    for (std::size_t i = 1; i < words.size(); ++i) line += " " + words[i];
    return std::system((line + " /bin/true > /dev/null 2>&1").c_str()) == 0;
  }

  const std::vector<std::string> container_ = {"unshare", "--fork", "--kill-child", "--pid",
                                               "--mount", "--ipc",  "--uts",        "--net"};
};

TEST_F(NamespacesTest, ContainersMeetOnOneBoard) {
  if (!Can(container_)) GTEST_SKIP() << "no namespaces may be made here";
  client::BusyPeer holder(directory.path(), kDevice, 0);
  Program first = StartThrough(container_, "first", 5, {"submit", "3"});
  Program second = StartThrough(container_, "second", 5, {"submit", "3"});
  EXPECT_TRUE(AwaitHeld("first")) << "held by a client that it cannot see in its own /proc";
  EXPECT_TRUE(AwaitHeld("second"));
  holder.Stop();
  for (Program* program : {&first, &second}) {
    EXPECT_TRUE(program->ReadLine().starts_with("slot "));
    EXPECT_EQ(program->ReadLine(), "done 3");
    EXPECT_EQ(program->Wait(), 0);
    EXPECT_EQ(program->Errors(), "");
  }
  EXPECT_EQ(Active(), 0);
}

// Process numbers mean nothing across containers; locks do.
TEST_F(NamespacesTest, DeadContainersAreCleared) {
  if (!Can(container_)) GTEST_SKIP() << "no namespaces may be made here";
  Program program = StartThrough(container_, "program", 0, {"hold"});
  EXPECT_TRUE(program.ReadLine().starts_with("slot "));
  EXPECT_EQ(TheBoard().ClearStale(), 0) << "the living are left alone, wherever they live";
  program.Signal(SIGKILL);
  EXPECT_EQ(program.Wait(), -SIGKILL);
  EXPECT_TRUE(Eventually([&] { return TheBoard().ClearStale() > 0 || Active() == 0; }));
  EXPECT_EQ(Active(), 0);
}

TEST_F(NamespacesTest, TimeNamespacesShareTheProcessorsClock) {
  const std::vector<std::string> time = {"unshare", "--fork",      "--kill-child",
                                         "--time",  "--monotonic", "1000000"};
  if (!Can(time)) GTEST_SKIP() << "no time namespaces may be made here";
  if (TheBoard().header().clock_kind.load() == static_cast<std::uint32_t>(base::ClockKind::kMonotonic)) {
    GTEST_SKIP() << "boards count the monotonic clock here; see FileTest for those";
  }
  client::BusyPeer holder(directory.path(), kDevice, 0);
  Program program = StartThrough(time, "program", 5, {"submit", "1"});
  EXPECT_TRUE(AwaitHeld("program")) << "what the holder publishes is neither long past nor far ahead";
  holder.Stop();
  EXPECT_TRUE(program.ReadLine().starts_with("slot "));
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(NamespacesTest, UserNamespacesOfTheSameUserMayShare) {
  const std::vector<std::string> user = {"unshare", "--user",       "--map-root-user",
                                         "--fork",  "--kill-child", "--pid"};
  if (!Can(user)) GTEST_SKIP() << "no user namespaces may be made here";
  Program outside = StartJoined("outside", 5, {"hold"});
  Program inside = StartThrough(user, "inside", 5, {"submit", "1"});
  EXPECT_EQ(inside.ReadLine(), "slot 1");
  EXPECT_EQ(inside.Wait(), 0);
}

class UsersTest : public NamespacesTest {
 protected:
  static constexpr int kStranger = 54321;
  static constexpr int kGroup = 54322;
  static std::vector<std::string> As(int user, int group) {
    return {"setpriv", "--reuid=" + std::to_string(user), "--regid=" + std::to_string(group),
            "--clear-groups"};
  }
};

TEST_F(UsersTest, AStrangerIsRefusedWithOneLineAndRunsUnscheduled) {
  if (!Can(As(kStranger, kStranger))) GTEST_SKIP() << "needs root to be another user";
  ASSERT_TRUE(TheBoard().open());
  ASSERT_EQ(chmod(directory.path().c_str(), 0711), 0);
  Program program = StartThrough(As(kStranger, kStranger), "stranger", 0, {"submit", "3"});
  EXPECT_EQ(program.ReadLine(), "slot none");
  EXPECT_EQ(program.ReadLine(), "done 3");
  EXPECT_EQ(program.Wait(), 0);
  const std::string said = program.Errors();
  EXPECT_EQ(Lines(said), 1) << said;
  EXPECT_NE(said.find("denied"), std::string::npos) << said;
  EXPECT_EQ(Active(), 0);
}

TEST_F(UsersTest, AGroupsDirectoryIsSharedByItsMembers) {
  if (!Can(As(kStranger, kGroup))) GTEST_SKIP() << "needs root to be another user";
  ASSERT_EQ(chown(directory.path().c_str(), 0, kGroup), 0);
  ASSERT_EQ(chmod(directory.path().c_str(), 02770), 0);
  Program first = StartThrough(As(kStranger, kGroup), "first", 5, {"hold"});
  EXPECT_EQ(first.ReadLine(), "slot 0");
  Program second = StartThrough(As(kStranger + 1, kGroup), "second", 5, {"submit", "1"});
  EXPECT_EQ(second.ReadLine(), "slot 1");
  EXPECT_EQ(second.Wait(), 0);
  struct stat file {};
  ASSERT_EQ(stat(TheBoard().path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0660U);
  EXPECT_EQ(file.st_gid, static_cast<gid_t>(kGroup));
}

}  // namespace
}  // namespace mortar::tests
