// Claims on `fill_until`: two fillers below a holder, the policy's own decisions, a clock that moves at any
// point.
#include "client/claims.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "policy/policy.h"
#include "protocol/virtual_memory.h"

namespace mortar::interleaving {
namespace {

constexpr std::int64_t kTick =
    64 * 1600;  // 102.4 us: what the word holds exactly, and far above Claims::kDriftNs
constexpr std::int64_t kStart = 1'000 * kTick;
constexpr int kFillers = 2;
constexpr std::int64_t kLength = 2 * kTick;

enum class Bug { kNone, kNoRecheck, kNoMove, kDrawBackAnybodys };

struct Setting {
  std::int64_t wanted = 4;  // ticks from the start to the holder's next submit
  std::int64_t ticks = 5;   // for which the clock runs
  int looks = 3;            // after which a filler gives up
  Bug bug = Bug::kNone;
  Fault fault = Fault::kNone;
};

// The word; with a bug, whoever changes it goes wrong in that way.
struct Word {
  explicit Word(Bug planted) : bug(planted) {}
  std::uint64_t load(std::memory_order order) const { return atom.load(order); }
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired) {
    const board::FillWord from = board::UnpackFill(expected);
    const board::FillWord to = board::UnpackFill(desired);
    const bool same_claim = from.slot == to.slot && from.sequence == to.sequence;
    if (bug == Bug::kNoMove && same_claim && to.until_ns > from.until_ns) return true;
    return atom.compare_exchange_strong(expected, desired);
  }
  Bug bug;
  VirtualAtomic<std::uint64_t> atom;
};

struct World {
  explicit World(Bug bug) : fill(bug) {}
  Word fill;
  Ghost<std::int64_t> now{kStart};
  Ghost<std::int64_t> begins[kFillers], ends[kFillers];  // of the newest fill that each was admitted for
};

// What a filler in slot `me` sees: the holder in its gap, itself nowhere.
policy::View ViewAt(std::int64_t now, std::uint64_t word, int me, std::int64_t wanted) {
  policy::View view;
  view.now_ns = now;
  view.settings.in_flight_bound_ns = 1'000 * kTick;
  const board::FillWord fill = board::UnpackFill(word);
  view.fill_until_ns = fill.slot != me ? policy::CheckedClaim(fill.until_ns, now) : 0;
  view.count = 1;
  policy::Peer& holder = view.peers[0];
  holder.slot = 5;
  holder.priority = 0;
  holder.last_activity_ns = kStart;
  holder.idle_after_ns = 50'000'000;
  holder.next_submit_ns = kStart + wanted * kTick;
  return view;
}

// By the clock as it stood when the filler decided for the last time, whatever it made of it.
void Admitted(World& world, int me, const policy::Verdict& verdict, std::int64_t decided,
              const Setting& setting) {
  Explorer& explorer = Explorer::Current();
  const std::int64_t begin = std::max(verdict.until_ns - kLength, decided);
  const std::int64_t end = begin + kLength;
  explorer.Check(end <= kStart + setting.wanted * kTick, "a fill ends after the holder wants the device");
  const std::int64_t other_begin = world.begins[1 - me].Get();
  const std::int64_t other_end = world.ends[1 - me].Get();
  explorer.Check(other_end == 0 || other_end <= begin || end <= other_begin, "two fills overlap");
  world.begins[me].Set(begin);
  world.ends[me].Set(end);
}

// A wait told that the fill ended at `ran`.
void DrawBack(World& world, client::Claims<Word>& claims, int me, std::int64_t ran, const Setting& setting) {
  world.ends[me].Set(ran);
  if (setting.bug == Bug::kDrawBackAnybodys) {
    std::uint64_t standing = world.fill.load(std::memory_order_acquire);
    board::FillWord claim = board::UnpackFill(standing);
    claim.until_ns = std::min(claim.until_ns, ran);
    world.fill.compare_exchange_strong(standing, board::PackFill(claim));
  } else {
    claims.DrawBack(ran);
  }
  const board::FillWord newest = board::UnpackFill(world.fill.atom.Newest());
  Explorer::Current().Check(newest.slot == me || newest.until_ns >= world.ends[1 - me].Get(),
                            "another's claim was drawn back");
}

// As Gate::Admit, with one policy and a clock of the test's.
void Filler(World& world, int me, const Setting& setting) {
  Explorer& explorer = Explorer::Current();
  client::Claims<Word> claims(world.fill, me);
  std::int64_t first = 0;   // reading of this look
  std::int64_t newest = 0;  // reading
  const auto clock = [&] {
    explorer.Step("clock");
    newest = world.now.Get();
    return setting.bug == Bug::kNoRecheck && first != 0 ? first : newest;
  };
  for (int look = 0; look < setting.looks; ++look) {
    first = 0;
    std::int64_t now = first = clock();
    const std::uint64_t seen = world.fill.load(std::memory_order_acquire);
    policy::View view = ViewAt(now, seen, me, setting.wanted);
    const policy::Ask ask{.priority = 5, .length_ns = kLength, .assumed_length_ns = kLength};
    policy::Verdict verdict = policy::Decide(view, ask);
    if (verdict.action == policy::Action::kWait) return;  // too late for this gap
    const client::Tried tried = claims.TryFill(seen, &verdict, &now, clock, [&](std::int64_t later) {
      view.now_ns = later;
      return policy::Decide(view, ask);
    });
    if (tried != client::Tried::kFilled) continue;
    Admitted(world, me, verdict, newest, setting);
    const std::int64_t end = world.ends[me].Get();
    if (explorer.Choose(2) == 0) return;
    const std::int64_t ran = clock();
    if (ran < end && ran > end - kLength) DrawBack(world, claims, me, ran, setting);
    return;
  }
}

Outcome TwoFillers(const Setting& setting) {
  Explorer explorer(setting.fault);
  return explorer.Explore(
      [=](Explorer& explored) {
        auto& world = explored.Make<World>(setting.bug);
        explored.Start([&world, setting] {
          for (int i = 0; i < setting.ticks; ++i) {
            Explorer::Current().Step("tick");
            world.now.Set(world.now.Peek() + kTick);
          }
        });
        explored.Start([&world, setting] { Filler(world, 0, setting); });
        explored.Start([&world, setting] { Filler(world, 1, setting); });
      },
      1'000'000);
}

TEST(ClaimInterleavingTest, FillsNeverOverlapNorOutlastTheGap) {
  const Outcome outcome = TwoFillers({});
  EXPECT_TRUE(outcome.Holds()) << outcome.violation;
  RecordProperty("states", static_cast<int>(outcome.states));
}

TEST(ClaimInterleavingTest, PlantedBugsAreFound) {
  for (const Bug bug : {Bug::kNoRecheck, Bug::kNoMove, Bug::kDrawBackAnybodys}) {
    const Outcome outcome = TwoFillers({.wanted = bug == Bug::kNoMove ? 6 : 4, .bug = bug});
    EXPECT_FALSE(outcome.violation.empty())
        << "bug " << static_cast<int>(bug) << " is not found in " << outcome.states << " states";
  }
}

TEST(ClaimInterleavingTest, AnExchangeInTwoStepsIsFound) {
  const Outcome outcome = TwoFillers({.fault = Fault::kTornExchange});
  EXPECT_NE(outcome.violation.find("two fills overlap"), std::string::npos) << outcome.states << " states";
}

}  // namespace
}  // namespace mortar::interleaving
