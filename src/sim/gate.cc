// Submits: under the live policies as client/gate.cc and client/lane.cc make them, from the same policy and
// prediction code; under the simulator's own as yardstick.h and below say.
#include <algorithm>
#include <bit>

#include "policy/floor.h"
#include "policy/policy.h"
#include "policy/rule.h"
#include "sim/world.h"

namespace mortar::sim {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::int64_t Foretold(const predict::GapLadders& ladders, const policy::LaneNews& lane, Ns now) {
  const Ns lasted = policy::OutlivedFor(lane, now);
  const int rung = predict::GapLadders::RungOf(lasted);
  return rung < 0 ? 0 : Ns{ladders.length_us(lane.ladder, rung)} * 1000;
}

}  // namespace

// What others see of a client, kept up to date as it publishes. The view that policies decide from holds all
// clients, the asker too: none of its equals' business counts against itself.
void World::UpdatePeer(std::uint32_t client) {
  const ClientData& c = clients_[client];
  policy::Peer& peer = view_.peers[client];
  peer = policy::Peer{};
  peer.slot = static_cast<int>(client);
  peer.priority = c.spec->priority;
  peer.idle_after_ns = std::clamp<Ns>(c.idle_after, 1'000'000, policy::kStandstillNs);
  peer.served_ns = c.served;
  bool first = true;
  for (const auto& lane : c.lanes) {
    if (!lane->used || !policy::Counts(lane->news, now_)) continue;
    const Ns foretold = Foretold(lane->predictor.ladders(), lane->news, now_);
    policy::MergeLane(lane->news, foretold, first, spec_.policy != Policy::kFikit, &peer);
    first = false;
  }
}

void World::BuildView(std::uint32_t asker, Ns now) {
  view_.now_ns = now;
  view_.fill_until_ns = fill_client_ != asker ? policy::CheckedClaim(fill_until_, now) : 0;
  const int priority = clients_[asker].spec->priority;
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    policy::Peer& peer = view_.peers[i];
    const ClientData& c = clients_[i];
    if (peer.priority >= priority || (c.lanes.size() == 1 && peer.next_submit_ns > now)) continue;
    if (c.lanes.size() > 1) {
      UpdatePeer(i);
    } else {
      const LaneState& lane = *c.lanes.front();
      peer.foretold_gap_ns = Foretold(lane.predictor.ladders(), lane.news, now);
    }
  }
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

// Those who spin at the gate see the change, if it can matter to them: what clients below do can only take
// from a chance, unless the turn is what is waited for.
void World::Changed(std::uint32_t client, Ns now) {
  if (live_) UpdatePeer(client);
  const int priority = clients_[client].spec->priority;
  for (const std::uint32_t number : spinners_) {
    const ThreadData& t = threads_[number];
    if (t.client == client) continue;
    if (clients_[t.client].spec->priority <= priority && !t.waits_its_turn) continue;
    if (events_->at(t.actor) > now + look_ns_) events_->Set(t.actor, now + look_ns_);
  }
}

void World::Hold(ThreadData& t, Ns now, Ns wake_at) {
  const auto number = static_cast<std::uint32_t>(&t - threads_.data());
  const bool spins = wake_at - now <= kSpinNs;
  if (spins != t.spins) {
    if (spins) {
      spinners_.push_back(number);
    } else {
      spinners_.erase(std::find(spinners_.begin(), spinners_.end(), number));
    }
    t.spins = spins;
  }
  events_->Set(t.actor, spins ? wake_at : wake_at - kSpinNs);
}

Ns World::Length(const ThreadData& t, const Step& step) const {
  const predict::Kernel* kernel = clients_[t.client].by_launch[step.launch];
  if (kernel == nullptr) return 0;
  const bool offline = spec_.policy == Policy::kFikit;
  return offline ? kernel->offline_duration_ns.load(kRelaxed) : t.lane->predictor.LengthOf(*kernel);
}

