// Where boards live: every way in which the directory can be wrong.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "board/board.h"
#include "board/test_support.h"

namespace mortar::board {
namespace {

using base::Code;
using testing::Test;

class DirectoryTest : public Test {
 protected:
  void SetUp() override { ASSERT_FALSE(directory_.path().empty()); }
  void TearDown() override { unsetenv("MORTAR_DIR"); }
  static base::Result<std::string> FindWith(const std::string& value) {
    setenv("MORTAR_DIR", value.c_str(), 1);
    return FindDirectory();
  }
  // A user id of this test's own: several may run at once, and each takes /dev/shm/mortar-UID.
  static uid_t OtherUser() { return 1'000'000 + static_cast<uid_t>(getpid()); }
  TemporaryDirectory directory_;
};

TEST_F(DirectoryTest, TakesTheVariable) {
  const auto found = FindWith(directory_.path());
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(*found, directory_.path());
}

TEST_F(DirectoryTest, VariableNamesNothing) {
  const auto found = FindWith(directory_.path() + "/absent");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kNotFound);
  EXPECT_NE(found.error().message.find("/absent"), std::string::npos);
}

TEST_F(DirectoryTest, VariableNamesAFile) {
  std::ofstream(directory_.path() + "/file") << "x";
  EXPECT_FALSE(FindWith(directory_.path() + "/file").ok());
}

TEST_F(DirectoryTest, VariableIsRelative) {
  const auto found = FindWith("boards");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kInvalid);
}

TEST_F(DirectoryTest, NotOnTmpfs) {
  const auto found = FindWith("/proc");  // the one file system that is everywhere and never tmpfs
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kUnsupported);
  EXPECT_NE(found.error().message.find("tmpfs"), std::string::npos);
}

TEST_F(DirectoryTest, DeniedIsAnErrorAndNotSkipped) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  ASSERT_EQ(chmod(directory_.path().c_str(), 0700), 0);
  Child child([&] {
    if (setuid(65534) != 0) return 2;
    const auto found = FindWith(directory_.path());
    return !found.ok() && found.error().code == Code::kDenied ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(DirectoryTest, DefaultIsPrivate) {
  if (std::filesystem::exists("/run/mortar")) GTEST_SKIP() << "this machine has /run/mortar";
  const auto found = FindDirectory();
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(*found, "/dev/shm/mortar-" + std::to_string(geteuid()));
  struct stat info {};
  ASSERT_EQ(stat(found->c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

// /dev/shm is open to all: what another user made under our name is not trusted.
TEST_F(DirectoryTest, DefaultMadeBySomebodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  if (std::filesystem::exists("/run/mortar")) GTEST_SKIP() << "this machine has /run/mortar";
  const uid_t user = OtherUser();
  const std::string taken = "/dev/shm/mortar-" + std::to_string(user);
  ASSERT_TRUE(mkdir(taken.c_str(), 0777) == 0 || errno == EEXIST);
  Child child([&] {
    if (setuid(user) != 0) return 2;
    const auto found = FindDirectory();
    return !found.ok() && found.error().code == Code::kDenied ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
  rmdir(taken.c_str());
}

TEST_F(DirectoryTest, DefaultIsALink) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  if (std::filesystem::exists("/run/mortar")) GTEST_SKIP() << "this machine has /run/mortar";
  const uid_t user = OtherUser();
  const std::string taken = "/dev/shm/mortar-" + std::to_string(user);
  // It leads to a directory of the victim's own, so only the link gives it away.
  ASSERT_EQ(chown(directory_.path().c_str(), user, user), 0);
  ASSERT_TRUE(symlink(directory_.path().c_str(), taken.c_str()) == 0 || errno == EEXIST);
  Child child([&] {
    if (setuid(user) != 0) return 2;
    return FindDirectory().ok() ? 1 : 0;
  });
  EXPECT_EQ(child.Wait(), 0);
  unlink(taken.c_str());
}

TEST(BoardFileNameTest, KeepsPlainCharactersAlone) {
  EXPECT_EQ(BoardFileName("0000:3b:00.0"), "0000_3b_00.0");
  EXPECT_EQ(BoardFileName("../../etc/passwd"), "_.._.._etc_passwd");
  EXPECT_EQ(BoardFileName(""), "_");
  EXPECT_EQ(BoardFileName(".hidden"), "_.hidden");
  EXPECT_EQ(BoardFileName(std::string(300, 'x')).size(), 100U);
}

TEST_F(DirectoryTest, ListsBoardsSortedAndNothingElse) {
  for (const char* name : {"/b", "/c", "/a"}) std::ofstream(directory_.path() + name) << "x";
  std::ofstream(directory_.path() + "/.hidden") << "x";
  std::filesystem::create_directory(directory_.path() + "/folder");
  const std::vector<std::string> expected = {directory_.path() + "/a", directory_.path() + "/b",
                                             directory_.path() + "/c"};
  EXPECT_EQ(ListBoards(directory_.path()), expected);
  EXPECT_TRUE(ListBoards(directory_.path() + "/absent").empty());
}

}  // namespace
}  // namespace mortar::board
