#include "emulated/ledger.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>
#include <vector>

namespace mortar::emulated {
namespace {

// Handles are opaque to the ledger: addresses of these.
int handles[32];
const void* const kQueue = &handles[0];
const void* const kOther = &handles[1];
const void* Event(int i) { return &handles[8 + i]; }

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    std::string pattern = testing::TempDir() + "/ledger_XXXXXX";
    directory_ = mkdtemp(pattern.data());
    timeline_ = std::move(Timeline::Open(directory_, "a")).value();
  }
  ~LedgerTest() override { std::filesystem::remove_all(directory_); }

  // One call of a program. `event` null: none wanted.
  struct Call {
    const void* queue = kQueue;
    Kind kind = Kind::kDevice;
    std::int64_t duration_ns = 100;
    std::vector<const void*> waits = {};
    const void* event = nullptr;
    std::int64_t now_ns = 1'000;
  };
  Ticket Begin(const Call& call) {
    Submission submission;
    submission.queue = call.queue;
    submission.kind = call.kind;
    submission.duration_ns = call.duration_ns;
    submission.wait_count = static_cast<std::uint32_t>(call.waits.size());
    submission.wait_list = call.waits.data();
    submission.wants_event = call.event != nullptr;
    submission.now_ns = call.now_ns;
    return ledger_.Begin(submission);
  }
  Command* Enqueue(const Call& call) {
    const Ticket ticket = Begin(call);
    return ledger_.Commit(ticket, call.event, ticket.deferred);
  }
  std::int64_t EndOf(const void* event, std::int64_t now_ns = 0) {
    return ledger_.EndOf(event, now_ns).end_ns;
  }

  std::string directory_;
  Timeline timeline_;
  Ledger ledger_;
};

TEST_F(LedgerTest, UnknownQueueIsNotModelled) {
  const Ticket ticket = Begin({});
  EXPECT_EQ(ticket.queue, nullptr);
  EXPECT_EQ(ledger_.Commit(ticket, Event(0), false), nullptr);
  EXPECT_EQ(ledger_.EndOf(Event(0), 0).timeline, nullptr);
  EXPECT_EQ(ledger_.StatusOf(Event(0), kStatusRunning, 0), kStatusRunning);
}