void World::CatchUpTurns(ClientData& c, Ns now) {
  std::uint64_t least = UINT64_MAX;
  for (const ClientData& other : clients_) {
    if (&other == &c || other.spec->priority != c.spec->priority) continue;
    bool recent = false;
    for (const auto& lane : other.lanes) {
      recent |= lane->used && lane->news.last_activity_ns + 2 * policy::kStandstillNs > now;
    }
    if (recent) least = std::min(least, other.served);
  }
  if (least != UINT64_MAX && c.served < least) c.served = least;
}

void World::Submit(ThreadData& t, const Step& step, Ns now) {
  ClientData& c = clients_[t.client];
  const bool gated = live_ ? c.rivals : c.below;
  if (!gated) return Pass(t, step, now, 0, false, false);
  t.state = ThreadState::kGate;
  t.held_since = now;
  t.refused = false;
  t.extra = spec_.gate_ns;
  c.floor_due = policy::FloorDueOnArrival(c.floor_due, std::max(c.floor_seen, c.in_flight_until), now);
  if (live_ && t.lane->last_activity + kRestedNs < now) CatchUpTurns(c, now);
  Look(t, step, now);
}

void World::Look(ThreadData& t, const Step& step, Ns now) {
  if (live_) {
    LookLive(t, step, now);
  } else {
    LookOwn(t, step, now);
  }
}

void World::AskForFloor(ClientData& c, Ns now, policy::Ask* ask) {
  ask->floor_share_ppm = c.spec->min_share_ppm;
  if (ask->floor_share_ppm == 0) return;
  ask->floor_first = c.spec->floor_first;
  ask->floor_due_ns = c.floor_due;
  c.room.Add(policy::RoomOf(view_, *ask), now);
  ask->floor_room_ns = c.room.room_ns;
}

void World::ChargeFloor(ClientData& c, const policy::Ask& ask, Ns now, bool floor) {
  c.floor_seen = now;
  c.floor_due = now;
  if (ask.floor_share_ppm == 0) return;
  c.floor_due = policy::FloorDueAfter(ask.floor_due_ns, now, policy::Length(ask), ask.floor_share_ppm, floor);
  c.result.floors += floor ? 1 : 0;
}

void World::LookLive(ThreadData& t, const Step& step, Ns now) {
  ClientData& c = clients_[t.client];
  policy::Ask ask;
  ask.priority = c.spec->priority;
  const Op& op = c.lap->ops[step.first_op];
  if (step.op_count == 1) ask.copies = model::CopiesOf(op.engine);
  ask.length_ns = Length(t, step);
  ask.assumed_length_ns = policy::AssumedLength(now - t.held_since);
  ask.own_until_ns = c.in_flight_until;
  if (op.stream == c.copy_stream) ask.own_until_ns = std::max(ask.own_until_ns, c.copy_until);
  ask.lead_ns = t.lane->predictor.lead_ns();
  ask.waiting_since_ns = t.held_since;
  ask.served_ns = c.served;
  BuildView(t.client, now);
  AskForFloor(c, now, &ask);
  const policy::Verdict verdict = policy::Decide(view_, ask);
  if (verdict.action == policy::Action::kWait) {
    policy::LaneNews& news = t.lane->news;
    t.lane->used = true;
    if (!t.refused) t.refused_for = static_cast<std::uint32_t>(verdict.reason);
    t.refused = true;
    news.doing = policy::Doing::kGated;
    news.pending_length_ns = ask.length_ns > 0 ? ask.length_ns : ask.assumed_length_ns;
    news.wake_at_ns = verdict.wake_at_ns;
    UpdatePeer(t.client);
    t.waits_its_turn =
        verdict.reason == policy::Reason::kBetterPlaced || verdict.reason == policy::Reason::kEqualsTurn;
    return Hold(t, now, verdict.wake_at_ns);
  }
  const bool filled = verdict.action == policy::Action::kFill;
  const Ns until = std::min(verdict.until_ns, now + policy::kStandstillNs);
  if (filled || policy::CheckedClaim(fill_until_, now) < until) {
    fill_client_ = t.client;
    fill_until_ = until;
    fill_floor_ = verdict.reason == policy::Reason::kFloor;
  }
  ChargeFloor(c, ask, now, verdict.reason == policy::Reason::kFloor);
  c.in_flight_until = std::max(verdict.until_ns, now);
  if (verdict.reason == policy::Reason::kBeside) {
    c.copy_stream = op.stream;
    c.copy_until = std::max(now, c.copy_until) + ask.length_ns;
  }
  Pass(t, step, now, verdict.until_ns, true, filled);
}

