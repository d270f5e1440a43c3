// What clients see of each other, and who at the gate looks again when one of them changes.
#include <algorithm>
#include <bit>

#include "policy/policy.h"
#include "policy/rule.h"
#include "sim/world.h"

namespace mortar::sim {
namespace {

// Calls `f` with each rank in the bitmap, in order.
template <typename F>
void ForEach(std::uint64_t ranks, F f) {
  for (; ranks != 0; ranks &= ranks - 1) f(static_cast<std::uint32_t>(std::countr_zero(ranks)));
}

std::int64_t Foretold(const predict::GapLadders& ladders, const policy::LaneNews& lane, Ns now) {
  const Ns lasted = policy::OutlivedFor(lane, now);
  const int rung = predict::GapLadders::RungOf(lasted);
  return rung < 0 ? 0 : Ns{ladders.length_us(lane.ladder, rung)} * 1000;
}

}  // namespace

// What others see of a client, kept up to date as it publishes. The view that policies decide from holds the
// clients by priority, the asker too: none of its equals' business counts against itself.
void World::UpdatePeer(std::uint32_t client) {
  const ClientData& c = clients_[client];
  policy::Peer& peer = view_.peers[c.rank];
  const std::uint64_t bit = std::uint64_t{1} << c.rank;
  ungated_ |= bit;
  obstacles_[c.rank].at = 0;
  peer = policy::Peer{};
  peer.slot = static_cast<int>(client);
  peer.priority = c.spec->priority;
  peer.idle_after_ns = std::clamp<Ns>(c.idle_after, 1'000'000, policy::kStandstillNs);
  peer.served_ns = c.served;
  const LaneState& lane = *c.lane;
  if (!lane.used || !policy::Counts(lane.news, now_)) return;
  const Ns foretold = Foretold(lane.predictor.ladders(), lane.news, now_);
  policy::MergeLane(lane.news, foretold, /*first=*/true, spec_.policy != Policy::kFikit, &peer);
  if (peer.doing == policy::Doing::kGated) ungated_ &= ~bit;
}

// What is foretold again of a client whose gap outlived its prediction changes as time goes by.
void World::Foretell(std::uint32_t rank, Ns now) {
  policy::Peer& peer = view_.peers[rank];
  const ClientData& c = clients_[by_rank_[rank]];
  if (peer.doing != policy::Doing::kRunning || peer.next_submit_ns > now) return;
  const LaneState& lane = *c.lane;
  peer.foretold_gap_ns = Foretold(lane.predictor.ladders(), lane.news, now);
}

// Several look at the same instant, at the same change: what they look at is worked out once. REQUIRES:
// view_.now_ns == now.
const policy::Obstacle& World::ObstacleOf(std::uint32_t rank, Ns now) {
  ObstacleAt& known = obstacles_[rank];
  if (known.at != now) {
    Foretell(rank, now);
    known = {now, policy::ObstacleOf(view_, view_.peers[rank])};
  }
  return known.obstacle;
}

// Those below `rank` may have as much in flight as the least that anybody above them allows.
void World::TellAllowed(std::uint32_t rank) {
  for (ClientData& c : clients_) {
    if ((c.above >> rank & 1U) == 0) continue;
    Ns least = INT64_MAX;
    ForEach(c.above, [&](std::uint32_t above) {
      least = std::min(least, clients_[by_rank_[above]].lane->allowed_in_flight);
    });
    c.allowed_in_flight = least;
  }
}

void World::LookAtClaim(std::uint32_t asker, Ns now) {
  view_.now_ns = now;
  const Claim& claim = ClaimNear(clients_[asker]);
  view_.fill_until_ns = claim.client != asker ? policy::CheckedClaim(claim.until, now) : 0;
}

// The one that ends last, of those on the client's devices.
const Claim& World::ClaimNear(const ClientData& c) const {
  const Claim* last = &claims_[c.first_device];
  for (std::uint32_t i = c.first_device + 1; i < c.devices_end; ++i) {
    if (claims_[i].until > last->until) last = &claims_[i];
  }
  return *last;
}

void World::MakeClaim(std::uint32_t client, Ns until, bool floor) {
  const ClientData& c = clients_[client];
  for (std::uint32_t i = c.first_device; i < c.devices_end; ++i) claims_[i] = {client, until, floor};
}

void World::DrawClaimBack(std::uint32_t client, Ns until) {
  const ClientData& c = clients_[client];
  for (std::uint32_t i = c.first_device; i < c.devices_end; ++i) {
    if (claims_[i].client != client || until >= claims_[i].until) continue;
    claims_[i].until = until;
    for (ThreadData* t : spinners_) t->excluder = kNone;
  }
}

// No policy asks about those of lower priority: they are left out.
const policy::View& World::BuildView(std::uint32_t asker, Ns now) {
  const ClientData& c = clients_[asker];
  LookAtClaim(asker, now);
  ForEach(c.above & ungated_, [&](std::uint32_t rank) { Foretell(rank, now); });
  policy::View& view = c.scattered ? scattered_ : view_;
  view.allowed_in_flight_ns = c.allowed_in_flight;
  view.count = static_cast<int>(c.seen.size());
  if (!c.scattered) return view;
  view.now_ns = view_.now_ns;
  view.fill_until_ns = view_.fill_until_ns;
  for (std::size_t i = 0; i < c.seen.size(); ++i) view.peers[i] = view_.peers[c.seen[i]];
  return view;
}

void World::Publish(ThreadData& t, policy::Doing doing, Ns now, const predict::Forecast& forecast) {
  policy::LaneNews& news = t.lane->news;
  t.lane->used = true;
  t.lane->last_activity = now;
  news.doing = doing;
  news.withheld = forecast.withheld;
  news.spent = forecast.spent;
  news.ladder = forecast.ladder;
  news.copies = forecast.copies;
  news.busy_until_ns = forecast.busy_until_ns;
  news.next_submit_ns = forecast.next_submit_ns;
  news.latest_free_ns = forecast.latest_free_ns;
  news.arrived_ns = std::max(news.arrived_ns, forecast.arrived_ns);
  news.last_activity_ns = now;
  Changed(t.client, now);
}

// Those who spin at the gate see the change, if it can matter to them: what clients below do never does; what
// equals do, where the turn is what is waited for; and where one client alone is in the way, only what that
// one does.
void World::Changed(std::uint32_t client, Ns now) {
  if (live_) UpdatePeer(client);
  const ClientData& changed = clients_[client];
  const int priority = changed.spec->priority;
  for (std::size_t i = spinners_.size(); i-- > 0;) {  // one that goes to sleep leaves its place to the last
    ThreadData& t = *spinners_[i];
    if (t.client == client) continue;
    const int own = t.ask.priority;
    if (own < priority || (own == priority && !t.waits_its_turn)) continue;
    if (t.excluder != kNone && t.excluder != changed.rank) continue;
    const ClientData& c = clients_[t.client];
    if (apart_ && !Near(c, changed)) continue;
    const Ns at = now + c.look_ns;
    if (t.excluder != kNone && StaysExcluded(t, at)) continue;
    if (events_->at(t.actor) > at) events_->Set(t.actor, at);
  }
}

void World::Hold(ThreadData& t, Ns now, Ns wake_at) {
  const bool spins = wake_at - now <= kSpinNs;
  if (spins && !t.spins) spinners_.push_back(&t);
  if (!spins && t.spins) StopSpinning(t);
  t.spins = spins;
  events_->Set(t.actor, spins ? wake_at : wake_at - kSpinNs);
}

void World::StopSpinning(ThreadData& t) {
  *std::find(spinners_.begin(), spinners_.end(), &t) = spinners_.back();
  spinners_.pop_back();
  t.spins = false;
}

void World::HoldRefused(ThreadData& t, Ns now, Ns wake_at) {
  policy::LaneNews& news = t.lane->news;
  news.wake_at_ns = wake_at;
  const ClientData& c = clients_[t.client];
  policy::Peer& peer = view_.peers[c.rank];
  if (peer.doing == policy::Doing::kGated && news.pending_length_ns == peer.pending_length_ns &&
      peer.served_ns == c.served) {
    peer.wake_at_ns = wake_at;  // held as before: nothing else can have changed
  } else {
    UpdatePeer(t.client);
  }
  Hold(t, now, wake_at);
}

// Looks are what runs of many clients spend their time on, and nearly all find what the last one found.
void World::FindExcluder(ThreadData& t, const policy::Verdict& verdict) {
  t.excluder = kNone;
  if (spec_.policy != Policy::kFill || t.ask.floor_share_ppm != 0 || t.ask.copies != 0) return;
  if (verdict.reason != policy::Reason::kNoGap && verdict.reason != policy::Reason::kWithheld) return;
  Ns longest = 0;
  ForEach(clients_[t.client].above & ungated_, [&](std::uint32_t rank) {
    const policy::Obstacle& peer = ObstacleOf(rank, view_.now_ns);
    if (!policy::Excludes(view_, t.ask, peer)) return;
    const Ns until = policy::LookAgainAt(view_, t.ask, peer);
    if (until <= longest) return;
    longest = until;
    t.excluder = rank;
  });
}

// As a look at `at` would find it. Where it is the only one above, all is as if it had been looked at.
bool World::StaysExcluded(ThreadData& t, Ns at) {
  LookAtClaim(t.client, at);
  t.ask.assumed_length_ns = policy::AssumedLength(at - t.held_since);
  const policy::Obstacle& peer = ObstacleOf(t.excluder, at);
  if (!policy::Excludes(view_, t.ask, peer)) {
    t.excluder = kNone;
    return false;
  }
  const Ns wake_at =
      std::clamp(policy::LookAgainAt(view_, t.ask, peer), at + 1, at + policy::kLongestSleepNs);
  if (clients_[t.client].one_above) {
    HoldRefused(t, at, wake_at);
  } else {
    events_->Set(t.actor, wake_at);
  }
  return true;
}

}  // namespace mortar::sim
