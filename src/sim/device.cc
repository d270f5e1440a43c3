#include "sim/device.h"

#include <algorithm>

namespace mortar::sim {
namespace {

void Erase(std::vector<std::uint32_t>& from, std::uint32_t value) {
  const auto at = std::find(from.begin(), from.end(), value);
  *at = from.back();
  from.pop_back();
}

// Of one program. What leaves room for others (a collective, which waits for its peers most of the time) does
// so whichever of the two begins first.
bool MayOverlap(const Op& one, const Op& other) { return one.overlaps || other.overlaps; }

}  // namespace

std::uint32_t Device::AddStream(std::uint32_t client, std::uint32_t tag) {
  Stream stream;
  stream.client = client;
  stream.tag = tag;
  streams_.push_back(std::move(stream));
  return static_cast<std::uint32_t>(streams_.size() - 1);
}

void Device::Submit(std::uint32_t number, const Queued& queued, Ns now) {
  Stream& s = streams_[number];
  const auto size = static_cast<std::uint32_t>(s.ring.size());
  if (s.tail - s.head == size) {
    std::vector<Queued> larger(std::size_t{size} * 2);
    for (std::uint32_t i = s.head; i != s.tail; ++i) larger[i & (2 * size - 1)] = s.ring[i & (size - 1)];
    s.ring = std::move(larger);
  }
  const std::size_t mask = s.ring.size() - 1;
  const bool empty = s.head == s.tail;
  Queued& slot = s.ring[s.tail & mask];
  slot = queued;
  if (!empty) slot.arrival_ns = std::max(slot.arrival_ns, s.ring[(s.tail - 1) & mask].arrival_ns);
  ++s.tail;
  if (empty) ListHead(number, now);
}

void Device::Unblock(std::uint32_t number, Ns now) {
  const Stream& s = streams_[number];
  if (s.head != s.tail && !s.listed && !s.running) ListHead(number, now);
}

void Device::ListHead(std::uint32_t number, Ns now) {
  Stream& s = streams_[number];
  const Queued& head = s.front();
  if (head.op->dependencies != 0 && ready_test_ != nullptr && !ready_test_(ready_context_, s.tag, head)) {
    return;
  }
  const Ns pause = head.op->pause_ns;
  s.ready_ns = std::max(now, head.arrival_ns);
  if (pause > kLongPauseNs) s.ready_ns = std::max(s.ready_ns, s.last_end_ns + pause);
  s.remaining_ns = head.op->duration_ns;
  s.begun = false;
  s.listed = true;
  const int index = static_cast<int>(head.op->engine);
  EngineState& engine = engines_[static_cast<std::size_t>(index)];
  engine.heads.push_back(number);
  // A busy engine looks at its heads when it is done, unless this one may run beside or takes turns.
  const bool beside = std::any_of(engine.running.begin(), engine.running.end(), [&](const Running& running) {
    return MayOverlap(*head.op, *streams_[running.stream].front().op);
  });
  if (engine.running.empty() || beside || options_.kind != DeviceKind::kFifo) {
    const std::uint32_t actor = first_actor_ + static_cast<std::uint32_t>(index);
    if (s.ready_ns < events_.at(actor)) events_.Set(actor, s.ready_ns);
  }
}

void Device::Start(EngineState& engine, std::uint32_t number, Ns at) {
  Stream& s = streams_[number];
  Erase(engine.heads, number);
  s.listed = false;
  s.running = true;
  if (engine.running.empty()) engine.busy_since_ns = at;
  const Ns end = at + s.remaining_ns;
  engine.running.push_back({number, end});
  if (s.begun) return;
  s.begun = true;
  s.start_ns = at;
  listener_.OnStart(s.tag, s.front(), s.ready_ns, at, end);
}

void Device::Complete(EngineState& engine, Ns now) {
  for (std::size_t i = 0; i < engine.running.size();) {
    if (engine.running[i].end_ns > now) {
      ++i;
      continue;
    }
    const Running done = engine.running[i];
    engine.running[i] = engine.running.back();
    engine.running.pop_back();
    if (engine.running.empty()) engine.busy_ns += done.end_ns - engine.busy_since_ns;
    Stream& s = streams_[done.stream];
    const Queued queued = s.front();
    s.running = false;
    s.last_end_ns = done.end_ns;
    ++s.head;
    listener_.OnDone(s.tag, queued, s.start_ns, done.end_ns);
    if (s.head != s.tail && !s.listed) ListHead(done.stream, now);
  }
}

// Whoever arrived first, if it may start now. *next: when to look again at the latest.
bool Device::StartNext(EngineState& engine, Ns now, Ns* next) {
  std::uint32_t best = kNone;
  Ns first = EventTree::kNever;
  const bool apart = options_.kind == DeviceKind::kOverlap;
  for (const std::uint32_t number : engine.heads) {
    const Stream& s = streams_[number];
    bool beside = true;
    bool behind_others = false;
    for (const Running& running : engine.running) {
      const bool same = streams_[running.stream].client == s.client;
      behind_others |= !same && !apart;
      beside &= same ? MayOverlap(*s.front().op, *streams_[running.stream].front().op) : apart;
    }
    // What waits for another program's to end does not keep that program from what it runs side by side.
    if (!beside && (apart || behind_others)) continue;
    if (s.ready_ns > now) {
      if (beside) *next = std::min(*next, s.ready_ns);
      continue;
    }
    const Ns arrival = s.front().arrival_ns;
    if (arrival < first || (arrival == first && number < best)) {
      first = arrival;
      best = beside ? number : kNone;
    }
  }
  if (best == kNone) return false;
  const Stream& s = streams_[best];
  const Ns pause = s.front().op->pause_ns;
  Start(engine, best, s.begun ? now : std::max(now, s.last_end_ns + pause));
  return true;
}

void Device::Interrupt(EngineState& engine, Ns now) {
  for (const Running& running : engine.running) {
    Stream& s = streams_[running.stream];
    s.remaining_ns = std::max<Ns>(0, running.end_ns - now);
    s.running = false;
    s.listed = true;
    s.ready_ns = now;
    engine.heads.push_back(running.stream);
  }
  if (!engine.running.empty()) engine.busy_ns += now - engine.busy_since_ns;
  engine.running.clear();
}

// Contexts take turns. Returns true if something was started.
bool Device::TakeTurns(EngineState& engine, Ns now, Ns* next) {
  if (now < engine.blocked_until_ns) {
    *next = std::min(*next, engine.blocked_until_ns);
    return false;
  }
  std::uint32_t rival = kNone;  // the next client in turn that could run now
  std::uint32_t own = kNone;
  for (const std::uint32_t number : engine.heads) {
    const Stream& s = streams_[number];
    if (s.ready_ns > now) {
      *next = std::min(*next, s.ready_ns);
      continue;
    }
    if (s.client == engine.owner) {
      if (own == kNone || s.front().arrival_ns < streams_[own].front().arrival_ns) own = number;
    } else {
      const auto turn = [&](std::uint32_t client) { return client - engine.owner - 1; };  // wraps: cyclic
      if (rival == kNone || turn(s.client) < turn(rival)) rival = s.client;
    }
  }
  const bool holds = !engine.running.empty() || own != kNone;
  if (rival != kNone && holds) {
    if (engine.slice_end_ns == 0) {
      // Slices went on while nobody else wanted one.
      const Ns into = std::max<Ns>(0, now - engine.owner_since_ns) % options_.slice_ns;
      engine.slice_end_ns = now + options_.slice_ns - into;
    }
    if (now < engine.slice_end_ns) *next = std::min(*next, engine.slice_end_ns);
  } else {
    engine.slice_end_ns = 0;
  }
  if (rival != kNone && (!holds || now >= engine.slice_end_ns)) {
    Interrupt(engine, now);
    const Ns cost = engine.owner == kNone ? 0 : options_.switch_ns;
    engine.owner = rival;
    engine.slice_end_ns = 0;
    engine.blocked_until_ns = engine.owner_since_ns = now + cost;
    switched_ns_ += cost;
    return true;  // look again, as the new owner
  }
  if (own == kNone) return false;
  for (const Running& running : engine.running) {
    const Op& other = *streams_[running.stream].front().op;
    if (running.stream != own && !MayOverlap(*streams_[own].front().op, other)) return false;
  }
  const Stream& s = streams_[own];
  Start(engine, own, s.begun ? now : std::max(now, s.last_end_ns + s.front().op->pause_ns));
  return true;
}

void Device::Run(int index, Ns now) {
  EngineState& engine = engines_[static_cast<std::size_t>(index)];
  Complete(engine, now);
  Ns next = EventTree::kNever;
  const bool turns = options_.kind == DeviceKind::kSliced && index == static_cast<int>(Engine::kCompute);
  while (!engine.heads.empty() && (turns ? TakeTurns(engine, now, &next) : StartNext(engine, now, &next))) {
    next = EventTree::kNever;
  }
  for (const Running& running : engine.running) next = std::min(next, running.end_ns);
  events_.Set(first_actor_ + static_cast<std::uint32_t>(index), next);
}

bool Device::Idle(std::uint32_t client) const {
  for (const Stream& s : streams_) {
    if (s.client == client && s.head != s.tail) return false;
  }
  return true;
}

Ns Device::busy_ns(Ns now) const {
  const EngineState& engine = engines_[0];
  return engine.busy_ns + (engine.running.empty() ? 0 : std::max<Ns>(0, now - engine.busy_since_ns));
}

}  // namespace mortar::sim
