// Sleeping on the board's version, and waking: no wake-up is lost, without any time-out's help.
#include "board/wake.h"

#include <gtest/gtest.h>

#include "protocol/virtual_memory.h"

namespace mortar::interleaving {
namespace {

using Word = VirtualAtomic<std::uint32_t>;
constexpr int kSleepers = 2;

enum class Bug { kNone, kNoCompare, kVersionLate, kWakeFirst };

// The kernel's futex: to compare and to queue is one step.
struct Kernel {
  explicit Kernel(Bug planted) : bug(planted) {}
  void Wake(Word&) {
    Explorer::Current().Step("wake");
    for (auto& each : asleep) each.Set(false);
  }
  void Wait(int who, Word& word, std::uint32_t seen) {
    Ghost<bool>& mine = asleep[who];
    Explorer::Current().Step("wait");
    if (word.LoadNewest() != seen && bug != Bug::kNoCompare) return;
    mine.Set(true);
    Explorer::Current().Block("woken", [&mine] { return !mine.Peek(); });
  }
  Bug bug;
  Ghost<bool> asleep[kSleepers];
};

struct World {
  explicit World(Bug bug) : kernel(bug) {}
  Word version, sleepers, off;
  Kernel kernel;
};

struct FutexOf {
  void Wake(Word& word) { kernel.Wake(word); }
  int Wait(Word& word, std::uint32_t seen) {
    kernel.Wait(who, word, seen);
    return 0;
  }
  Kernel& kernel;
  int who;
};

// Looks at the settings, sleeps, looks again: as a thread at the gate.
void Sleeper(World& world, int who, Bug bug) {
  for (;;) {
    std::uint32_t seen = 0;
    bool off = false;
    if (bug == Bug::kVersionLate) {
      off = world.off.load() != 0;
      seen = world.version.load(std::memory_order_acquire);
    } else {
      seen = world.version.load(std::memory_order_acquire);
      off = world.off.load() != 0;
    }
    if (off) return;
    board::SleepUnlessMoved(world.version, world.sleepers, seen, FutexOf{world.kernel, who});
  }
}

// Joins, which releases nobody (`joins`); then says `off`, which releases all.
void Changer(World& world, Bug bug, bool joins) {
  FutexOf futex{world.kernel, 0};
  if (joins) board::MoveAndWake(world.version, world.sleepers, futex);
  world.off.store(1);
  if (bug == Bug::kWakeFirst) {
    if (world.sleepers.load() != 0) world.kernel.Wake(world.version);
    world.version.fetch_add(1);
    return;
  }
  board::MoveAndWake(world.version, world.sleepers, futex);
}

Outcome SleepAndWake(Bug bug = Bug::kNone, Fault fault = Fault::kNone, int sleepers = kSleepers,
                     bool joins = false) {
  Explorer explorer(fault);
  return explorer.Explore([=](Explorer& explored) {
    auto& world = explored.Make<World>(bug);
    for (int who = 0; who < sleepers; ++who) explored.Start([&world, who, bug] { Sleeper(world, who, bug); });
    explored.Start([&world, bug, joins] { Changer(world, bug, joins); });
    explored.AtEnd(
        [&world] { Explorer::Current().Check(world.sleepers.Newest() == 0, "a sleeper is still counted"); });
  });
}

TEST(WakeInterleavingTest, NoWakeUpIsLost) {
  const Outcome outcome = SleepAndWake();
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
  RecordProperty("states", static_cast<int>(outcome.states));
}

TEST(WakeInterleavingTest, NoWakeUpIsLostAmongSeveralChanges) {
  const Outcome outcome = SleepAndWake(Bug::kNone, Fault::kNone, 1, /*joins=*/true);
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
}

TEST(WakeInterleavingTest, PlantedBugsAreFound) {
  for (const Bug bug : {Bug::kNoCompare, Bug::kVersionLate, Bug::kWakeFirst}) {
    const Outcome outcome = SleepAndWake(bug);
    EXPECT_NE(outcome.violation.find("nobody can go on"), std::string::npos)
        << "bug " << static_cast<int>(bug) << " is not found in " << outcome.states << " states";
  }
}

// That nobody sleeps on rests on seq_cst: the sleeper's count and the version are two words.
TEST(WakeInterleavingTest, WeakerOrdersAreFound) {
  const Outcome outcome = SleepAndWake(Bug::kNone, Fault::kWeakSeqCst, 1);
  EXPECT_NE(outcome.violation.find("nobody can go on"), std::string::npos) << outcome.states << " states";
}

TEST(WakeInterleavingTest, TornCountsAreFound) {
  const Outcome outcome = SleepAndWake(Bug::kNone, Fault::kTornExchange);
  EXPECT_FALSE(outcome.violation.empty());
}

}  // namespace
}  // namespace mortar::interleaving
