// One table of situations over every policy.
#include "policy/policy.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "policy/floor.h"

namespace mortar::policy {
namespace {

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kNow = 1'000'000 * kUs;

struct Case {
  const char* name;
  std::function<void(View&, Ask&)> arrange;
  // Expected action for share, exclusive, priority, fikit, fill.
  Action expected[5];
};

constexpr Action G = Action::kGo;
constexpr Action F = Action::kFill;
constexpr Action W = Action::kWait;

Peer Holder() {
  return {.slot = 0,
          .priority = 0,
          .last_activity_ns = kNow - 10 * kUs,
          .busy_until_ns = kNow - 10 * kUs,
          .next_submit_ns = kNow + 500 * kUs};
}

// Another filler, held at the gate with a submit of `length_ns`.
Peer Gated(std::int64_t length_ns) {
  return {.slot = 1,
          .priority = 5,
          .doing = Doing::kGated,
          .last_activity_ns = kNow - 10 * kUs,
          .pending_length_ns = length_ns,
          .wake_at_ns = kNow + 1};
}

// Asks for 10 ms where the gap is 100 us, with a floor of 10 % that is due.
void NeverFits(View& view, Ask& ask) {
  view.peers[0].next_submit_ns = kNow + 100 * kUs;
  ask.length_ns = 10'000 * kUs;
  ask.floor_share_ppm = 100'000;
  ask.floor_due_ns = ask.waiting_since_ns = kNow;
}

const Case kCases[] = {
    {"alone", [](View& v, Ask&) { v.count = 0; }, {G, G, G, G, G}},
    {"holder in a gap that fits", [](View&, Ask&) {}, {G, W, F, F, F}},
    {"gap too short", [](View& v, Ask&) { v.peers[0].next_submit_ns = kNow + 100 * kUs; }, {G, W, F, W, W}},
    {"gap too short, but slack",
     [](View& v, Ask&) {
       v.peers[0].next_submit_ns = kNow + 100 * kUs;
       v.peers[0].latest_free_ns = kNow + 400 * kUs;
     },
     {G, W, F, W, F}},
    {"a copy beside kernels, longer than the gap",
     [](View& v, Ask& ask) {
       v.peers[0].next_submit_ns = kNow + 10 * kUs;
       ask.copies = model::CopiesOf(model::Engine::kCopyIn);
     },
     {G, W, F, W, G}},
    {"holder on the device, gap behind it fits",
     [](View& v, Ask&) {
       v.peers[0].busy_until_ns = kNow + 100 * kUs;
       v.peers[0].next_submit_ns = kNow + 600 * kUs;
     },
     {G, W, W, F, F}},
    {"holder on the device, no gap behind it",
     [](View& v, Ask&) {
       v.peers[0].busy_until_ns = kNow + 100 * kUs;
       v.peers[0].next_submit_ns = kNow + 110 * kUs;
     },
     {G, W, W, W, W}},
    {"holder waits beyond its prediction",
     [](View& v, Ask&) {
       v.peers[0].doing = Doing::kWaiting;
       v.peers[0].next_submit_ns = kNow + 50 * kUs;
     },
     {G, W, W, W, W}},
    {"holder idle for long",
     [](View& v, Ask&) {
       v.peers[0].last_activity_ns = kNow - 60'000 * kUs;
       v.peers[0].busy_until_ns = 0;
     },
     {G, G, G, G, G}},
    {"holder stands still with work claimed",
     [](View& v, Ask&) {
       v.peers[0].last_activity_ns = kNow - 100'000 * kUs;
       v.peers[0].busy_until_ns = kNow + 5'000'000 * kUs;
     },
     {G, G, G, G, G}},
    {"holder held by Mortar itself",
     [](View& v, Ask&) { v.peers[0].doing = Doing::kGated; },
     {G, G, G, G, G}},
    {"only a lower client active", [](View& v, Ask&) { v.peers[0].priority = 9; }, {G, G, G, G, G}},
    {"own work in flight reaches the bound, nobody above",
     [](View& v, Ask& a) {
       v.count = 0;
       a.own_until_ns = kNow + 150 * kUs;
     },
     {G, W, W, W, W}},
    {"own work in flight reaches the bound, gap fits",
     [](View& v, Ask& a) {
       v.peers[0].next_submit_ns = kNow + 900 * kUs;
       a.own_until_ns = kNow + 150 * kUs;
     },
     {G, W, W, F, W}},
    {"length unknown, assumed length fits",
     [](View&, Ask& a) {
       a.length_ns = 0;
       a.assumed_length_ns = 100 * kUs;
     },
     {G, W, F, W, F}},
    {"switched off",
     [](View& v, Ask&) {
       v.settings.off = true;
       v.peers[0].next_submit_ns = 0;
     },
     {G, G, G, G, G}},
    {"gap outlived its prediction, such gaps last longer",
     [](View& v, Ask&) {
       v.peers[0].next_submit_ns = kNow - 5 * kUs;
       v.peers[0].foretold_gap_ns = 800 * kUs;
     },
     {G, W, F, W, F}},
    {"gap outlived its prediction, nothing is known of such gaps",
     [](View& v, Ask&) { v.peers[0].next_submit_ns = kNow - 5 * kUs; },
     {G, W, F, W, W}},
    {"one of equal priority and longer waits",
     [](View& v, Ask&) {
       v.count = 2;
       v.peers[1] = Gated(150 * kUs);
     },
     {G, W, F, W, W}},
    {"one of equal priority and length waits",
     [](View& v, Ask&) {
       v.count = 2;
       v.peers[1] = Gated(144 * kUs);
     },
     {G, W, F, F, F}},
    {"one of equal priority waits that is too long for the gap",
     [](View& v, Ask&) {
       v.count = 2;
       v.peers[1] = Gated(900 * kUs);
     },
     {G, W, F, F, F}},
    {"one that is longer waited, and is overdue",
     [](View& v, Ask&) {
       v.count = 2;
       v.peers[1] = Gated(150 * kUs);
       v.peers[1].wake_at_ns = kNow - kOverdueNs - 1;
     },
     {G, W, F, F, F}},
    {"holder active for another 40 ms",
     [](View& v, Ask&) {
       v.peers[0].idle_after_ns = 40'000 * kUs;
       v.peers[0].next_submit_ns = 0;
     },
     {G, W, F, W, W}},
    {"control request", [](View& v, Ask&) { v.peers[0].withheld = true; }, {G, W, F, W, W}},
    // --min-share: a kernel longer than every gap, its client below its floor. The device idles before a
    // submit that is foretold to come soon; `exclusive` keeps no floor, `share` needs none.
    {"no floor",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       a.floor_share_ppm = 0;
     },
     {G, W, F, W, W}},
    {"floor due", [](View& v, Ask& a) { NeverFits(v, a); }, {G, W, F, F, F}},
    {"floor due in 1 us",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       a.floor_due_ns = kNow + kUs;
     },
     {G, W, F, W, W}},
    {"floor due, harm used up",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].spent = true;
     },
     {G, W, F, W, W}},
    {"floor due, harm used up, floor first",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].spent = a.floor_first = true;
     },
     {G, W, F, F, F}},
    {"floor due, harm of one who is not active used up",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.count = 2;
       v.peers[1] = {.slot = 1, .priority = 0, .spent = true};
     },
     {G, W, F, F, F}},
    {"floor due, holder on the device",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].busy_until_ns = kNow + 50 * kUs;
     },
     {G, W, W, W, W}},
    {"floor due, holder on the device, no better place for long",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].busy_until_ns = kNow + 50 * kUs;
       a.floor_due_ns = a.waiting_since_ns = kNow - kFloorPatienceNs;
     },
     {G, W, F, F, F}},
    {"floor due, larger gaps were seen",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       a.floor_room_ns = 201 * kUs;
     },
     {G, W, F, W, W}},
    {"floor due in one of the larger gaps",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       a.floor_room_ns = 200 * kUs;
     },
     {G, W, F, F, F}},
    {"floor due, another's fill on the device",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.fill_until_ns = kNow + 100 * kUs;
     },
     {G, W, F, W, W}},
    {"floor due, own work in flight",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       a.own_until_ns = kNow + 1;
     },
     {G, W, W, W, W}},
    {"floor due, control request",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].withheld = a.floor_first = true;
     },
     {G, W, F, W, W}},
    {"floor first and overdue, control request",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].withheld = a.floor_first = true;
       a.floor_due_ns = kNow - kFloorWindowNs - 1;
     },
     {G, W, F, F, F}},
    {"floor overdue, control request",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       v.peers[0].withheld = true;
       a.floor_due_ns = kNow - kFloorWindowNs - 1;
     },
     {G, W, F, W, W}},
    {"floor due, length unknown",
     [](View& v, Ask& a) {
       NeverFits(v, a);
       a.length_ns = 0;
       a.assumed_length_ns = 200 * kUs;
     },
     {G, W, F, F, F}},
};