// The submit goes. As client::Lane::Submit.
void World::Pass(ThreadData& t, const Step& step, Ns now, Ns until, bool through_gate, bool filled) {
  ClientData& c = clients_[t.client];
  LaneState& lane = *t.lane;
  if (t.spins) {
    spinners_.erase(
        std::find(spinners_.begin(), spinners_.end(), static_cast<std::uint32_t>(&t - threads_.data())));
    t.spins = false;
  }
  predict::Kernel* kernel = c.by_launch[step.launch];
  const Op& first = c.lap->ops[step.first_op];
  predict::Submission submission{
      .kernel = kernel,
      .now_ns = now,
      .stream = std::uint64_t{first.stream} + 1,
      .copies = step.op_count == 1 ? model::CopiesOf(first.engine) : model::kNoCopies,
      .offline = spec_.policy == Policy::kFikit};
  if (through_gate && live_) {
    const Ns length = Length(t, step);
    submission.not_before_ns = length > 0 ? until - length : now;
    c.served += static_cast<std::uint64_t>(static_cast<double>(length) / c.spec->weight);
    c.result.fills += filled ? 1 : 0;
  } else if (c.others) {
    submission.fill_until_ns = policy::CheckedClaim(fill_until_, now);
    submission.fill_is_floor = fill_floor_;
  }
  if (t.refused) {
    ++c.result.held;
    c.result.held_ns += now - t.held_since;
    t.refused = false;
    Trace(c, {.kind = static_cast<std::uint32_t>(model::TraceKind::kGate),
              .lane = t.index,
              .begin_ns = t.held_since,
              .end_ns = now,
              .id = c.spec->program->launches[step.launch].id,
              .detail = t.refused_for});
  }
  if (lane.foretold_submit != 0) {
    c.next_submit.Add(lane.foretold_submit - now);
  }
  predict::Forecast forecast = lane.predictor.OnSubmit(submission);
  forecast.busy_until_ns = std::max(forecast.busy_until_ns, until);
  lane.foretold_submit = forecast.next_submit_ns;
  Publish(t, policy::Doing::kRunning, now, forecast);
  if (lane.predictor.has_ended()) TakeEnded(t);
  ++c.result.submits;
  if (spec_.keep_trace) {
    Trace(c, {.kind = static_cast<std::uint32_t>(model::TraceKind::kSubmit),
              .lane = t.index,
              .begin_ns = now,
              .end_ns = std::max(now, forecast.busy_until_ns),
              .id = c.spec->program->launches[step.launch].id,
              .value_ns = kernel != nullptr ? kernel->duration_ns.load(kRelaxed) : 0,
              .detail = filled ? 1U : 0U});
  }
  const bool sample = kernel != nullptr && (c.kernels->WantSample(*kernel, spec_.record_offline) ||
                                            lane.predictor.WantsDuration());
  for (std::uint32_t i = 0; i < step.op_count; ++i) {
    const Op& op = c.lap->ops[step.first_op + i];
    StreamData& stream = c.streams[op.stream];
    const bool last = i + 1 == step.op_count;
    const Queued queued{&op,
                        now + op.latency_ns,
                        sample && last ? kernel : nullptr,
                        i == 0 && step.op_count > 1,
                        step.launch,
                        t.index,
                        now,
                        last ? forecast.busy_until_ns : 0};
    ++stream.submitted;
    stream.sequences.push_back(lane.predictor.last_sequence());
    ++c.in_flight_ops;
    devices_[stream.device].Submit(stream.number, queued, now);
  }
  Submitted(t, step, now);
}

