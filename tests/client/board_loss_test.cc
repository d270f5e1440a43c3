// The board is damaged or goes away while programs use it; profiles that are damaged.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/random.h"
#include "client_fixture.h"

namespace mortar::tests {
namespace {

class BoardLossTest : public ClientTest {
 protected:
  // One that holds and one that is held; both have to end after what `harm` does to the board.
  template <typename Harm>
  void ExpectBothEnd(Harm harm, const std::string& line) {
    SetPolicy(model::PolicyId::kExclusive);
    Program holder = StartJoined("holder", 0, {"hold"});
    Program waiter = Start("waiter", 5, {"submit", "20"});
    ASSERT_TRUE(AwaitHeld("waiter"));
    harm();
    EXPECT_TRUE(waiter.ReadLine().starts_with("slot "));
    EXPECT_EQ(waiter.ReadLine(), "done 20");
    EXPECT_EQ(waiter.Wait(), 0) << waiter.Errors();
    if (!line.empty()) {
      EXPECT_TRUE(Eventually([&] { return holder.Errors().find(line) != std::string::npos; }))
          << holder.Errors();
    }
    holder.CloseInput();
    EXPECT_EQ(holder.ReadLine(), "released");
    EXPECT_EQ(holder.Wait(), 0) << holder.Errors();
    EXPECT_LE(Lines(holder.Errors()), 3) << holder.Errors();
  }
  const std::string& Path() { return TheBoard().path(); }
};

TEST_F(BoardLossTest, Truncated) {
  ExpectBothEnd([&] { ASSERT_EQ(truncate(Path().c_str(), 0), 0); }, "truncated");
}

TEST_F(BoardLossTest, TruncatedInTheMiddleAndGrownAgain) {
  ExpectBothEnd(
      [&] {
        const auto size = static_cast<off_t>(board::kFileSize);
        ASSERT_EQ(truncate(Path().c_str(), 8192), 0);
        ASSERT_EQ(truncate(Path().c_str(), size), 0);
        TheBoard().header().off.store(1);  // its slots are gone: nobody knows of the other any more
        TheBoard().Bump();
      },
      "");
}

TEST_F(BoardLossTest, OverwrittenWithZeros) {
  ExpectBothEnd([&] { std::memset(static_cast<void*>(&TheBoard().header()), 0, board::kFileSize); },
                "overwritten");
}

TEST_F(BoardLossTest, OverwrittenWithOnes) {
  ExpectBothEnd([&] { std::memset(static_cast<void*>(&TheBoard().header()), 0xff, board::kFileSize); },
                "overwritten");
}

TEST_F(BoardLossTest, RemovedWhileInUseIsMadeAnew) {
  Program holder = StartJoined("holder", 0, {"hold"});
  Program other = StartJoined("other", 5, {"hold"});
  const std::string path = Path();
  ASSERT_EQ(unlink(path.c_str()), 0);
  // Both meet again on a new board.
  const auto on_new_board = [&](const char* name) {
    auto board = board::Board::OpenFile(path);
    if (!board.ok()) return false;
    for (const auto& view : board::ReadClients(*board)) {
      if (view.name == name) return true;
    }
    return false;
  };
  EXPECT_TRUE(Eventually([&] { return on_new_board("holder") && on_new_board("other"); }));
  EXPECT_NE(holder.Errors().find("no longer in place"), std::string::npos) << holder.Errors();
  EXPECT_EQ(Lines(holder.Errors()), 1) << holder.Errors();
}

// Random bytes, everything but the magic number (which is the sign of a board): whatever it makes of the
// others, every program ends.
TEST_F(BoardLossTest, RandomBytesHoldNobodyForEver) {
  base::Random random(7);
  std::vector<Program> programs;
  for (int i = 0; i < 4; ++i) {
    programs.push_back(StartJoined("p" + std::to_string(i), i % 3, {"submit", "300", "200"}));
  }
  auto* bytes = reinterpret_cast<std::atomic<std::uint8_t>*>(&TheBoard().header());
  const std::size_t used = sizeof(board::Header) + 4 * sizeof(board::Slot);
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 20; ++i) {
      const std::size_t at = sizeof(std::uint64_t) + random.Next() % (used - sizeof(std::uint64_t));
      bytes[at].store(static_cast<std::uint8_t>(random.Next()));
    }
    usleep(500);
  }
  for (Program& program : programs) {
    EXPECT_EQ(program.ReadLine(), "done 300");
    EXPECT_EQ(program.Wait(), 0) << program.Errors();
  }
}

TEST_F(BoardLossTest, BoardOfAnotherVersionIsRefusedWithOneLine) {
  TheBoard().header().layout_version.store(999);
  Program program = Start("program", 5, {"submit", "20"});
  EXPECT_EQ(program.ReadLine(), "slot none");
  EXPECT_EQ(program.ReadLine(), "done 20");
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_EQ(Lines(program.Errors()), 1) << program.Errors();
  EXPECT_NE(program.Errors().find("999"), std::string::npos) << program.Errors();
}

class ProfileTest : public ClientTest {
 protected:
  std::filesystem::path TheProfile() const {
    for (const auto& entry : std::filesystem::directory_iterator(profiles)) {
      if (entry.path().extension() == ".mprof") return entry.path();
    }
    return {};
  }
  std::string RunOnce() {
    Program program = StartJoined("program", 5, {"submit", "20"}, {{"MORTAR_PROFILES", profiles.string()}});
    EXPECT_EQ(program.ReadLine(), "done 20");
    EXPECT_EQ(program.Wait(), 0);
    return program.Errors();
  }

  std::filesystem::path profiles = directory.path() + "/profiles";
};

TEST_F(ProfileTest, IsKeptAndReadAgain) {
  EXPECT_EQ(RunOnce(), "");
  ASSERT_FALSE(TheProfile().empty());
  const auto size = std::filesystem::file_size(TheProfile());
  EXPECT_EQ(RunOnce(), "");
  EXPECT_GE(std::filesystem::file_size(TheProfile()), size);
}

TEST_F(ProfileTest, DamagedOneIsSetAside) {
  RunOnce();
  const std::filesystem::path path = TheProfile();
  ASSERT_FALSE(path.empty());
  std::string content;
  {
    std::ifstream in(path, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in), {});
  }
  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 0x55);
  std::ofstream(path, std::ios::binary) << content;
  const std::string errors = RunOnce();
  EXPECT_NE(errors.find("is damaged"), std::string::npos) << errors;
  EXPECT_EQ(Lines(errors), 1) << errors;
  std::ifstream aside(path.string() + ".damaged", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(aside), {}), content)
      << "kept for whoever wants to look";
  EXPECT_TRUE(std::filesystem::exists(path)) << "a new one is kept";
  EXPECT_EQ(RunOnce(), "");
}

TEST_F(ProfileTest, EmptyAndCutOnesAreSetAside) {
  RunOnce();
  const std::filesystem::path path = TheProfile();
  for (const std::uintmax_t cut :
       {UINTMAX_MAX, std::uintmax_t{2}, std::uintmax_t{40}}) {  // the last byte is a line break
    // Each run keeps a profile of another size.
    const std::uintmax_t size =
        std::filesystem::file_size(path) - std::min(cut, std::filesystem::file_size(path));
    std::filesystem::resize_file(path, size);
    const std::string errors = RunOnce();
    EXPECT_NE(errors.find("is damaged"), std::string::npos) << size << ": " << errors;
    EXPECT_EQ(RunOnce(), "");
  }
}

}  // namespace
}  // namespace mortar::tests
