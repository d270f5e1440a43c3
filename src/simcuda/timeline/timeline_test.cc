#include "simcuda/timeline/timeline.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace mortar::simcuda {
namespace {

// A device of a given sharing, slices of 1000 ns, switches of 100 ns; time starts at 0.
class TimelineTest : public ::testing::Test {
 protected:
  void Start(Sharing sharing) {
    Parameters parameters;
    parameters.sharing = sharing;
    parameters.slice_ns = 1000;
    parameters.switch_ns = 100;
    parameters.memory_bytes = 1000;
    Timeline::Initialise(state_.get(), parameters, 0);
  }
  void SetUp() override { Start(Sharing::kSliced); }

  Index NewStream(Index context, StreamKind kind = StreamKind::kBlocking, std::int32_t priority = 0) {
    return t_.AddStream(context, kind, priority);
  }
  CommandId Kernel(Index stream, Ns duration_ns, std::int32_t occupancy = kWhole) {
    Work work;
    work.kind = WorkKind::kKernel;
    work.duration_ns = duration_ns;
    work.occupancy = occupancy;
    return t_.Submit(stream, work);
  }
  CommandId Copy(Index stream, Ns duration_ns, std::uint8_t engine) {
    Work work;
    work.kind = WorkKind::kCopy;
    work.duration_ns = duration_ns;
    work.engine = engine;
    return t_.Submit(stream, work);
  }
  // The instant at which `id` ends, by going from one instant to the next.
  Ns EndOf(CommandId id) {
    t_.Advance(t_.now_ns());
    while (!t_.IsDone(id)) {
      const Ns next_ns = t_.NextInstant();
      if (next_ns == kNever) return kNever;
      t_.Advance(next_ns);
    }
    return t_.now_ns();
  }

