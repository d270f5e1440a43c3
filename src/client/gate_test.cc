// The gate of one client, its clock and sleeps played by the test: the four steps of a filler in their order,
// claims, expiry.
#include <limits>
#include <vector>

#include "board/slot_states.h"
#include "client/gate_fixture.h"

namespace mortar::client {
namespace {

TEST_F(GateTest, NobodyAboveGoesAtOnce) {
  const Admission admission = Admit(300 * kUs);
  EXPECT_EQ(admission.at_ns, kStart);
  EXPECT_EQ(admission.until_ns, kStart + 300 * kUs);
  EXPECT_EQ(admission.held_ns, 0);
  EXPECT_FALSE(admission.fill);
  EXPECT_EQ(shared.in_flight_until.load(), kStart + 300 * kUs);
  EXPECT_EQ(host.sleeps, 0);
  // The others learn of it.
  EXPECT_EQ(Claimed().slot, own.index());
  EXPECT_GE(Claimed().until_ns, kStart + 300 * kUs);
}

TEST_F(GateTest, FitsTheGapAndClaimsIt) {
  HolderRuns(kStart, kStart + 500 * kUs);
  const Admission admission = Admit(144 * kUs);
  EXPECT_TRUE(admission.fill);
  EXPECT_EQ(admission.at_ns, kStart);
  EXPECT_EQ(admission.behind_ns, 0);
  EXPECT_EQ(Claimed().slot, own.index());
  EXPECT_EQ(Claimed().until_ns, kStart + 144 * kUs);  // a multiple of 64 ns
}

TEST_F(GateTest, FillStartsBehindTheHoldersKernel) {
  HolderRuns(kStart + 100 * kUs, kStart + 500 * kUs);
  const Admission admission = Admit(144 * kUs);
  EXPECT_TRUE(admission.fill);
  EXPECT_EQ(admission.at_ns, kStart) << "submitted now, runs later: the device is a queue";
  EXPECT_EQ(admission.until_ns, kStart + 244 * kUs);
  EXPECT_EQ(admission.behind_ns, 100 * kUs);
}

// A client in whose long gap one may have 1 ms in flight; what its equals allow is not asked.
TEST_F(GateTest, AsMuchIsInFlightAsThoseAboveAllow) {
  HolderRuns(kStart, kStart + 80 * kMs);
  holder.slot().allowed_in_flight_us.store(1000);
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(Admit(200 * kUs).until_ns, kStart + 200 * i * kUs);
  EXPECT_EQ(host.sleeps, 0);
  holder.slot().allowed_in_flight_us.store(0);
  EXPECT_EQ(Admit(200 * kUs).held_for, policy::Reason::kInFlight);
  EXPECT_EQ(host.now, kStart + 1000 * kUs);
}

TEST_F(GateTest, OtherStreamsGoOnBesideALongKernelWhichStaysClaimed) {
  HolderRuns(kStart, kStart + 80 * kMs);
  holder.slot().allowed_in_flight_us.store(200);
  LaneWriter lane = own.writer();
  gate.Admit(&watch, &lane, {.length_ns = 5 * kMs, .stream = 1}, &shared);
  const Admission beside = gate.Admit(&watch, &lane, {.length_ns = 100 * kUs, .stream = 2}, &shared);
  EXPECT_EQ(beside.at_ns, kStart);
  EXPECT_EQ(shared.beside_until.load(), kStart + 100 * kUs);
  EXPECT_EQ(shared.in_flight_until.load(), kStart + 5 * kMs);
  EXPECT_EQ(Claimed().until_ns, kStart + 5 * kMs);
}

TEST_F(GateTest, ExactlyTheGapFitsOneMoreNanosecondDoesNot) {
  HolderRuns(kStart, kStart + 500 * kUs);
  host.on_sleep = [this] { holder.Leave(); };
  EXPECT_TRUE(Admit(500 * kUs).fill);
  shared.in_flight_until.store(0);
  own.board().header().fill_until.store(0);
  const Admission longer = Admit(500 * kUs + 1);
  EXPECT_FALSE(longer.fill);
  EXPECT_EQ(longer.held_for, policy::Reason::kNoGap);
}

TEST_F(GateTest, HeldUntilTheHolderIsIdle) {
  HolderRuns(kStart, 0);  // nothing foretold: no gap
  const Admission admission = Admit(100 * kUs);
  EXPECT_FALSE(admission.fill);
  EXPECT_EQ(admission.held_for, policy::Reason::kNoGap);
  EXPECT_GE(admission.at_ns, kStart + 20 * kMs);  // idle_after
  EXPECT_LE(admission.at_ns, kStart + 23 * kMs);  // looks again after an eighth of the silence
  EXPECT_EQ(admission.held_ns, admission.at_ns - kStart);
}

// The next predicted chance is slept for, not polled for: the gap behind the holder's kernel, then the one
// after its next submit.
TEST_F(GateTest, WakesForTheNextChance) {
  HolderRuns(kStart + 100 * kUs, kStart + 150 * kUs);
  std::vector<std::int64_t> woke;
  host.on_sleep = [&] {
    woke.push_back(host.now - kStart);
    if (woke.size() == 2) HolderRuns(host.now + 185 * kUs, host.now + 685 * kUs);
  };
  const Admission admission = Admit(144 * kUs);
  EXPECT_EQ(woke, (std::vector<std::int64_t>{100 * kUs, 150 * kUs}));
  EXPECT_TRUE(admission.fill);
  EXPECT_EQ(admission.until_ns, kStart + (150 + 185 + 144) * kUs);
}

TEST_F(GateTest, SlackCountsWhereGapsDoNot) {
  HolderRuns(kStart + 50 * kUs, kStart + 60 * kUs, kStart + 300 * kUs);
  EXPECT_TRUE(Admit(200 * kUs).fill);
  shared.in_flight_until.store(0);
  own.board().header().fill_until.store(0);
  SetPolicy(model::PolicyId::kFikit);
  host.on_sleep = [this] { holder.Leave(); };
  EXPECT_FALSE(Admit(200 * kUs).fill) << "fikit knows gaps alone";
}

TEST_F(GateTest, TooLateAfterTheClaimGivesItUp) {
  HolderRuns(kStart, kStart + 500 * kUs);
  const std::uint64_t before = board::PackFill({other.index(), 7, kStart - kMs});
  own.board().header().fill_until.store(before);
  std::uint64_t after_giving_up = 0;
  // The second look is the one after the claim: this thread was away for 400 us.
  host.on_look = [this](int look) {
    if (look == 2) host.now += 400 * kUs;
  };
  host.on_sleep = [&] {
    if (after_giving_up == 0) after_giving_up = own.board().header().fill_until.load();
    holder.Leave();
  };
  const Admission admission = Admit(144 * kUs);
  EXPECT_EQ(admission.claims_lost, 1U);
  EXPECT_FALSE(admission.fill);
  EXPECT_EQ(after_giving_up, before) << "what stood there before the claim stands again";
}

// The thread was away for 100 us between claim and second look, and what it submits still fits.
TEST_F(GateTest, LateButInTimeMovesTheClaim) {
  HolderRuns(kStart, kStart + 500 * kUs);
  host.on_look = [this](int look) {
    if (look == 2) host.now += 100 * kUs;
  };
  const Admission admission = Admit(144 * kUs);
  EXPECT_TRUE(admission.fill);
  EXPECT_EQ(admission.until_ns, kStart + 244 * kUs);
  EXPECT_NEAR(static_cast<double>(Claimed().until_ns - kStart), 244 * kUs, 64);
}

TEST_F(GateTest, LateWithAnotherBehindItDecidesAnew) {
  HolderRuns(kStart, kStart + 500 * kUs);
  host.on_look = [this](int look) {
    if (look != 2) return;
    host.now += 100 * kUs;
    own.board().header().fill_until.store(board::PackFill({other.index(), 9, kStart + 192 * kUs}));
  };
  const Admission admission = Admit(144 * kUs);
  EXPECT_TRUE(admission.fill);
  EXPECT_EQ(admission.claims_lost, 1U);
  EXPECT_EQ(admission.until_ns, kStart + (192 + 144) * kUs) << "behind the other's fill";
}

TEST_F(GateTest, ClaimOfAnotherIsWaitedFor) {
  HolderRuns(kStart, kStart + 500 * kUs);
  own.board().header().fill_until.store(board::PackFill({other.index(), 1, kStart + 256 * kUs}));
  const Admission admission = Admit(144 * kUs);
  EXPECT_TRUE(admission.fill);
  EXPECT_EQ(admission.until_ns, kStart + (256 + 144) * kUs) << "behind the other's fill";
  shared.in_flight_until.store(0);
  own.board().header().fill_until.store(board::PackFill({other.index(), 1, kStart + 384 * kUs}));
  host.on_sleep = [this] { holder.Leave(); };
  EXPECT_FALSE(Admit(144 * kUs).fill) << "nothing left of the gap behind the other's fill";
}

// BestPrioFit: the other waiting filler is of higher priority, or longer, and fits.
TEST_F(GateTest, BetterPlacedWaiterGoesFirst) {
  struct Case {
    const char* name;
    std::uint32_t priority;
    std::int64_t length, wake_at;
    bool first;  // the other goes first
  };
  const Case cases[] = {
      {"longer", 5, 300 * kUs, kStart, true},
      {"shorter", 5, 100 * kUs, kStart, false},
      {"as long", 5, 144 * kUs, kStart, false},
      {"higher, shorter", 4, 100 * kUs, kStart, true},
      {"lower, longer", 6, 300 * kUs, kStart, false},
      {"longer than the gap", 5, 501 * kUs, kStart, false},
      {"higher, longer than the gap", 4, 501 * kUs, kStart, false},
      {"longer, overdue by 50 us", 5, 300 * kUs, kStart - 50 * kUs, true},
      {"longer, overdue by more", 5, 300 * kUs, kStart - 51 * kUs, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    host.now = kStart;
    host.on_sleep = nullptr;
    shared.in_flight_until.store(0);
    own.board().header().fill_until.store(0);
    HolderRuns(kStart, kStart + 500 * kUs);
    other.slot().priority.store(c.priority);
    other.board().Bump();
    LaneWriter lane = other.writer();
    lane.Publish(board::kLaneRunning, kStart, {});
    lane.PublishPending(c.length, c.wake_at);
    host.on_sleep = [&] { lane.Clear(); };  // it went
    const Admission admission = Admit(144 * kUs);
    EXPECT_TRUE(admission.fill);
    const auto expected = c.first ? policy::Reason::kBetterPlaced : policy::Reason::kNobodyAbove;
    EXPECT_EQ(admission.held_for, expected);
  }
}

TEST_F(GateTest, InFlightWorkIsBounded) {
  HolderRuns(kStart, kStart + 5 * kMs);
  host.on_sleep = [this] { HolderRuns(host.now, host.now + 5 * kMs); };
  // Two of 90 us fit the bound of 200 us; the third waits until 20 us less are in flight … then 90 fit again.
  EXPECT_EQ(Admit(90 * kUs).held_ns, 0);
  EXPECT_EQ(Admit(90 * kUs).held_ns, 0);
  const Admission third = Admit(90 * kUs);
  EXPECT_EQ(third.held_for, policy::Reason::kInFlight);
  EXPECT_EQ(third.at_ns, kStart + 70 * kUs);  // 180 + 90 - 200
  EXPECT_TRUE(third.fill);
  // Longer than the bound: only once nothing of one's own is in flight.
  const std::int64_t until = shared.in_flight_until.load();
  const Admission long_one = Admit(300 * kUs);
  EXPECT_EQ(long_one.at_ns, until);
  // Unknown: likewise, and sampled.
  const Admission unknown = Admit(0);
  EXPECT_EQ(unknown.at_ns, until + 300 * kUs);
}

TEST_F(GateTest, InFlightWorkIsATimeNotAnEvent) {
  // Whatever this process said about its work in flight, time alone brings it to zero.
  shared.in_flight_until.store(kStart + 150 * kMs);
  const Admission admission = Admit(100 * kUs);
  EXPECT_LE(admission.at_ns, kStart + 150 * kMs);
  EXPECT_GE(admission.at_ns, kStart + 140 * kMs);
}

TEST_F(GateTest, OffReleasesASleeper) {
  HolderRuns(kStart, 0);
  host.on_sleep = [this] {
    own.board().header().off.store(1);
    own.board().Bump();
  };
  const Admission admission = Admit(10 * kMs);
  EXPECT_EQ(host.sleeps, 1);
  EXPECT_FALSE(admission.fill);
}

TEST_F(GateTest, LostBoardReleasesASleeper) {
  HolderRuns(kStart, 0);
  host.on_sleep = [this] { own.board().header().magic.store(0); };
  Admit(10 * kMs);
  EXPECT_EQ(host.sleeps, 1);
}

TEST_F(GateTest, BoardOfZerosReleasesASleeper) {
  HolderRuns(kStart, 0);
  host.on_sleep = [this] {
    // As after a truncation: the guard puts zeros in the pages' place.
    auto& header = own.board().header();
    header.magic.store(0);
    header.active.store(0);
    header.version.store(0);
    header.policy.store(0);
  };
  Admit(10 * kMs);
  EXPECT_EQ(host.sleeps, 1);
}

TEST_F(GateTest, LeavingHolderReleasesASleeper) {
  HolderRuns(kStart, 0);
  host.on_sleep = [this] { holder.Leave(); };
  const Admission admission = Admit(10 * kMs);
  EXPECT_EQ(host.sleeps, 1);
  EXPECT_FALSE(admission.fill);
}

TEST_F(GateTest, NewPriorityCountsAtOnce) {
  HolderRuns(kStart, 0);
  host.on_sleep = [this] {
    own.slot().priority.store(0);  // mortar set own --priority 0
    own.board().Bump();
  };
  Admit(10 * kMs);
  EXPECT_EQ(host.sleeps, 1);
}

// Who is held looks again and again whether those above still live, and need not wait until they are
// forgotten.
TEST_F(GateTest, HeldForLongLooksForTheDead) {
  HolderRuns(host.now + 9'000 * kMs, host.now + 9'000 * kMs);
  int looked = 0;
  host.on_held_long = [&] {
    if (++looked < 3) return;
    board::ClearSlot(own.board().header(), holder.slot(), holder.index());
    own.board().Bump();
  };
  const Admission admission = Admit(kMs);
  EXPECT_EQ(looked, 3);
  EXPECT_GE(admission.held_ns, 3 * Gate::Host::kHeldLongNs);
  EXPECT_LT(admission.held_ns, 4 * Gate::Host::kHeldLongNs) << "the standstill is 100 ms";
}

// Whatever a stopped, dying or dead holder left on its lane loses its force within the standstill (100 ms).
TEST_F(GateTest, EverythingOfASilentHolderExpires) {
  using Leave = std::function<void()>;
  const auto far = [this] { return host.now + 9'000 * kMs; };
  const std::pair<const char*, Leave> left_behind[] = {
      {"a kernel of nine seconds", [&] { HolderRuns(far(), far()); }},
      {"a wait that never returned",
       [&] {
         HolderRuns(host.now + 100 * kUs, host.now + kMs);
         holder.writer().PublishWaiting(host.now);
       }},
      {"a wait with everything far ahead",
       [&] {
         HolderRuns(far(), far(), far());
         holder.writer().PublishWaiting(host.now);
       }},
      {"held at the gate",
       [&] {
         HolderRuns(0, 0);
         holder.writer().PublishPending(10 * kMs, host.now + 100 * kUs);
       }},
      {"a line half written",
       [&] {
         HolderRuns(far(), far());
         holder.slot().lanes[0].sequence.fetch_or(1);
       }},
      {"all bits set",
       [&] {
         board::Lane& lane = holder.slot().lanes[0];
         lane.flags.store(~0U);
         for (auto* field : {&lane.busy_until_ns, &lane.next_submit_ns, &lane.latest_free_ns,
                             &lane.last_activity_ns, &lane.pending_length_ns, &lane.wake_at_ns}) {
           field->store(-1);
         }
       }},
      {"the largest numbers",
       [&] {
         board::Lane& lane = holder.slot().lanes[0];
         lane.flags.store(board::kLaneRunning);
         for (auto* field : {&lane.busy_until_ns, &lane.next_submit_ns, &lane.latest_free_ns,
                             &lane.last_activity_ns, &lane.pending_length_ns, &lane.wake_at_ns}) {
           field->store(std::numeric_limits<std::int64_t>::max());
         }
         holder.slot().idle_after_ns.store(std::numeric_limits<std::int64_t>::max());
       }},
      {"a request with fills withheld",
       [&] {
         holder.writer().Publish(board::kLaneRunning, host.now,
                                 {.busy_until_ns = far(), .next_submit_ns = far(), .withheld = true});
       }},
      {"idle only after an hour",
       [&] {
         HolderRuns(host.now, 0);
         holder.slot().idle_after_ns.store(3'600'000 * kMs);
       }},
  };
  for (const auto& [name, leave] : left_behind) {
    for (const auto id : model::kPolicies) {
      SCOPED_TRACE(std::string(name) + ", " + std::string(model::PolicyName(id)));
      SetPolicy(id);
      host.now += 1000 * kMs;
      host.sleeps = 0;
      shared.in_flight_until.store(0);
      own.board().header().fill_until.store(0);
      holder.slot().idle_after_ns.store(20 * kMs);
      leave();
      const Admission admission = Admit(10 * kMs);
      EXPECT_LE(admission.held_ns, 125 * kMs);  // standstill, looked at again after an eighth of it
      holder.slot().lanes[0].sequence.store(0);
      holder.writer().Clear();
    }
  }
}

TEST_F(GateTest, OwnClaimIsDrawnBackOthersAreNot) {
  Admit(300 * kUs);
  gate.DrawBack(kStart + 64 * kUs);
  EXPECT_EQ(Claimed().until_ns, kStart + 64 * kUs);
  EXPECT_EQ(Claimed().slot, own.index());
  gate.DrawBack(kStart + 100 * kUs);
  EXPECT_EQ(Claimed().until_ns, kStart + 64 * kUs) << "it is never put off";
  const std::uint64_t others = board::PackFill({other.index(), 9, kStart + 300 * kUs});
  own.board().header().fill_until.store(others);
  gate.DrawBack(kStart);
  EXPECT_EQ(own.board().header().fill_until.load(), others);
}

// A claim that a dead filler left behind, or bytes that never were one, must not stop the others.
TEST_F(GateTest, ClaimsExpire) {
  const std::int64_t ahead[] = {-kMs, 0, kMs, 50 * kMs, 99 * kMs, 1'000 * kMs, 9'000 * kMs, 20'000 * kMs};
  for (const bool holder_active : {false, true}) {
    for (const std::int64_t ns : ahead) {
      SCOPED_TRACE(std::to_string(ns / kMs) + " ms ahead" + (holder_active ? ", holder active" : ""));
      host.now += 30'000 * kMs;
      host.sleeps = 0;
      shared.in_flight_until.store(0);
      own.board().header().fill_until.store(board::PackFill({other.index(), 3, host.now + ns}));
      if (holder_active) HolderRuns(host.now, 0);
      EXPECT_LE(Admit(100 * kUs).held_ns, 125 * kMs);
      EXPECT_LE(Admit(100 * kUs).held_ns, 125 * kMs) << "the next one is not held by the first one's shadow";
      holder.writer().Clear();
    }
  }
}

// Stopped at the gate for a second, it would have an equal wait until it has made up for what it did not get.
TEST_F(GateTest, AStopAtTheGateBringsTurnsLevel) {
  HolderRuns(host.now, host.now + 10 * kUs);
  host.on_sleep = [&] { host.now += 1000 * kMs; };
  Admit(10 * kMs);
  EXPECT_EQ(host.overslept, 1);
  host.on_sleep = nullptr;
  HolderRuns(host.now, host.now + 10 * kUs);
  Admit(10 * kMs);
  EXPECT_EQ(host.overslept, 1);
}

}  // namespace
}  // namespace mortar::client
