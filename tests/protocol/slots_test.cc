// Slots changing hands: joining, leaving, dying and clearing up, through the board's own functions.
#include <gtest/gtest.h>

#include "board/slot_states.h"
#include "protocol/virtual_memory.h"

namespace mortar::interleaving {
namespace {

constexpr int kNobody = 9;

enum class Bug { kNone, kClearUnlocked, kSameGeneration };

// The file's locks, which the kernel keeps: taking one shows all that its last holder did.
struct Locks {
  explicit Locks(Bug planted) : bug(planted) {}
  bool TryLock(int) {
    if (bug == Bug::kClearUnlocked) return true;
    std::uint32_t free = 0;
    return word.compare_exchange_strong(free, 1);
  }
  void Unlock(int) {
    if (bug != Bug::kClearUnlocked) word.store(0);
  }
  Bug bug;
  VirtualAtomic<std::uint32_t> word;
};

struct SlotWords {
  VirtualAtomic<std::uint32_t> generation, state, pid;
};
struct HeaderWords {
  VirtualAtomic<std::uint64_t> active;
};

struct World {
  explicit World(Bug bug) : locks(Bug::kNone), cleaners_locks(bug) {}
  HeaderWords header;
  SlotWords slot;
  Locks locks;
  Locks cleaners_locks;  // another view of the same where the bug is planted
  Ghost<int> owner{kNobody};
  Ghost<std::uint64_t> last_generation{0};
};

// What every client's own pid field says while it holds the slot.
std::uint32_t PidOf(int who) { return 100 + static_cast<std::uint32_t>(who); }

// Joins if it can, lives, and leaves; or dies at one of three points, upon which the kernel drops its lock.
void Client(World& world, int who, bool may_die) {
  Explorer& explorer = Explorer::Current();
  const auto dies = [&] { return may_die && explorer.Choose(2) == 1; };
  const auto die = [&] {
    if (world.owner.Get() == who) world.owner.Set(kNobody);
    world.locks.Unlock(0);
  };
  if (!world.locks.TryLock(0)) return;
  bool died = false;
  const std::uint32_t generation = board::TakeSlot<VirtualMemory>(world.header, world.slot, 0, [&] {
    explorer.Check(world.owner.Get() == kNobody, "two owners");
    world.owner.Set(who);
    died = dies();
    if (!died) world.slot.pid.store(PidOf(who), std::memory_order_relaxed);
  });
  explorer.Check(generation != world.last_generation.Get(), "a generation is used twice");
  world.last_generation.Set(generation);
  if (died || dies()) return die();
  explorer.Check(board::IsCurrent(world.slot, generation), "the living was cleared");
  explorer.Check(world.slot.pid.load(std::memory_order_relaxed) == PidOf(who),
                 "another writes into the slot");
  if (dies()) return die();
  world.owner.Set(kNobody);
  board::ClearSlot(world.header, world.slot, 0);
  explorer.Check(!board::IsCurrent(world.slot, generation), "a reference outlives its owner");
  world.locks.Unlock(0);
}

void Cleaner(World& world, Bug bug) {
  Locks& locks = bug == Bug::kClearUnlocked ? world.cleaners_locks : world.locks;
  const auto before = world.owner.Peek();
  if (board::ClearIfStale(world.header, world.slot, 0, locks)) {
    Explorer::Current().Observe(static_cast<std::uint64_t>(before));
  }
}

// A tool that reads the slot: what it believes belongs to one owner.
void Reader(World& world) {
  std::uint32_t generation = 0;
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  const bool whole = board::ReadSlot<VirtualMemory>(world.slot, &generation, [&] {
    first = world.slot.pid.load(std::memory_order_relaxed);
    second = world.slot.pid.load(std::memory_order_relaxed);
  });
  if (!whole) return;
  Explorer::Current().Check(first == second, "a client that mixes two owners is believed");
}

Outcome TwoClientsAndACleaner(Bug bug = Bug::kNone, Fault fault = Fault::kNone) {
  Explorer explorer(fault);
  return explorer.Explore([=](Explorer& explored) {
    auto& world = explored.Make<World>(bug);
    explored.Start([&world] { Client(world, 0, /*may_die=*/true); });
    explored.Start([&world] { Client(world, 1, /*may_die=*/false); });
    explored.Start([&world, bug] { Cleaner(world, bug); });
  });
}

Outcome ClientsAndAReader(Fault fault = Fault::kNone) {
  Explorer explorer(fault);
  return explorer.Explore([=](Explorer& explored) {
    auto& world = explored.Make<World>(Bug::kNone);
    explored.Start([&world] {
      Client(world, 0, /*may_die=*/false);
      Client(world, 1, /*may_die=*/false);
    });
    explored.StartReader([&world] { Reader(world); });
  });
}

TEST(SlotInterleavingTest, ASlotHasOneOwner) {
  const Outcome outcome = TwoClientsAndACleaner();
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
  RecordProperty("states", static_cast<int>(outcome.states));
}

TEST(SlotInterleavingTest, WhatAToolReadsIsOneOwners) {
  const Outcome outcome = ClientsAndAReader();
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
}

TEST(SlotInterleavingTest, PlantedBugsAreFound) {
  const Outcome outcome = TwoClientsAndACleaner(Bug::kClearUnlocked);
  EXPECT_FALSE(outcome.violation.empty()) << outcome.states << " states";
  EXPECT_FALSE(TwoClientsAndACleaner(Bug::kNone, Fault::kTornExchange).violation.empty());
}

TEST(SlotInterleavingTest, MissingFencesAreFound) {
  for (const Fault fault : {Fault::kNoReleaseFence, Fault::kNoAcquireFence}) {
    const Outcome outcome = ClientsAndAReader(fault);
    EXPECT_NE(outcome.violation.find("mixes two owners"), std::string::npos)
        << "fault " << static_cast<int>(fault) << " is not found in " << outcome.states << " states";
  }
}

}  // namespace
}  // namespace mortar::interleaving
