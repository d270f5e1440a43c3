// Host threads: think, call, wait, hand over, mark.
#include <algorithm>

#include "sim/world.h"

namespace mortar::sim {

Ns World::Think(const ThreadData& t, const Step& step) const {
  const ClientSpec& client = *clients_[t.client].spec;
  if (!step.jittered || !client.jitter) return step.think_ns;
  const auto& pool = client.program->pools[step.pool];
  const std::uint64_t draw = base::Mix(t.jitter_key + t.pc) >> 32;
  const float ratio = pool[(draw * pool.size()) >> 32];
  return static_cast<Ns>(static_cast<double>(step.think_ns) * static_cast<double>(ratio));
}

bool World::LearnedEnough(const ClientData& c, Ns now) const {
  if (c.spec->learn_laps != 0) return c.laps >= c.spec->learn_laps;
  const Ns least = std::min(spec_.for_ns / 5, kLearnAtLeastNs);
  if (now - kStart >= 2 * spec_.for_ns) return true;
  return c.next_request >= kLearnRequests && now - kStart >= least;
}

// No request will come any more: whoever waits for this client to learn waits no longer.
bool World::Exhausted(ClientData& c, Ns now) {
  if (c.spec->arrivals == nullptr || c.next_request < c.spec->arrivals->size()) return false;
  c.result.exhausted = true;
  EndLearning(c, now);
  return true;
}

void World::BeginRun(ClientData& c) {
  const auto done =
      std::find_if(c.runs.begin(), c.runs.end(), [](const auto& run) { return run->queued == 0; });
  c.run = done != c.runs.end() ? done->get() : c.runs.emplace_back(std::make_unique<LapRun>()).get();
  c.run->lap = c.lap;
  c.run->bases.clear();
  for (StreamData& stream : c.streams) {
    c.run->bases.push_back(stream.submitted);
    stream.sequences.clear();
  }
}

void World::BeginLap(ClientData& c, Ns now) {
  const Program& program = *c.spec->program;
  if (LearnedEnough(c, now)) EndLearning(c, now);
  if (Exhausted(c, now)) {
    for (std::uint32_t i = 0; i < c.thread_count; ++i) thread(c, i).state = ThreadState::kOver;
    return;
  }
  c.lap = c.learning && !program.learn.empty() ? &program.learn : &program.judge;
  ++c.laps;
  c.joined = 0;
  c.tokens.assign(c.lap->tokens, -1);
  BeginRun(c);
  for (std::uint32_t i = 0; i < c.thread_count; ++i) {
    ThreadData& t = thread(c, i);
    t.pc = 0;
    t.returned = now;
    t.state = ThreadState::kCall;
    t.jitter_key = base::Combine(base::Combine(spec_.seed, c.laps), t.index) << 8;
  }
  for (std::uint32_t i = c.thread_count; i-- > 0;) NextStep(thread(c, i), now);
}

// Sets the thread's next event, or its next lap going.
void World::NextStep(ThreadData& t, Ns now) {
  ClientData& c = clients_[t.client];
  if (t.index >= c.lap->threads.size()) return JoinLap(t);
  const std::vector<Step>& steps = c.lap->threads[t.index];
  for (; t.pc < steps.size(); ++t.pc) {
    const Step& step = steps[t.pc];
    Ns at = t.returned + Think(t, step);
    if (step.after != kNone) {
      const Ns token = c.tokens[step.after];
      if (token < 0) {
        t.state = ThreadState::kToken;
        return;
      }
      at = std::max(t.returned, token + Think(t, step));
    }
    if (step.kind != StepKind::kCall) {
      t.returned = at;
      if (!TakeMark(t, step, now)) return;
      continue;
    }
    t.state = ThreadState::kCall;
    events_->Set(t.actor, std::max(at, now));
    return;
  }
  JoinLap(t);
}

// A mark at t.returned. Returns false if the thread cannot go on from here at once.
bool World::TakeMark(ThreadData& t, const Step& step, Ns now) {
  ClientData& c = clients_[t.client];
  if (step.kind == StepKind::kBegin) {
    if (c.spec->arrivals != nullptr) {
      if (Exhausted(c, now)) {
        t.state = ThreadState::kOver;
        return false;
      }
      c.request_began = kStart + (*c.spec->arrivals)[c.next_request];
      t.returned = std::max(t.returned, c.request_began);
    } else {
      c.request_began = t.returned;
    }
    return true;
  }
  if (!step.waits) {
    EndRequest(c, t.returned);
    return true;
  }
  const bool last = t.pc + 1 == c.lap->threads[t.index].size();
  if (last && c.joined + 1 < c.thread_count) {
    t.state = ThreadState::kJoin;
    return false;
  }
  t.state = ThreadState::kMark;
  events_->Set(t.actor, std::max(t.returned, now));
  return false;
}

void World::JoinLap(ThreadData& t) {
  ClientData& c = clients_[t.client];
  t.state = ThreadState::kJoin;
  ++c.joined;
  if (c.joined < c.thread_count) {
    ThreadData& first = thread(c, 0);
    const bool waits = c.joined + 1 == c.thread_count && first.state == ThreadState::kJoin &&
                       first.pc + 1 == c.lap->threads[0].size();
    if (!waits || first.index == t.index) return;
    first.returned = std::max(first.returned, t.returned);
    first.state = ThreadState::kMark;
    events_->Set(first.actor, first.returned);
    return;
  }
  Ns at = 0;
  for (std::uint32_t i = 0; i < c.thread_count; ++i) at = std::max(at, thread(c, i).returned);
  BeginLap(c, at);
}

void World::EndRequest(ClientData& c, Ns at) {
  const std::uint64_t number = c.next_request++;
  const bool counts =
      spec_.window_end_ns != 0 || InWindow(c.request_began) || (!c.spec->judged && InWindow(at));
  if (!counts || c.learning) return;
  c.result.requests.push_back({number, c.request_began, at});
  if (c.spec->judged && ++judged_requests_ >= spec_.max_requests) window_end_ = std::min(window_end_, at);
}

void World::GiveToken(ClientData& c, std::uint32_t token, Ns at) {
  if (token == kNone) return;
  c.tokens[token] = at;
  for (std::uint32_t i = 0; i < c.thread_count; ++i) {
    ThreadData& other = thread(c, i);
    if (other.state == ThreadState::kToken && step_of(other).after == token) NextStep(other, now_);
  }
}

void World::BeginCall(ThreadData& t, Ns now) {
  const Step& step = step_of(t);
  t.began = now;
  t.extra = 0;
  if (step.op_count != 0) return Submit(t, step, now);
  if (step.waits) return BeginWait(t, step, now);
  t.returned = now + step.call_ns;
  ++t.pc;
  GiveToken(clients_[t.client], step.token, t.returned);
  NextStep(t, now);
}

// The launch is made at `now`; the call goes on.
void World::Submitted(ThreadData& t, const Step& step, Ns now) {
  if (step.waits) return BeginWait(t, step, now);
  t.returned = now + step.call_ns + t.extra;
  ++t.pc;
  GiveToken(clients_[t.client], step.token, t.returned);
  NextStep(t, now);
}

bool World::Satisfied(const ClientData& c, const ThreadData& t) const {
  return std::all_of(t.targets.begin(), t.targets.end(), [&](const Target& target) {
    return c.streams[target.stream].completed >= target.count;
  });
}

void World::BeginWait(ThreadData& t, const Step& step, Ns now) {
  ClientData& c = clients_[t.client];
  t.began = now;
  t.lane->predictor.OnWaitEnter(now);
  t.lane->news.doing = policy::Doing::kWaiting;
  t.lane->news.last_activity_ns = now;
  t.targets.clear();
  if (step.waits_all) {
    for (std::uint32_t i = 0; i < c.streams.size(); ++i) t.targets.push_back({i, c.streams[i].submitted});
  } else {
    const auto* until = &c.lap->untils[step.first_until];
    for (std::uint32_t i = 0; i < step.until_count; ++i) {
      t.targets.push_back({until[i].stream, c.run->bases[until[i].stream] + until[i].ordinal + 1});
    }
  }
  t.state = ThreadState::kWait;
  Changed(t.client, now);
  if (Satisfied(c, t)) return WaitDone(t, now);
  for (const Target& target : t.targets) c.streams[target.stream].watched = true;
  if (step.tail_ns < 0) TryEarlyReturn(t, step);
}

// A wait that returns before the last operation ends: its instant is known once that operation runs.
void World::TryEarlyReturn(ThreadData& t, const Step& step) {
  const ClientData& c = clients_[t.client];
  Ns done = t.began;
  for (const Target& target : t.targets) {
    const StreamData& stream = c.streams[target.stream];
    if (stream.completed >= target.count) continue;
    if (stream.completed + 1 != target.count || stream.running_end == 0) return;
    done = std::max(done, stream.running_end);
  }
  if (done + step.tail_ns > now_) {
    if (keeper_ != nullptr && t.client == 0) {
      for (const Target& target : t.targets) keeper_->OnDeadline(target.stream, target.count, done);
    }
    t.state = ThreadState::kReturn;
    events_->Set(t.actor, std::max(t.began, done + step.tail_ns));
  }
}

void World::WaitDone(ThreadData& t, Ns done) {
  const Step& step = step_of(t);
  if (keeper_ != nullptr && t.client == 0) {
    for (const Target& target : t.targets)
      keeper_->OnDeadline(target.stream, target.count, std::max(done, t.began));
  }
  const Ns tail =
      step.kind == StepKind::kEnd ? clients_[t.client].spec->program->drain_tail_ns : step.tail_ns;
  t.state = ThreadState::kReturn;
  events_->Set(t.actor, std::max(t.began, std::max(done, t.began) + tail));
}

// The newest launch of the thread's lane that its wait covers; 0: none.
std::uint64_t World::Covered(const ThreadData& t, const Step& step) const {
  if (step.waits_all) return t.lane->predictor.last_sequence();
  const ClientData& c = clients_[t.client];
  std::uint64_t covered = 0;
  for (std::uint32_t i = 0; i < step.until_count; ++i) {
    const Until& until = c.lap->untils[step.first_until + i];
    const auto& sequences = c.streams[until.stream].sequences;
    if (until.ordinal < sequences.size()) covered = std::max(covered, sequences[until.ordinal]);
  }
  return covered;
}

void World::ReturnFromWait(ThreadData& t, Ns now) {
  ClientData& c = clients_[t.client];
  const Step& step = step_of(t);
  predict::LanePredictor& predictor = t.lane->predictor;
  const std::uint64_t covered = Covered(t, step);
  const predict::Forecast forecast = predictor.OnWaitReturn(now, covered);
  ++c.changes;
  if (covered != 0) {
    c.own.EndsAt(std::max(now, predictor.busy_until_ns()));
    if (c.rivals) DrawClaimBack(t.client, c.own.until_ns);
  }
  while (predictor.TakeChangedLadder() >= 0) continue;
  c.idle_after = predictor.ladders().idle_after_ns();
  Publish(t, policy::Doing::kRunning, now, forecast);
  ++c.result.waits;
  Trace(c, {.kind = static_cast<std::uint32_t>(model::TraceKind::kWait),
            .lane = t.index,
            .begin_ns = t.began,
            .end_ns = now,
            .value_ns = predictor.last_harm_ns() + predictor.last_floor_harm_ns()});
  if (predictor.has_ended()) TakeEnded(t);
  if (keeper_ != nullptr && t.client == 0) keeper_->OnWaitReturn(now);
  if (spec_.keep_waits) c.result.wait_returns.push_back(now);
  t.returned = now;
  if (step.kind == StepKind::kEnd) EndRequest(c, now);
  ++t.pc;
  GiveToken(c, step.token, now);
  NextStep(t, now);
}

void World::Resume(ThreadData& t, Ns now) {
  switch (t.state) {
    case ThreadState::kGate:
      Look(t, *t.step, now);
      break;
    case ThreadState::kCall:
      events_->Clear(t.actor);
      BeginCall(t, now);
      break;
    case ThreadState::kReturn:
      events_->Clear(t.actor);
      ReturnFromWait(t, now);
      break;
    case ThreadState::kMark:
      events_->Clear(t.actor);
      BeginWait(t, step_of(t), now);
      break;
    case ThreadState::kWait:
    case ThreadState::kToken:
    case ThreadState::kJoin:
    case ThreadState::kOver:
      events_->Clear(t.actor);
      break;
  }
  events_->Settle(t.actor);
}

}  // namespace mortar::sim
