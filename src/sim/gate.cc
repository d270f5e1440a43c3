// Submits: under the live policies as client/gate.cc and client/lane.cc make them, from the same policy and
// prediction code. gate_own.cc has the simulator's own.
#include <algorithm>
#include <bit>
#include <utility>

#include "policy/floor.h"
#include "policy/policy.h"
#include "policy/rule.h"
#include "sim/world.h"

namespace mortar::sim {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::uint64_t StreamNumber(const Op& op) { return std::uint64_t{op.stream} + 1; }

}  // namespace

Ns World::Length(const ThreadData& t, const Step& step) const {
  const predict::Kernel* kernel = clients_[t.client].by_launch[step.launch];
  if (kernel == nullptr) return 0;
  const bool offline = spec_.policy == Policy::kFikit;
  return offline ? kernel->offline_duration_ns.load(kRelaxed) : t.lane->predictor.LengthOf(*kernel);
}

void World::CatchUpTurns(ClientData& c, Ns now) {
  std::uint64_t least = UINT64_MAX;
  for (const ClientData& other : clients_) {
    if (&other == &c || other.spec->priority != c.spec->priority || !Near(c, other)) continue;
    const LaneState& lane = *other.lane;
    const bool recent = lane.used && lane.news.last_activity_ns + 2 * policy::kStandstillNs > now;
    if (recent) least = std::min(least, other.served);
  }
  if (least != UINT64_MAX && c.served < least) c.served = least;
}

void World::Submit(ThreadData& t, const Step& step, Ns now) {
  ClientData& c = clients_[t.client];
  const bool gated = live_ ? c.rivals : c.above != 0;
  if (!gated) return Pass(t, step, now, 0, false, false);
  t.state = ThreadState::kGate;
  t.step = &step;
  t.held_since = now;
  t.refused = false;
  t.extra = spec_.gate_ns;
  t.ask = policy::Ask{};
  t.ask.priority = c.spec->priority;
  t.ask.waiting_since_ns = now;
  const Op& first = c.lap->ops[step.first_op];
  if (step.op_count == 1) t.ask.copies = model::CopiesOf(first.engine);
  c.floor_due = policy::FloorDueOnArrival(c.floor_due, std::max(c.floor_seen, c.own.until_ns), now);
  if (live_ && t.lane->last_activity + kRestedNs < now) CatchUpTurns(c, now);
  ++c.changes;
  Look(t, step, now);
}

void World::Look(ThreadData& t, const Step& step, Ns now) {
  if (live_) {
    LookLive(t, step, now);
  } else {
    LookOwn(t, step, now);
  }
}

void World::AskForFloor(ClientData& c, const policy::View& view, policy::Ask* ask) {
  ask->floor_share_ppm = c.spec->min_share_ppm;
  if (ask->floor_share_ppm == 0) return;
  ask->floor_first = c.spec->floor_first;
  ask->floor_due_ns = c.floor_due;
  c.room.Add(policy::RoomOf(view, *ask), view.now_ns);
  ask->floor_room_ns = c.room.room_ns;
}

void World::ChargeFloor(ClientData& c, const policy::Ask& ask, Ns now, bool floor) {
  c.floor_seen = now;
  c.floor_due = now;
  if (ask.floor_share_ppm == 0) return;
  c.floor_due = policy::FloorDueAfter(ask.floor_due_ns, now, policy::Length(ask), ask.floor_share_ppm, floor);
  c.result.floors += floor ? 1 : 0;
}

// What of an ask only the client's own doings change; ClientData::changes counts them.
void World::AskAnew(ThreadData& t, const Step& step) {
  const ClientData& c = clients_[t.client];
  policy::Ask& ask = t.ask;
  ask.length_ns = Length(t, step);
  c.own.Tell(StreamNumber(c.lap->ops[step.first_op]), &ask);
  ask.lead_ns = t.lane->predictor.lead_ns();
  ask.served_ns = c.served;
  t.asked_as_of = c.changes;
}