TEST_F(LedgerTest, CommandsFollowEachOther) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  EXPECT_EQ(Enqueue({.event = Event(0)}), nullptr);
  EXPECT_EQ(Enqueue({.event = Event(1), .now_ns = 1'010}), nullptr);
  EXPECT_EQ(EndOf(Event(0)), 1'100);
  EXPECT_EQ(EndOf(Event(1)), 1'200);
  EXPECT_EQ(ledger_.EndOfQueue(kQueue, ledger_.Mark(), 2'000).end_ns, 1'200);
  EXPECT_EQ(timeline_.Report().total.busy_ns, 200U);
}

TEST_F(LedgerTest, StatusFollowsTheModelAndTheDriver) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  Enqueue({.event = Event(0)});
  Enqueue({.event = Event(1)});  // runs from 1,100 to 1,200
  const auto status = [&](std::int32_t driver, std::int64_t now) {
    return ledger_.StatusOf(Event(1), driver, now);
  };
  EXPECT_EQ(status(kStatusComplete, 1'050), kStatusSubmitted);
  EXPECT_EQ(status(kStatusQueued, 1'050), kStatusQueued);
  EXPECT_EQ(status(kStatusComplete, 1'100), kStatusRunning);
  EXPECT_EQ(status(kStatusComplete, 1'199), kStatusRunning);
  EXPECT_EQ(status(kStatusComplete, 1'200), kStatusComplete);
  EXPECT_EQ(status(kStatusRunning, 1'200), kStatusRunning);  // really not done yet
  EXPECT_EQ(status(-14, 1'050), -14);
}

TEST_F(LedgerTest, RefusedCommandGivesItsTimeBack) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  const Ticket ticket = Begin({.event = Event(0)});
  EXPECT_EQ(timeline_.AheadNs(1'000), 100);
  ledger_.Cancel(ticket);
  EXPECT_EQ(timeline_.AheadNs(1'000), 0);
  EXPECT_EQ(timeline_.Report().total.commands, 0U);
  EXPECT_EQ(ledger_.EndOf(Event(0), 0).timeline, nullptr);
}

TEST_F(LedgerTest, UserEventDefersUntilReallyComplete) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  Command* first = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  Command* second = Enqueue({.event = Event(2)});  // in order behind it
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(timeline_.AheadNs(1'000), 0);
  EXPECT_EQ(ledger_.StatusOf(Event(1), kStatusSubmitted, 5'000), kStatusSubmitted);
  EXPECT_EQ(ledger_.StatusOf(Event(1), kStatusRunning, 5'000), kStatusSubmitted);
  ledger_.SetUserEvent(Event(0), kStatusComplete, 9'000);
  ledger_.Resolve(first, kStatusComplete, 9'500);
  ledger_.Resolve(second, kStatusComplete, 9'510);
  EXPECT_EQ(EndOf(Event(1)), 9'600);
  EXPECT_EQ(EndOf(Event(2)), 9'700);
  Times times;
  EXPECT_TRUE(ledger_.TimesOf(Event(1), 9'600, &times));
  EXPECT_EQ(times.queued_ns, 1'000);
  EXPECT_EQ(times.start_ns, 9'500);
}

// The driver's callbacks come in any order: what a command waits for is placed before it all the same.
TEST_F(LedgerTest, LateCallbackDoesNotTurnTheOrderRound) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.OpenQueue(kOther, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  Command* first = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  Command* second = Enqueue({.queue = kOther, .waits = {Event(1)}, .event = Event(2)});
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  ledger_.Resolve(second, kStatusComplete, 3'000);
  ledger_.Resolve(first, kStatusComplete, 3'001);
  EXPECT_EQ(EndOf(Event(1)), 3'100);
  EXPECT_EQ(EndOf(Event(2)), 3'200);
  EXPECT_EQ(timeline_.Report().total.commands, 2U);
}

TEST_F(LedgerTest, LongChainIsPlacedWithoutRecursion) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  std::vector<Command*> commands;
  commands.push_back(Enqueue({.duration_ns = 1, .waits = {Event(0)}}));
  for (int i = 0; i < 200'000; ++i)
    commands.push_back(Enqueue({.duration_ns = 1, .event = i == 199'999 ? Event(1) : nullptr}));
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  EXPECT_EQ(EndOf(Event(1), 3'000), 3'000 + 200'001);
  for (Command* command : commands) ledger_.Resolve(command, kStatusComplete, 4'000);
  EXPECT_EQ(timeline_.Report().total.commands, 200'001U);
}

TEST_F(LedgerTest, FailureTakesNoTime) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  Command* first = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  ledger_.SetUserEvent(Event(0), -5, 2'000);
  ledger_.Resolve(first, -14, 2'010);
  EXPECT_EQ(ledger_.EndOf(Event(1), 3'000).timeline, nullptr);
  EXPECT_EQ(ledger_.StatusOf(Event(1), -14, 3'000), -14);
  EXPECT_EQ(timeline_.AheadNs(2'010), 0);
  EXPECT_EQ(Enqueue({.event = Event(2), .now_ns = 3'000}), nullptr);  // nothing is waited for any more
  EXPECT_EQ(EndOf(Event(2)), 3'100);
}

TEST_F(LedgerTest, UserEventIsSetOnce) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  ledger_.SetUserEvent(Event(0), kStatusRunning, 1'500);  // the driver refuses that
  EXPECT_TRUE(Begin({.waits = {Event(0)}}).deferred);
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  ledger_.SetUserEvent(Event(0), -1, 3'000);
  EXPECT_EQ(ledger_.StatusOf(Event(0), kStatusComplete, 0), kStatusComplete);
  EXPECT_EQ(ledger_.EndOf(Event(0), 0).timeline, nullptr);  // it has no time of its own
}

TEST_F(LedgerTest, OutOfOrderWaitsForNothingButItsListAndBarriers) {
  ledger_.OpenQueue(kQueue, &timeline_, false);
  ledger_.AddUserEvent(Event(0));
  Command* held = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  EXPECT_EQ(Enqueue({.event = Event(2)}), nullptr);  // passes it by
  EXPECT_EQ(EndOf(Event(2)), 1'100);
  Command* marker = Enqueue({.kind = Kind::kMarker, .event = Event(3)});
  ASSERT_NE(marker, nullptr);                        // waits for the held one
  EXPECT_EQ(Enqueue({.event = Event(4)}), nullptr);  // a marker holds nobody up
  Command* barrier = Enqueue({.kind = Kind::kBarrier, .event = Event(5)});
  Command* behind = Enqueue({.event = Event(6)});
  ASSERT_NE(barrier, nullptr);
  ASSERT_NE(behind, nullptr);
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  ledger_.Resolve(behind, kStatusComplete, 5'000);
  EXPECT_EQ(EndOf(Event(1), 5'000), 5'100);
  EXPECT_EQ(EndOf(Event(3), 5'000), 5'100);
  EXPECT_EQ(EndOf(Event(5), 5'000), 5'100);
  EXPECT_EQ(EndOf(Event(6), 5'000), 5'200);
  for (Command* command : {held, marker, barrier}) ledger_.Resolve(command, kStatusComplete, 5'001);
}

TEST_F(LedgerTest, MarkerWithListEndsWithItsList) {
  ledger_.OpenQueue(kQueue, &timeline_, false);
  Enqueue({.event = Event(0)});
  Enqueue({.event = Event(1)});
  Enqueue({.kind = Kind::kMarker, .waits = {Event(0)}, .event = Event(2)});
  Enqueue({.kind = Kind::kMarker, .event = Event(3)});
  EXPECT_EQ(EndOf(Event(2)), 1'100);
  EXPECT_EQ(EndOf(Event(3)), 1'200);
  EXPECT_EQ(timeline_.Report().total.commands, 2U);  // markers are not the device's work
}

TEST_F(LedgerTest, NothingPassesABarrier) {
  ledger_.OpenQueue(kQueue, &timeline_, false);
  Enqueue({.event = Event(0)});
  Enqueue({.event = Event(1)});
  Enqueue({.kind = Kind::kBarrier});  // ends with the second, at 1,200
  Enqueue({.kind = Kind::kMarker, .waits = {Event(0)}, .event = Event(2)});
  EXPECT_EQ(EndOf(Event(2)), 1'200);
}

TEST_F(LedgerTest, FinishPlacesWhatWasEnqueuedBeforeIt) {
  ledger_.OpenQueue(kQueue, &timeline_, false);
  ledger_.AddUserEvent(Event(0));
  ledger_.AddUserEvent(Event(7));
  Command* before = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  const std::uint64_t mark = ledger_.Mark();
  Command* after = Enqueue({.waits = {Event(7)}, .event = Event(2)});
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  EXPECT_EQ(ledger_.EndOfQueue(kQueue, mark, 3'000).end_ns, 3'100);
  EXPECT_EQ(ledger_.StatusOf(Event(2), kStatusSubmitted, 9'000), kStatusSubmitted);
  ledger_.Resolve(before, kStatusComplete, 3'000);
  ledger_.SetUserEvent(Event(7), kStatusComplete, 4'000);
  ledger_.Resolve(after, kStatusComplete, 4'000);
  EXPECT_EQ(timeline_.Report().total.commands, 2U);
}

TEST_F(LedgerTest, RefusedDeferredCommandHoldsNobodyUp) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  Command* first = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  const Ticket refused = Begin({.event = Event(2)});
  ASSERT_TRUE(refused.deferred);
  ledger_.Cancel(refused);
  Command* third = Enqueue({.event = Event(3)});
  ASSERT_NE(third, nullptr);  // behind the first again
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  ledger_.Resolve(third, kStatusComplete, 3'000);
  ledger_.Resolve(first, kStatusComplete, 3'000);
  EXPECT_EQ(EndOf(Event(1)), 3'100);
  EXPECT_EQ(EndOf(Event(3)), 3'200);
}

TEST_F(LedgerTest, ReleasedEventIsForgottenAndItsHandleReused) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  Enqueue({.event = Event(0)});
  ledger_.RetainEvent(Event(0));
  ledger_.ReleaseEvent(Event(0));
  EXPECT_EQ(EndOf(Event(0)), 1'100);
  ledger_.ReleaseEvent(Event(0));
  EXPECT_EQ(EndOf(Event(0)), 0);
  Enqueue({.event = Event(0)});
  EXPECT_EQ(EndOf(Event(0)), 1'200);
  Enqueue({.event = Event(0)});  // a release was missed: the new command counts
  EXPECT_EQ(EndOf(Event(0)), 1'300);
}

TEST_F(LedgerTest, HeldEventOutlivesTheProgramsReferences) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  Enqueue({.event = Event(0)});
  Command* held = ledger_.Hold(Event(0));
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(ledger_.HoldsOf(Event(0)), 1U);
  ledger_.ReleaseEvent(Event(0));
  EXPECT_EQ(EndOf(Event(0)), 1'100);
  EXPECT_EQ(ledger_.EndOfHeld(held, 0).end_ns, 1'100);
  EXPECT_EQ(ledger_.StartOfHeld(held, 0), 1'000);
  ledger_.Unhold(held);
  EXPECT_EQ(EndOf(Event(0)), 0);
  EXPECT_EQ(ledger_.Hold(Event(0)), nullptr);
}

TEST_F(LedgerTest, QueueGoesWithItsLastReference) {
  Timeline* timeline = nullptr;
  ledger_.OpenQueue(kQueue, &timeline_, true);
  ledger_.AddUserEvent(Event(0));
  Command* command = Enqueue({.waits = {Event(0)}, .event = Event(1)});
  ledger_.RetainQueue(kQueue);
  ledger_.ReleaseQueue(kQueue);
  EXPECT_TRUE(ledger_.FindQueue(kQueue, &timeline));
  EXPECT_EQ(timeline, &timeline_);
  ledger_.ReleaseQueue(kQueue);
  EXPECT_FALSE(ledger_.FindQueue(kQueue, &timeline));
  ledger_.SetUserEvent(Event(0), kStatusComplete, 2'000);
  ledger_.Resolve(command, kStatusComplete, 2'000);  // its queue's record is still there for it
  EXPECT_EQ(EndOf(Event(1)), 2'100);
}

TEST_F(LedgerTest, ChildStartsClean) {
  ledger_.OpenQueue(kQueue, &timeline_, true);
  Enqueue({.event = Event(0)});
  ledger_.BeforeFork();
  ledger_.AfterForkInChild();  // as in the child: the lock is free, nothing is known
  Timeline* timeline = nullptr;
  EXPECT_FALSE(ledger_.FindQueue(kQueue, &timeline));
  EXPECT_EQ(EndOf(Event(0)), 0);
}

// Stress: several threads on queues of their own, with deferred commands and waits; nothing is lost.
TEST_F(LedgerTest, ThreadsOnTheirOwnQueues) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      int own[3] = {};
      ledger_.OpenQueue(&own[0], &timeline_, t % 2 == 0);
      for (int i = 0; i < kEach; ++i) {
        ledger_.AddUserEvent(&own[1]);
        Command* command =
            Enqueue({.queue = &own[0], .duration_ns = 1, .waits = {&own[1]}, .event = &own[2]});
        ledger_.SetUserEvent(&own[1], kStatusComplete, 1'000);
        ledger_.Resolve(command, kStatusComplete, 1'000);
        EXPECT_GT(ledger_.EndOf(&own[2], 1'000).end_ns, 1'000);
        ledger_.ReleaseEvent(&own[1]);
        ledger_.ReleaseEvent(&own[2]);
      }
      ledger_.ReleaseQueue(&own[0]);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(timeline_.Report().total.commands, static_cast<std::uint64_t>(kThreads * kEach));
}

}  // namespace
}  // namespace mortar::emulated