TEST(PolicyTest, EveryCaseUnderEveryPolicy) {
  for (const Case& c : kCases) {
    for (std::size_t p = 0; p < 5; ++p) {
      View view;
      view.now_ns = kNow;
      view.count = 1;
      view.peers[0] = Holder();
      view.settings.policy = model::kPolicies[p];
      Ask ask{.priority = 5, .length_ns = 144 * kUs};
      c.arrange(view, ask);
      const Verdict verdict = Decide(view, ask);
      EXPECT_EQ(static_cast<int>(verdict.action), static_cast<int>(c.expected[p]))
          << c.name << ", " << model::PolicyName(view.settings.policy) << ": " << ReasonName(verdict.reason);
      if (verdict.action == Action::kWait) {
        EXPECT_GT(verdict.wake_at_ns, kNow) << c.name;
        EXPECT_LE(verdict.wake_at_ns, kNow + kLongestSleepNs) << c.name;
      }
    }
  }
}

TEST(PolicyTest, ExclusiveWaitsForTheLastOfThoseAbove) {
  for (const bool swapped : {false, true}) {
    View view;
    view.now_ns = kNow;
    view.count = 2;
    view.settings.policy = model::PolicyId::kExclusive;
    view.peers[swapped ? 1 : 0] = Holder();
    view.peers[swapped ? 0 : 1] = Holder();
    view.peers[0].last_activity_ns = view.peers[0].busy_until_ns = kNow - 3'000 * kUs;
    // Active for 5 ms from their last sign of life: the later one counts.
    EXPECT_EQ(Decide(view, {.priority = 5, .length_ns = 144 * kUs}).wake_at_ns, kNow + 4'990 * kUs);
  }
}

TEST(PolicyTest, UnknownPolicyNumberFailsOpen) {
  View view;
  view.now_ns = kNow;
  view.count = 1;
  view.peers[0] = Holder();
  view.settings.policy = static_cast<model::PolicyId>(77);
  EXPECT_EQ(Decide(view, {.priority = 5, .length_ns = 10'000'000'000}).action, Action::kGo);
}

TEST(PolicyTest, MiddlePriorityIsHolderForLowerAndFillerForHigher) {
  View view;
  view.now_ns = kNow;
  view.count = 1;
  view.peers[0] = Holder();
  view.peers[0].priority = 3;
  view.peers[0].next_submit_ns = kNow + 10 * kUs;
  EXPECT_EQ(Decide(view, {.priority = 2, .length_ns = 144 * kUs}).action, Action::kGo);
  EXPECT_EQ(Decide(view, {.priority = 4, .length_ns = 144 * kUs}).action, Action::kWait);
}

}  // namespace
}  // namespace mortar::policy