  std::unique_ptr<State> state_ = std::make_unique<State>();
  Timeline t_{*state_};
};

TEST_F(TimelineTest, StreamRunsInOrder) {
  const Index stream = NewStream(t_.AddContext(1));
  const CommandId first = Kernel(stream, 30);
  const CommandId second = Kernel(stream, 20);
  EXPECT_EQ(EndOf(first), 30);
  EXPECT_EQ(EndOf(second), 50);
}

TEST_F(TimelineTest, LatencyOverlapsWithEarlierWork) {
  const Index stream = NewStream(t_.AddContext(1));
  Work work{.kind = WorkKind::kKernel, .duration_ns = 30, .latency_ns = 10};
  t_.Submit(stream, work);                           // 10 … 40
  const CommandId second = t_.Submit(stream, work);  // could start at 10, starts at 40
  EXPECT_EQ(EndOf(second), 70);
}

TEST_F(TimelineTest, KernelsOfOneContextOverlapWhileTheyFit) {
  const Index context = t_.AddContext(1);
  const CommandId a = Kernel(NewStream(context), 100, 600);
  const CommandId b = Kernel(NewStream(context), 100, 400);  // 600 + 400 = 1000: beside a
  const CommandId c = Kernel(NewStream(context), 10, 100);   // not before one ends
  EXPECT_EQ(EndOf(a), 100);
  EXPECT_EQ(EndOf(b), 100);
  EXPECT_EQ(EndOf(c), 110);
}

TEST_F(TimelineTest, HigherPriorityStreamGoesFirst) {
  const Index context = t_.AddContext(1);
  Kernel(NewStream(context), 100);
  t_.Advance(0);  // it has started: priorities do not stop it
  const CommandId low = Kernel(NewStream(context, StreamKind::kBlocking, 0), 10);
  const CommandId high = Kernel(NewStream(context, StreamKind::kBlocking, -5), 10);
  EXPECT_EQ(EndOf(high), 110);
  EXPECT_EQ(EndOf(low), 120);
}

TEST_F(TimelineTest, LegacyStreamWaitsForEarlierAndHoldsLater) {
  const Index context = t_.AddContext(1);
  const Index legacy = NewStream(context, StreamKind::kLegacy);
  const Index blocking = NewStream(context);
  const Index free = NewStream(context, StreamKind::kNonBlocking);
  Kernel(blocking, 100, 10);
  const CommandId barrier = Kernel(legacy, 50, 10);
  const CommandId later = Kernel(blocking, 20, 10);
  const CommandId beside = Kernel(free, 30, 10);
  EXPECT_EQ(EndOf(beside), 30);
  EXPECT_EQ(EndOf(barrier), 150);
  EXPECT_EQ(EndOf(later), 170);
}

TEST_F(TimelineTest, LegacyStreamsOfTwoContextsDoNotMeet) {
  Start(Sharing::kMerged);
  const Index one = t_.AddContext(1);
  const Index two = t_.AddContext(2);
  Kernel(NewStream(one), 100, 10);
  const CommandId other = Kernel(NewStream(two, StreamKind::kLegacy), 20, 10);
  EXPECT_EQ(EndOf(other), 20);
}

TEST_F(TimelineTest, WaitHoldsTheStreamUntilTheRecord) {
  const Index context = t_.AddContext(1);
  const Index a = NewStream(context);
  const Index b = NewStream(context);
  const Index event = t_.AddEvent(context);
  Kernel(a, 100, 10);
  t_.Submit(a, {.event = event});
  Kernel(a, 100, 10);
  EXPECT_FALSE(t_.IsDone(t_.RecordOf(event)));
  t_.Submit(b, {.wait = t_.RecordOf(event)});
  const CommandId after = Kernel(b, 10, 10);
  EXPECT_EQ(EndOf(after), 110);
  EXPECT_EQ(t_.EndOfEvent(event), 100);
}

TEST_F(TimelineTest, WaitIsForTheRecordOfItsTime) {
  const Index context = t_.AddContext(1);
  const Index a = NewStream(context);
  const Index b = NewStream(context);
  const Index event = t_.AddEvent(context);
  Kernel(a, 40, 10);
  t_.Submit(a, {.event = event});
  t_.Submit(b, {.wait = t_.RecordOf(event)});
  const CommandId after = Kernel(b, 10, 10);
  Kernel(a, 500, 10);
  t_.Submit(a, {.event = event});  // a later record: not waited for
  EXPECT_EQ(EndOf(after), 50);
  EXPECT_EQ(EndOf(t_.RecordOf(event)), 540);
  EXPECT_EQ(t_.EndOfEvent(event), 540);
}

TEST_F(TimelineTest, SlicesAlternateAndSwitchesCost) {
  const Index one = t_.AddContext(1);
  const Index two = t_.AddContext(2);
  const CommandId a = Kernel(NewStream(one), 1500);
  const CommandId b = Kernel(NewStream(two), 500);
  // one 0 … 1000; switch to 1100; two 1100 … 1600; switch to 1700; one 1700 … 2200
  EXPECT_EQ(EndOf(b), 1600);
  EXPECT_EQ(EndOf(a), 2200);
  EXPECT_EQ(state_->switches, 2U);
}

TEST_F(TimelineTest, ContextAloneKeepsItsTurn) {
  const CommandId a = Kernel(NewStream(t_.AddContext(1)), 10'500);
  EXPECT_EQ(EndOf(a), 10'500);
}

TEST_F(TimelineTest, ContextWithoutWorkLosesItsTurn) {
  const Index one = NewStream(t_.AddContext(1));
  const CommandId b = Kernel(NewStream(t_.AddContext(2)), 50);
  t_.Advance(0);
  const CommandId a = Kernel(one, 10);
  EXPECT_EQ(EndOf(b), 50);
  EXPECT_EQ(EndOf(a), 160);  // 50 + 100 + 10
}

TEST_F(TimelineTest, MergedContextsOverlap) {
  Start(Sharing::kMerged);
  const CommandId a = Kernel(NewStream(t_.AddContext(1)), 100, 500);
  const CommandId b = Kernel(NewStream(t_.AddContext(2)), 100, 500);
  EXPECT_EQ(EndOf(a), 100);
  EXPECT_EQ(EndOf(b), 100);
}

TEST_F(TimelineTest, FifoRunsOneAtATimeByBecomingReady) {
  Start(Sharing::kFifo);
  const Index one = t_.AddContext(1);
  Kernel(NewStream(one), 100, 10);
  const CommandId b = Kernel(NewStream(t_.AddContext(2)), 50, 10);
  const CommandId c = Kernel(NewStream(one, StreamKind::kBlocking, -5), 10, 10);
  EXPECT_EQ(EndOf(b), 150);
  EXPECT_EQ(EndOf(c), 160);
}

TEST_F(TimelineTest, CopyEnginesWorkBesideEachOtherAndBesideKernels) {
  const Index context = t_.AddContext(1);
  const CommandId kernel = Kernel(NewStream(context), 100);
  const CommandId to = Copy(NewStream(context), 70, 0);
  const CommandId to_second = Copy(NewStream(context), 20, 0);
  const CommandId from = Copy(NewStream(context), 80, 1);
  EXPECT_EQ(EndOf(to), 70);
  EXPECT_EQ(EndOf(from), 80);
  EXPECT_EQ(EndOf(to_second), 90);
  EXPECT_EQ(EndOf(kernel), 100);
}

TEST_F(TimelineTest, HostFunctionHoldsItsStreamUntilItReturned) {
  const Index context = t_.AddContext(1);
  const Index stream = NewStream(context);
  Kernel(stream, 100);
  const CommandId call = t_.Submit(stream, {.kind = WorkKind::kHost, .tag = 7});
  const CommandId after = Kernel(stream, 10);
  Notice notice;
  t_.Advance(99);
  EXPECT_FALSE(t_.PopNotice(context, &notice));
  t_.Advance(150);
  ASSERT_TRUE(t_.PopNotice(context, &notice));
  EXPECT_TRUE(notice.call);
  EXPECT_EQ(notice.tag, 7U);
  EXPECT_EQ(notice.at_ns, 100);
  EXPECT_FALSE(t_.PopNotice(context, &notice));  // told once
  EXPECT_EQ(t_.EarliestEnd(after), kNever);
  t_.Advance(400);
  t_.FinishHost(call);
  EXPECT_EQ(EndOf(after), 410);
}

TEST_F(TimelineTest, NoticesComeInTheOrderOfEnding) {
  const Index context = t_.AddContext(1);
  const Index a = NewStream(context);
  const Index b = NewStream(context);
  t_.Submit(a, {.kind = WorkKind::kCopy, .duration_ns = 100, .engine = 0, .keep = true, .tag = 1});
  t_.Submit(b, {.kind = WorkKind::kCopy, .duration_ns = 40, .engine = 1, .keep = true, .tag = 2});
  t_.Submit(b, {.kind = WorkKind::kKernel, .duration_ns = 30, .keep = true, .tag = 3});
  t_.Advance(200);
  Notice notice;
  std::vector<std::uint64_t> tags;
  while (t_.PopNotice(context, &notice)) tags.push_back(notice.tag);
  EXPECT_EQ(tags, (std::vector<std::uint64_t>{2, 3, 1}));
}

TEST_F(TimelineTest, EarliestEndIsExactAloneAndALowerBoundElse) {
  const Index stream = NewStream(t_.AddContext(1));
  Kernel(stream, 30);
  const CommandId second = Kernel(stream, 20);
  t_.Advance(10);
  EXPECT_EQ(t_.EarliestEnd(second), 50);
  const CommandId other = Kernel(NewStream(t_.AddContext(2)), 5);
  t_.Advance(10);
  const Ns bound_ns = t_.EarliestEnd(other);
  EXPECT_GT(bound_ns, 10);
  EXPECT_LE(bound_ns, EndOf(other));
}

TEST_F(TimelineTest, FullStreamRefusesAndTakesAgain) {
  const Index stream = NewStream(t_.AddContext(1));
  for (Index i = 0; i < kStreamDepth; ++i) ASSERT_NE(Kernel(stream, 10).sequence, 0U);
  EXPECT_EQ(Kernel(stream, 10).sequence, 0U);
  EXPECT_EQ(EndOf(t_.FirstOf(stream)), 10);
  EXPECT_NE(Kernel(stream, 10).sequence, 0U);
}

TEST_F(TimelineTest, RemovedContextLeavesNothing) {
  const Index one = t_.AddContext(1);
  const Index stream = NewStream(one);
  const CommandId running = Kernel(stream, 1'000'000);
  t_.Submit(stream, {.event = t_.AddEvent(one)});
  ASSERT_TRUE(t_.Allocate(one, 800));
  const Index two = t_.AddContext(2);
  EXPECT_FALSE(t_.Allocate(two, 300));
  const CommandId other = Kernel(NewStream(two), 10);
  t_.Advance(5);
  t_.RemoveContext(one);
  EXPECT_TRUE(t_.IsDone(running));
  EXPECT_TRUE(t_.Allocate(two, 1000));
  EXPECT_EQ(EndOf(other), 15);
}

TEST_F(TimelineTest, ReleasedStreamStillRunsAndIsThenFree) {
  const Index context = t_.AddContext(1);
  const Index stream = NewStream(context);
  const CommandId kernel = Kernel(stream, 10);
  t_.ReleaseStream(stream);
  EXPECT_NE(NewStream(context), stream);
  EXPECT_EQ(EndOf(kernel), 10);
  EXPECT_EQ(NewStream(context), stream);
}

// The same work, looked at never, at every instant, and every 7 ns: the same ends.
TEST_F(TimelineTest, WhoLooksWhenChangesNothing) {
  const auto run = [this](Ns step_ns) {
    Start(Sharing::kSliced);
    const Index contexts[2] = {t_.AddContext(1), t_.AddContext(2)};
    std::vector<Index> events;
    for (int i = 0; i < 40; ++i) {
      const Index context = contexts[i % 2];
      const Index stream =
          NewStream(context, i % 5 == 0 ? StreamKind::kBlocking : StreamKind::kNonBlocking, i % 3);
      Kernel(stream, 100 + i * 37 % 400, 200 + i * 53 % 800);
      Copy(stream, 50 + i, static_cast<std::uint8_t>(i % 2));
      events.push_back(t_.AddEvent(context));
      t_.Submit(stream, {.event = events.back()});
      const Ns until_ns = t_.now_ns() + 60;
      while (t_.now_ns() < until_ns) t_.Advance(std::min(until_ns, t_.now_ns() + step_ns));
    }
    const Ns end_ns = 100'000;
    while (t_.now_ns() < end_ns) t_.Advance(std::min(end_ns, t_.now_ns() + step_ns));
    std::vector<Ns> ends;
    for (const Index event : events)
      ends.push_back(t_.IsDone(t_.RecordOf(event)) ? t_.EndOfEvent(event) : -1);
    return ends;
  };
  const auto expected = run(100'000);
  EXPECT_GT(expected.back(), 0);
  EXPECT_EQ(run(7), expected);
  EXPECT_EQ(run(1), expected);
}

TEST_F(TimelineTest, RepairKeepsWhatIsWholeAndDropsTheRest) {
  const Index context = t_.AddContext(1);
  const Index stream = NewStream(context);
  Kernel(stream, 100);
  const CommandId broken = Kernel(stream, 50);
  const CommandId last = Kernel(stream, 20);
  t_.Submit(NewStream(context), {.keep = true, .tag = 9});
  t_.Advance(40);
  // Died with lists half-way, and with a record that makes no sense.
  state_->commands[broken.slot].stream = kStreams;
  state_->streams[stream].first = kNone;
  state_->first_busy = 77;
  state_->free_command = broken.slot;
  t_.Repair();
  Notice notice;
  ASSERT_TRUE(t_.PopNotice(context, &notice));
  EXPECT_EQ(notice.tag, 9U);
  EXPECT_EQ(EndOf(last), 120);
}

}  // namespace
}  // namespace mortar::simcuda