void World::TakeEnded(ThreadData& t) {
  ClientData& c = clients_[t.client];
  LaneState& lane = *t.lane;
  const predict::RequestTracker::Ended ended = lane.predictor.TakeEnded();
  lane.controller.OnRequest(ended.request_ns, ended.harm_ns, ended.control, ended.floor_harm_ns);
  lane.predictor.set_caution(lane.controller.caution());
  lane.predictor.set_spent(lane.controller.spent());
  lane.predictor.PlanNext(lane.controller.NextIsControl(lane.random.Uniform()));
  if (ended.control) {
    ++c.result.controls;
  } else {
    c.result.request_ns += ended.request_ns;
    c.result.harm_ns += ended.harm_ns;
    c.result.floor_harm_ns += ended.floor_harm_ns;
  }
}

// The simulator's own policies. The asker has somebody above it.
void World::LookOwn(ThreadData& t, const Step& step, Ns now) {
  ClientData& c = clients_[t.client];
  if (spec_.policy == Policy::kTimeslice) return Pass(t, step, now, 0, true, false);
  if (yardstick_ != nullptr) {
    const Op& op = c.lap->ops[step.first_op];
    const StreamData& stream = c.streams[op.stream];
    const std::uint32_t engine = stream.device * kEngines + static_cast<std::uint32_t>(op.engine);
    if (t.granted == 0) {
      Ns length = 0;
      for (std::uint32_t i = 0; i < step.op_count; ++i) {
        const Op& one = c.lap->ops[step.first_op + i];
        length += one.duration_ns + (i == 0 ? 0 : one.pause_ns);
      }
      const Ns earliest = std::max(now + op.latency_ns, c.granted_until + op.pause_ns);
      bool directly = false;
      const Ns start = yardstick_->Grant(engine, earliest, length, &directly);
      // What directly follows its own last operation may queue up behind it.
      t.granted =
          directly && start <= c.granted_until + op.pause_ns ? now : std::max(now, start - op.latency_ns);
      c.granted_until = start + length;
    }
    if (t.granted > now) {
      t.refused = true;
      events_->Set(t.actor, t.granted);
      return;
    }
    t.granted = 0;
    return Pass(t, step, now, 0, true, true);
  }
  const bool goes = spec_.policy == Policy::kSlice ? InSlice(c, now) : UnderThreshold(c);
  if (goes) return Pass(t, step, now, 0, true, true);
  t.refused = t.waits_its_turn = true;
  Hold(t, now, now + kLookAgainNs);
}

// Strict priority with a few commands in flight: what XSched does at its first level, as we read it.
bool World::UnderThreshold(const ClientData& c) const {
  if (c.in_flight_ops >= spec_.threshold) return false;
  return std::none_of(clients_.begin(), clients_.end(), [&](const ClientData& other) {
    return other.spec->priority < c.spec->priority && other.in_flight_ops > 0;
  });
}

// Fulcrum's managed interleaving, as we read it: whole requests of the filler, each between two of the
// holder's, begun where it ends before the next one is due.
bool World::InSlice(ClientData& c, Ns now) {
  if (c.slice_request == c.next_request + 1) return true;  // this request has begun
  for (const ClientData& other : clients_) {
    if (other.spec->priority >= c.spec->priority) continue;
    if (other.spec->arrivals == nullptr || other.in_flight_ops > 0) return false;
    const std::vector<Ns>& arrivals = *other.spec->arrivals;
    if (other.next_request == 0 || arrivals.size() < 2) return false;
    const Ns mean = (arrivals.back() - arrivals.front()) / static_cast<Ns>(arrivals.size() - 1);
    const auto next = static_cast<std::size_t>(other.next_request);
    if (next < arrivals.size() && kStart + arrivals[next] <= now) return false;
    if (now + c.spec->request_ns > kStart + arrivals[next - 1] + mean) return false;
    if (c.slice_after != other.next_request) {
      c.slice_after = other.next_request;
      c.slice_count = 0;
    }
    if (c.slice_count >= c.spec->most_between) return false;
  }
  ++c.slice_count;
  c.slice_request = c.next_request + 1;
  return true;
}

}  // namespace mortar::sim
