// Many at once: threads and processes that join, publish, read, leave and die. Also for ThreadSanitizer.
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <thread>
#include <vector>

#include "base/random.h"
#include "board/board.h"
#include "board/fill_word.h"
#include "board/test_support.h"
#include "board/view.h"

namespace mortar::board {
namespace {

constexpr int kRounds = 300;

Board OpenBoard(const std::string& directory) {
  auto board = Board::Open(directory, "gpu", true);
  EXPECT_TRUE(board.ok()) << board.error().message;
  return board.ok() ? std::move(*board) : Board();
}

// Publishes `value` in every field, as a lane's owner does.
void WriteLane(Lane& lane, std::int64_t value) {
  const std::uint32_t sequence = lane.sequence.load(std::memory_order_relaxed);
  lane.sequence.store(sequence + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (auto* field : {&lane.busy_until_ns, &lane.next_submit_ns, &lane.latest_free_ns, &lane.last_activity_ns,
                      &lane.arrived_ns, &lane.wake_at_ns}) {
    field->store(value, std::memory_order_relaxed);
  }
  lane.sequence.store(sequence + 2, std::memory_order_release);
}

// Joins, publishes, leaves, again and again. Two clients in one slot would show as a foreign name or pid.
int JoinAndLeave(const std::string& directory, const std::string& name, int rounds) {
  Board board = OpenBoard(directory);
  if (!board.open()) return 1;
  for (int i = 0; i < rounds; ++i) {
    const auto ref = board.Join({name});
    if (!ref.ok()) return 2;
    Slot& slot = board.slot(ref->index);
    slot.lanes_used = 1;
    for (int k = 0; k < 20; ++k) WriteLane(slot.lanes[0], board.NowNs());
    if (!board.IsCurrent(*ref) || ReadText(slot.name) != name) return 3;
    if ((board.header().active.load() >> ref->index & 1) == 0) return 4;
    board.Leave(*ref);
    if (board.IsCurrent(*ref)) return 5;
  }
  return 0;
}

// Reads everything until told to stop; a lane that mixes two writes is an error.
void ReadUntil(const Board& board, const std::atomic<bool>& stop, std::atomic<int>& errors) {
  while (!stop.load()) {
    for (const ClientView& client : ReadClients(board)) {
      if (!client.name.starts_with("client")) ++errors;
      for (const LaneView& lane : client.lanes) {
        if (lane.busy_until_ns != lane.wake_at_ns || lane.latest_free_ns != lane.arrived_ns) ++errors;
      }
    }
  }
}

TEST(StressTest, ThreadsJoinReadAndLeave) {
  TemporaryDirectory directory;
  const Board board = OpenBoard(directory.path());
  std::atomic<bool> stop{false};
  std::atomic<int> errors{0};
  std::thread reader([&] { ReadUntil(board, stop, errors); });
  std::thread sweeper([&] {
    Board own = OpenBoard(directory.path());
    while (!stop.load()) errors += own.ClearStale();  // everybody lives, so there is nothing to clear
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      const int result = JoinAndLeave(directory.path(), "client" + std::to_string(i), kRounds);
      EXPECT_EQ(result, 0);
    });
  }
  for (auto& client : clients) client.join();
  stop = true;
  reader.join();
  sweeper.join();
  EXPECT_EQ(errors.load(), 0);
  EXPECT_EQ(board.header().active.load(), 0U);
}

TEST(StressTest, ProcessesJoinReadAndLeave) {
  TemporaryDirectory directory;
  const Board board = OpenBoard(directory.path());
  std::vector<Child> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(
        Child([&, i] { return JoinAndLeave(directory.path(), "client" + std::to_string(i), kRounds); }));
  }
  std::atomic<bool> stop{false};
  std::atomic<int> errors{0};
  std::thread reader([&] { ReadUntil(board, stop, errors); });
  for (auto& child : children) EXPECT_EQ(child.Wait(), 0);
  stop = true;
  reader.join();
  EXPECT_EQ(errors.load(), 0);
  EXPECT_EQ(board.header().active.load(), 0U);
}

// Killed anywhere, joining and leaving included: all slots come back and nobody else's is cleared.
TEST(StressTest, KilledAtRandomPointsLeaveNothingForEver) {
  TemporaryDirectory directory;
  Board board = OpenBoard(directory.path());
  Board survivor = OpenBoard(directory.path());
  const auto ref = survivor.Join({"client-survivor"});
  ASSERT_TRUE(ref.ok());
  base::Random random(7);
  for (int round = 0; round < 60; ++round) {
    Notice started;
    Child victim([&] {
      started.Notify();
      return JoinAndLeave(directory.path(), "client-victim", 1'000'000);
    });
    ASSERT_EQ(started.Await(), 1);
    // Work, not a sleep: the point of death varies, and no verdict depends on where it is.
    for (std::uint64_t spin = random.Next() % 200'000; spin > 0; --spin)
      static_cast<void>(base::ReadCounter());
    victim.Kill();
    board.ClearStale();
    ASSERT_EQ(board.header().active.load(), std::uint64_t{1} << ref->index);
    ASSERT_TRUE(survivor.IsCurrent(*ref));
    for (int i = 0; i < kSlots; ++i) {
      const auto expected = i == ref->index ? kActive : kFree;
      ASSERT_EQ(board.slot(i).state.load(), static_cast<std::uint32_t>(expected));
    }
  }
}

// No wake-up is lost for long: each of two threads waits for the other's bump in turn.
TEST(StressTest, PingPongThroughVersion) {
  TemporaryDirectory directory;
  Board board = OpenBoard(directory.path());
  const std::uint32_t first = board.header().version.load();
  const auto play = [&](std::uint32_t parity) {
    for (;;) {
      const std::uint32_t seen = board.header().version.load();
      if (seen - first >= 2000) return;
      if ((seen - first) % 2 == parity) {
        board.Bump();
      } else {
        board.WaitForChange(seen, 10'000'000);
      }
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(board.header().version.load() - first, 2000U);
  EXPECT_EQ(board.header().sleepers.load(), 0U);
}

// Claims by compare-and-swap: every successful one is a step of the sequence, none is lost or doubled.
TEST(StressTest, ClaimsAcrossProcessesAreCounted) {
  TemporaryDirectory directory;
  const Board board = OpenBoard(directory.path());
  constexpr int kClaims = 500;
  const auto claim = [&] {
    Board own = OpenBoard(directory.path());
    auto& word = own.header().fill_until;
    for (int i = 0; i < kClaims; ++i) {
      std::uint64_t seen = word.load();
      for (;;) {
        FillWord next = UnpackFill(seen);
        ++next.sequence;
        next.until_ns += 64;
        if (word.compare_exchange_weak(seen, PackFill(next))) break;
      }
    }
    return 0;
  };
  Child a(claim);
  Child b(claim);
  EXPECT_EQ(a.Wait() + b.Wait(), 0);
  const FillWord last = UnpackFill(board.header().fill_until.load());
  EXPECT_EQ(last.until_ns, 2 * kClaims * 64);
  EXPECT_EQ(last.sequence, (2 * kClaims) % 512U);
}

TEST(FillWordTest, RoundTripRoundsUp) {
  const FillWord word{63, 511, 1'000'000'001, true};
  const FillWord back = UnpackFill(PackFill(word));
  EXPECT_EQ(back.slot, 63);
  EXPECT_EQ(back.sequence, 511U);
  EXPECT_TRUE(back.floor);
  EXPECT_FALSE(UnpackFill(PackFill({63, 511, 1})).floor);
  EXPECT_EQ(back.until_ns, 1'000'000'064);  // the next multiple of 64
  EXPECT_EQ(UnpackFill(PackFill({1, 512, 0})).sequence, 0U);
}

}  // namespace
}  // namespace mortar::board