void World::LookLive(ThreadData& t, const Step& step, Ns now) {
  if (t.excluder != kNone && StaysExcluded(t, now)) return;
  ClientData& c = clients_[t.client];
  policy::Ask& ask = t.ask;
  if (t.asked_as_of != c.changes) AskAnew(t, step);
  ask.assumed_length_ns = policy::AssumedLength(now - t.held_since);
  const policy::View& view = BuildView(t.client, now);
  AskForFloor(c, view, &ask);
  const policy::Verdict verdict = policy::Decide(view, ask);
  if (verdict.action == policy::Action::kWait) return Refuse(t, verdict, now);
  const bool filled = verdict.action == policy::Action::kFill;
  const Ns until = std::min(verdict.until_ns, now + policy::kStandstillNs);
  if (filled || policy::CheckedClaim(ClaimNear(c).until, now) < until) {
    MakeClaim(t.client, until, verdict.reason == policy::Reason::kFloor);
  }
  ChargeFloor(c, ask, now, verdict.reason == policy::Reason::kFloor);
  c.own.Admitted(ask, StreamNumber(c.lap->ops[step.first_op]), verdict, spec_.settings, now);
  t.excluder = kNone;
  Pass(t, step, now, verdict.until_ns, true, filled);
}

void World::Refuse(ThreadData& t, const policy::Verdict& verdict, Ns now) {
  policy::LaneNews& news = t.lane->news;
  t.lane->used = true;
  if (!t.refused) t.refused_for = static_cast<std::uint32_t>(verdict.reason);
  t.refused = true;
  if (verdict.forgiven_ns != 0) {
    clients_[t.client].served -= verdict.forgiven_ns;
    ++clients_[t.client].changes;
  }
  news.doing = policy::Doing::kGated;
  news.pending_length_ns = t.ask.length_ns > 0 ? t.ask.length_ns : t.ask.assumed_length_ns;
  t.waits_its_turn =
      verdict.reason == policy::Reason::kBetterPlaced || verdict.reason == policy::Reason::kEqualsTurn;
  FindExcluder(t, verdict);
  HoldRefused(t, now, verdict.wake_at_ns);
}

// The submit goes. As client::Lane::Submit.
void World::Pass(ThreadData& t, const Step& step, Ns now, Ns until, bool through_gate, bool filled) {
  ClientData& c = clients_[t.client];
  LaneState& lane = *t.lane;
  ++c.changes;
  if (t.spins) StopSpinning(t);
  events_->Clear(t.actor);
  predict::Kernel* kernel = c.by_launch[step.launch];
  const Op& first = c.lap->ops[step.first_op];
  predict::Submission submission{
      .kernel = kernel,
      .now_ns = now,
      .stream = StreamNumber(first),
      .copies = step.op_count == 1 ? model::CopiesOf(first.engine) : model::kNoCopies,
      .offline = spec_.policy == Policy::kFikit};
  if (through_gate && live_) {
    const Ns length = Length(t, step);
    submission.not_before_ns = length > 0 ? until - length : now;
    c.served += static_cast<std::uint64_t>(static_cast<double>(length) / c.spec->weight);
    c.result.fills += filled ? 1 : 0;
  } else if (c.others) {
    const Claim& claim = ClaimNear(c);
    submission.fill_until_ns = policy::CheckedClaim(claim.until, now);
    submission.fill_is_floor = claim.floor;
  }
  if (t.refused) {
    ++c.result.held;
    submission.held_ns = now - t.held_since;
    c.result.held_ns += submission.held_ns;
    t.refused = false;
    Trace(c, {.kind = static_cast<std::uint32_t>(model::TraceKind::kGate),
              .lane = t.index,
              .begin_ns = t.held_since,
              .end_ns = now,
              .id = c.spec->program->launches[step.launch].id,
              .detail = t.refused_for});
  }
  if (lane.foretold_submit != 0) {
    c.next_submit.Add(lane.foretold_submit - (now - submission.held_ns));
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
                        c.run,
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
    ++c.run->queued;
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
  lane.predictor.set_offer(lane.controller.offer_ns());
  const Ns allowed = lane.controller.allowed_in_flight_ns();
  if (std::exchange(lane.allowed_in_flight, allowed) != allowed) TellAllowed(c.rank);
  lane.predictor.PlanNext(lane.controller.NextIsControl(lane.random.Uniform()));
  if (ended.control) {
    ++c.result.controls;
  } else {
    c.result.request_ns += ended.request_ns;
    c.result.harm_ns += ended.harm_ns;
    c.result.floor_harm_ns += ended.floor_harm_ns;
  }
}

}  // namespace mortar::sim
