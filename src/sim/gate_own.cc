// Submits under the policies that are the simulator's own.
#include <algorithm>

#include "sim/world.h"

namespace mortar::sim {

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
    return other.spec->priority < c.spec->priority && other.in_flight_ops > 0 && Near(c, other);
  });
}

// Fulcrum's managed interleaving, as we read it: whole requests of the filler, each between two of the
// holder's, begun where it ends before the next one is due.
bool World::InSlice(ClientData& c, Ns now) {
  if (c.slice_request == c.next_request + 1) return true;  // this request has begun
  for (const ClientData& other : clients_) {
    if (other.spec->priority >= c.spec->priority || !Near(c, other)) continue;
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
