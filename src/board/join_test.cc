// Slots: taken, refused, left, and outliving their owners.
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fstream>
#include <string>
#include <thread>

#include "board/board.h"
#include "board/slot_lock.h"
#include "board/test_support.h"
#include "board/view.h"

namespace mortar::board {
namespace {

using base::Code;

class JoinTest : public testing::Test {
 protected:
  void SetUp() override { board_ = OpenBoard(); }
  Board OpenBoard() const {
    auto board = Board::Open(directory_.path(), "gpu", true);
    EXPECT_TRUE(board.ok()) << board.error().message;
    return board.ok() ? std::move(*board) : Board();
  }
  // A child that opens the board itself, joins as `name` and then does `then`.
  template <typename Then>
  Child Joined(const std::string& name, Notice& notice, Then then) const {
    return Child([&, then] {
      Board board = OpenBoard();
      const auto ref = board.Join({name});
      notice.Notify(ref.ok() ? 1 : 2);
      return then(board, *ref);
    });
  }
  static int Sleep(Board&, SlotRef) {
    for (;;) pause();
  }
  TemporaryDirectory directory_;
  Board board_;
};

TEST_F(JoinTest, PublishesAllFields) {
  const std::uint32_t version = board_.header().version.load();
  const auto ref = board_.Join({"serve", 0, 10'000, 2000});
  ASSERT_TRUE(ref.ok()) << ref.error().message;
  const auto clients = ReadClients(board_);
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].name, "serve");
  EXPECT_EQ(clients[0].pid, getpid());
  EXPECT_EQ(clients[0].priority, 0U);
  EXPECT_EQ(clients[0].max_slowdown_ppm, 10'000U);
  EXPECT_EQ(clients[0].weight_permille, 2000U);
  EXPECT_GT(clients[0].joined_at_ns, 0);
  EXPECT_FALSE(clients[0].measured_slowdown_ppm.has_value());
  EXPECT_TRUE(board_.IsCurrent(*ref));
  EXPECT_TRUE(board_.OwnerAlive(ref->index));
  EXPECT_NE(board_.header().version.load(), version);
}

TEST_F(JoinTest, LeaveFreesTheSlot) {
  const auto ref = board_.Join({"a"});
  ASSERT_TRUE(ref.ok());
  board_.Leave(*ref);
  EXPECT_FALSE(board_.IsCurrent(*ref));
  EXPECT_FALSE(board_.OwnerAlive(ref->index));
  EXPECT_EQ(board_.header().active.load(), 0U);
  const auto again = board_.Join({"a"});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->index, ref->index);
  EXPECT_NE(again->generation, ref->generation);
  board_.Leave(*ref);  // stale: must not touch the new one
  EXPECT_TRUE(board_.IsCurrent(*again));
  EXPECT_TRUE(board_.OwnerAlive(again->index));
}

TEST_F(JoinTest, LeaveDoesNotClearWhatBecameAnothers) {
  const auto ref = board_.Join({"a"});
  ASSERT_TRUE(ref.ok());
  board_.slot(ref->index).generation.fetch_add(2);  // bytes overwritten
  board_.Leave(*ref);
  EXPECT_EQ(board_.slot(ref->index).state.load(), static_cast<std::uint32_t>(kActive));
  EXPECT_FALSE(board_.OwnerAlive(ref->index));
}

TEST_F(JoinTest, ReusedSlotStartsEmpty) {
  auto ref = board_.Join({"a long name", 1, 2, 3});
  ASSERT_TRUE(ref.ok());
  Slot& slot = board_.slot(ref->index);
  slot.counters.submits = 5;
  slot.lanes[7].busy_until_ns = 9;
  slot.ladders[15].length_us[15] = 3;
  slot.lanes_used = 0xff;
  board_.Leave(*ref);
  ref = board_.Join({"b"});
  ASSERT_TRUE(ref.ok());
  const auto client = ReadClient(board_, ref->index);
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(client->name, "b");
  EXPECT_EQ(client->submits, 0U);
  EXPECT_TRUE(client->lanes.empty());
  EXPECT_EQ(slot.lanes[7].busy_until_ns.load(), 0);
  EXPECT_EQ(slot.ladders[15].length_us[15].load(), 0U);
}

TEST_F(JoinTest, EmptyNameBecomesProgramAndPid) {
  ASSERT_TRUE(board_.Join({}).ok());
  EXPECT_NE(ReadClients(board_).at(0).name.find("-" + std::to_string(getpid())), std::string::npos);
}

TEST_F(JoinTest, LongNameIsCutBetweenCharacters) {
  ASSERT_TRUE(board_.Join({std::string(62, 'a') + "\u00fc"}).ok());
  EXPECT_EQ(ReadClients(board_).at(0).name, std::string(62, 'a'));
}

TEST_F(JoinTest, RequestOutOfRange) {
  for (const JoinRequest& request :
       {JoinRequest{"a", 10}, JoinRequest{"a", 5, 20'000'000}, JoinRequest{"a", 5, 0, 0}}) {
    const auto ref = board_.Join(request);
    ASSERT_FALSE(ref.ok());
    EXPECT_EQ(ref.error().code, Code::kInvalid);
  }
  EXPECT_EQ(board_.header().active.load(), 0U);
}

TEST_F(JoinTest, OneBoardHoldsOneSlot) {
  ASSERT_TRUE(board_.Join({"a"}).ok());
  const auto second = board_.Join({"b"});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kInvalid);
}

TEST_F(JoinTest, SixtyFifthClientIsRefused) {
  std::vector<Board> boards;
  for (int i = 0; i < kSlots; ++i) {
    boards.push_back(OpenBoard());
    ASSERT_TRUE(boards.back().Join({"client" + std::to_string(i)}).ok());
  }
  EXPECT_EQ(ReadClients(board_).size(), 64U);
  const auto refused = board_.Join({"one more"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kFull);
  boards[17] = Board();  // its lock goes with it
  const auto ref = board_.Join({"one more"});
  ASSERT_TRUE(ref.ok()) << ref.error().message;
  EXPECT_EQ(ref->index, 17);
}

TEST_F(JoinTest, NameOfALivingClientIsRefused) {
  Notice notice;
  Child child = Joined("serve", notice, Sleep);
  ASSERT_EQ(notice.Await(), 1);
  const auto refused = board_.Join({"serve"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_NE(refused.error().message.find(std::to_string(child.pid())), std::string::npos);
  child.Kill();
  EXPECT_TRUE(board_.Join({"serve"}).ok());
}

TEST_F(JoinTest, OneOfManyTakesAName) {
  for (int round = 0; round < 20; ++round) {
    std::vector<Child> children;
    Notice outcome;
    Notice go;
    for (int i = 0; i < 4; ++i) {
      children.push_back(Child([&] {
        Board board = OpenBoard();
        if (go.Await() < 0) return 1;
        outcome.Notify(board.Join({"serve"}).ok() ? 1 : 2);
        for (;;) pause();
        return 0;
      }));
    }
    for (int i = 0; i < 4; ++i) go.Notify();
    int joined = 0;
    for (int i = 0; i < 4; ++i) joined += outcome.Await() == 1 ? 1 : 0;
    EXPECT_EQ(joined, 1);
  }
}

TEST_F(JoinTest, KilledOwnersSlotIsClearedOnce) {
  Notice notice;
  Child child = Joined("a", notice, Sleep);
  ASSERT_EQ(notice.Await(), 1);
  const auto clients = ReadClients(board_);
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_TRUE(board_.OwnerAlive(clients[0].ref.index));
  EXPECT_EQ(board_.ClearStale(), 0);
  child.Kill();
  EXPECT_TRUE(board_.IsCurrent(clients[0].ref));  // until somebody asks for the lock
  EXPECT_FALSE(board_.OwnerAlive(clients[0].ref.index));
  EXPECT_EQ(board_.ClearStale(), 1);
  EXPECT_EQ(board_.ClearStale(), 0);
  EXPECT_FALSE(board_.IsCurrent(clients[0].ref));
  EXPECT_TRUE(ReadClients(board_).empty());
}

TEST_F(JoinTest, SlotLeftHalfJoinedIsCleared) {
  board_.slot(3).state = kJoining;
  board_.slot(3).generation = 7;
  board_.header().active = std::uint64_t{1} << 9;  // a bit without a slot
  EXPECT_EQ(board_.ClearStale(), 2);
  EXPECT_EQ(board_.slot(3).state.load(), static_cast<std::uint32_t>(kFree));
  EXPECT_EQ(board_.slot(3).generation.load(), 8U);
  EXPECT_EQ(board_.header().active.load(), 0U);
}

TEST_F(JoinTest, StoppedOwnerKeepsItsSlot) {
  Notice notice;
  Child child = Joined("a", notice, Sleep);
  ASSERT_EQ(notice.Await(), 1);
  child.Signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  EXPECT_EQ(board_.ClearStale(), 0);
  EXPECT_TRUE(board_.OwnerAlive(0));
  EXPECT_FALSE(board_.Join({"a"}).ok());
  EXPECT_TRUE(board_.Join({"b"}).ok());
}

// Stopped at the worst moment: while it holds the turn to join.
TEST_F(JoinTest, StoppedJoinerDelaysOthersOnlyABit) {
  Notice notice;
  Child child([&] {
    struct stat info {};
    stat(board_.path().c_str(), &info);
    auto file = LockFile::Open(board_.path(), info.st_dev, info.st_ino);
    notice.Notify(file.ok() && file->TryLock(kJoinByte) ? 1 : 2);
    for (;;) pause();
    return 0;
  });
  ASSERT_EQ(notice.Await(), 1);
  EXPECT_TRUE(board_.Join({"b"}).ok());
}

TEST_F(JoinTest, ForkedChildHoldsNothing) {
  Notice joined;
  Notice forked;
  Notice finish;
  Child owner([&] {
    Board board = OpenBoard();
    const auto ref = board.Join({"owner"});
    if (!ref.ok()) return 1;
    Child grandchild([&] {
      // Neither leaving nor ending here may take the parent's slot away; joining anew works.
      board.Leave(*ref);
      const bool kept = board.IsCurrent(*ref) && board.OwnerAlive(ref->index);
      const auto own = board.Join({"child"});
      const bool anew = own.ok() && own->index != ref->index;
      forked.Notify(kept && anew ? 1 : 2);
      finish.Await();
      return 0;
    });
    joined.Notify();
    grandchild.Wait();
    return 0;
  });
  ASSERT_EQ(joined.Await(), 1);
  ASSERT_EQ(forked.Await(), 1);
  EXPECT_TRUE(board_.OwnerAlive(0));
  finish.Notify();
  EXPECT_EQ(owner.Wait(), 0);
}

TEST_F(JoinTest, OwnersDeathFreesWhileItsChildLives) {
  Notice joined;
  Notice forked;
  Notice died;
  Child owner([&] {
    Board board = OpenBoard();
    joined.Notify(board.Join({"owner"}).ok() ? 1 : 2);
    if (fork() == 0) {
      forked.Notify();
      died.Await();
      _exit(0);
    }
    for (;;) pause();
    return 0;
  });
  ASSERT_EQ(joined.Await(), 1);
  ASSERT_EQ(forked.Await(), 1);
  EXPECT_TRUE(board_.OwnerAlive(0));
  owner.Kill();
  EXPECT_FALSE(board_.OwnerAlive(0));
  EXPECT_EQ(board_.ClearStale(), 1);
  died.Notify();
}

TEST_F(JoinTest, ExecFreesTheSlot) {
  Notice joined;
  Notice replaced;
  Child child([&] {
    Board board = OpenBoard();
    joined.Notify(board.Join({"a"}).ok() ? 1 : 2);
    // Close-on-exec: the parent reads the end of `replaced` when exec has happened.
    execl("/bin/sleep", "sleep", "1000", nullptr);
    return 1;
  });
  ASSERT_EQ(joined.Await(), 1);
  replaced.OnlyAwaitHere();
  EXPECT_EQ(replaced.Await(), -1);
  // The kernel drops the old memory's files in an order of its own; a test that fails here hangs until its
  // time-out.
  while (board_.OwnerAlive(0)) std::this_thread::yield();
}

TEST_F(JoinTest, DestroyedBoardIsAsDead) {
  {
    Board other = OpenBoard();
    ASSERT_TRUE(other.Join({"a"}).ok());
    Board moved = std::move(other);
    EXPECT_FALSE(other.open());  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): the test
    EXPECT_TRUE(board_.OwnerAlive(0));
  }
  EXPECT_FALSE(board_.OwnerAlive(0));
  EXPECT_EQ(board_.ClearStale(), 1);
}

TEST_F(JoinTest, IndexOutOfRangeIsNobody) {
  EXPECT_FALSE(board_.IsCurrent({-1, 0}));
  EXPECT_FALSE(board_.IsCurrent({64, 1}));
  EXPECT_FALSE(board_.OwnerAlive(-1));
  EXPECT_FALSE(board_.OwnerAlive(64));
  board_.Leave({64, 1});
}

TEST_F(JoinTest, BumpWakesASleeperInAnotherProcess) {
  Notice ready;
  Child sleeper([&] {
    Board board = OpenBoard();
    const std::uint32_t seen = board.header().version.load();
    ready.Notify();
    // Each sleep is bounded, so the loop: it ends by the bump alone.
    while (board.header().version.load() == seen) board.WaitForChange(seen, 1'000'000'000);
    return 0;
  });
  ASSERT_EQ(ready.Await(), 1);
  while (board_.header().sleepers.load() == 0) std::this_thread::yield();
  board_.Bump();
  EXPECT_EQ(sleeper.Wait(), 0);
  EXPECT_EQ(board_.header().sleepers.load(), 0U);
}

// True once process `pid` sleeps in the kernel: state "S" behind the name in /proc/PID/stat.
bool Asleep(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

// WaitForChange looks again by itself before long, so whether wake-ups arrive shows only beside it. These
// hang where they do not: Bump must reach a plain sleeper of another process, and a plain waker must find
// WaitForChange asleep.
TEST_F(JoinTest, BumpReachesAPlainFutexOfAnotherProcess) {
  Child sleeper([&] {
    Board board = OpenBoard();
    auto& header = board.header();
    const std::uint32_t seen = header.version.load();
    header.sleepers.fetch_add(1);
    while (header.version.load() == seen) {
      syscall(SYS_futex, &header.version, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
    return 0;
  });
  while (board_.header().sleepers.load() == 0 || !Asleep(sleeper.pid())) std::this_thread::yield();
  board_.Bump();
  EXPECT_EQ(sleeper.Wait(), 0);
}

TEST_F(JoinTest, WaitForChangeSleepsWhereOtherProcessesCanWakeIt) {
  Child sleeper([&] {
    Board board = OpenBoard();
    for (;;) board.WaitForChange(board.header().version.load(), 1'000'000'000);
    return 0;
  });
  while (syscall(SYS_futex, &board_.header().version, FUTEX_WAKE, 1, nullptr, nullptr, 0) != 1) {
    std::this_thread::yield();
  }
}

TEST_F(JoinTest, WaitReturnsAtOnceWhenVersionMoved) {
  const std::uint32_t seen = board_.header().version.load();
  board_.Bump();
  board_.WaitForChange(seen, 3'600'000'000'000);
  board_.WaitForChange(board_.header().version.load(), 0);
  board_.WaitForChange(board_.header().version.load(), -5);
  EXPECT_EQ(board_.header().sleepers.load(), 0U);
}

TEST_F(JoinTest, WaitIsBoundedWhateverIsAsked) {
  board_.WaitForChange(board_.header().version.load(), INT64_MAX);  // returns: nobody bumps
  EXPECT_EQ(board_.header().sleepers.load(), 0U);
}

}  // namespace
}  // namespace mortar::board
