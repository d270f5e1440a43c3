// Floors at the gate of one client, and settings that make no sense.
#include <limits>
#include <vector>

#include "client/gate_fixture.h"

namespace mortar::client {
namespace {

// A member of the group writes anything into settings and slots, his own or another's: the client goes on,
// and waits no longer than for a holder that fell silent.
TEST_F(GateTest, HostileSettingsHoldNobodyBeyondTheTimeOuts) {
  board::Header& header = own.board().header();
  std::vector<board::Atomic<std::uint32_t>*> words = {&header.policy, &header.device_mode, &header.off};
  std::vector<board::Atomic<std::int64_t>*> numbers = {&header.switch_cost_ns, &header.in_flight_bound_ns,
                                                       &header.margin_ns};
  std::vector<board::Atomic<std::uint64_t>*> sums;
  for (FakePeer* peer : {&own, &other, &holder}) {
    board::Slot& slot = peer->slot();
    words.insert(words.end(), {&slot.priority, &slot.max_slowdown_ppm, &slot.weight_permille, &slot.flags,
                               &slot.min_share_ppm, &slot.allowed_in_flight_us});
    numbers.insert(numbers.end(), {&slot.idle_after_ns, &slot.joined_at_ns});
    sums.insert(sums.end(), {&slot.memory_limit, &slot.counters.served_ns, &slot.counters.harm_ns,
                             &slot.report.memory, &slot.report.period_ns});
  }
  for (FakePeer* peer : {&other, &holder}) {
    words.insert(words.end(), {&peer->slot().lanes_used, &peer->slot().state});
  }
  int spoiled = 0;
  const auto spoil = [&](auto* field, auto value) {
    SCOPED_TRACE(std::to_string(spoiled++));
    const auto before = field->load();
    host.now += 1000 * kMs;
    host.sleeps = 0;
    shared.in_flight_until.store(0);
    header.fill_until.store(0);
    HolderRuns(host.now + 10 * kUs, host.now + 20 * kUs);
    other.writer().PublishPending(10 * kMs, host.now + kMs);
    field->store(static_cast<std::decay_t<decltype(before)>>(value));
    own.board().Bump();
    EXPECT_LE(Admit(10 * kMs).held_ns, 125 * kMs);
    EXPECT_LE(Admit(100 * kUs).held_ns, 125 * kMs);
    field->store(before);
    own.board().Bump();
  };
  for (const auto id : {model::PolicyId::kFill, model::PolicyId::kPriority, model::PolicyId::kExclusive}) {
    SetPolicy(id);
    for (auto* field : words) {
      for (const std::uint32_t value : {0U, 1U, 8U, 77U, 1'000'001U, 0x7fffffffU, 0x80000000U, 0xffffffffU})
        spoil(field, value);
    }
    constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t value :
         {kLeast, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, 9'000 * kMs, kMost}) {
      for (auto* field : numbers) spoil(field, value);
      for (auto* field : sums) spoil(field, value);
    }
  }
}

TEST_F(GateTest, FloorFillsAreMarkedAndCharged) {
  own.slot().min_share_ppm.store(100'000);
  HolderRuns(kStart, kStart + 100 * kUs);
  const Admission admission = Admit(10 * kMs);
  EXPECT_TRUE(admission.fill && admission.floor);
  EXPECT_EQ(admission.at_ns, kStart) << "the holder has just gone off the device";
  EXPECT_TRUE(Claimed().floor);
  EXPECT_EQ(shared.floor_due.load(), kStart + 100 * kMs);
  // One that fits is none.
  host.now += 10 * kMs;
  HolderRuns(host.now, host.now + 500 * kUs);
  EXPECT_FALSE(Admit(144 * kUs).floor);
  EXPECT_FALSE(Claimed().floor);
}

TEST_F(GateTest, FloorsYieldToWhatTheHolderAllows) {
  own.slot().min_share_ppm.store(100'000);
  const auto spend = [this] {
    holder.writer().Publish(
        board::kLaneRunning, host.now,
        {.busy_until_ns = host.now, .next_submit_ns = host.now + 100 * kUs, .spent = true});
  };
  spend();
  host.on_sleep = [&] {
    if (host.now < kStart + 300 * kMs) spend();  // active, and harmed enough
  };
  const Admission admission = Admit(10 * kMs);
  EXPECT_GE(admission.at_ns, kStart + 300 * kMs);
  EXPECT_EQ(admission.held_for, policy::Reason::kFloorYields);
  // mortar set own --floor-first
  host.now += 200 * kMs;
  host.on_sleep = [&] { spend(); };
  own.slot().flags.store(board::kSlotFloorFirst);
  spend();
  EXPECT_TRUE(Admit(10 * kMs).floor);
}

TEST_F(GateTest, AFloorSetWhileHeldIsFeltAtOnce) {
  HolderRuns(kStart, kStart + 100 * kUs);
  host.on_sleep = [&] {
    HolderRuns(host.now, host.now + 100 * kUs);
    if (host.now > kStart + 300 * kMs) own.slot().min_share_ppm.store(100'000);
  };
  const Admission admission = Admit(10 * kMs);
  EXPECT_TRUE(admission.floor);
  EXPECT_LE(admission.at_ns, kStart + 361 * kMs);
}

}  // namespace
}  // namespace mortar::client
