// Objects, submits and answers; advance.cc moves time on.
#include "simcuda/timeline/timeline.h"

#include <algorithm>
#include <atomic>

namespace mortar::simcuda {

void Timeline::Initialise(State* state, const Parameters& parameters, Ns now_ns) {
  State& s = *state;
  s.parameters = parameters;
  s.at_ns = now_ns;
  s.last_sequence = s.last_done = s.memory_bytes = s.switches = 0;
  s.owner = kNone;
  s.turn = false;
  s.switched_ns = s.slice_end_ns = 0;
  s.first_busy = kNone;
  for (Context& context : s.contexts) context = {0, kNone, kNone, 0, 0};
  for (Stream& stream : s.streams)
    stream = {kNone, kNone, kNone, 0, kNone, kNone, 0, StreamKind::kFree, false};
  for (Event& event : s.events) event = {kNone, {}, 0, 0};
  for (Index i = 0; i < kCommands; ++i) {
    s.commands[i] = {};
    s.commands[i].next = i + 1 < kCommands ? i + 1 : kNone;
  }
  s.free_command = 0;
}

Index Timeline::AddContext(std::int32_t pid) {
  for (Index i = 0; i < kContexts; ++i) {
    if (s_.contexts[i].pid != 0) continue;
    s_.contexts[i] = {pid, kNone, kNone, 0, 0};
    return i;
  }
  return kNone;
}

void Timeline::RemoveContext(Index context) {
  for (Index i = 0; i < kStreams; ++i) {
    if (s_.streams[i].kind != StreamKind::kFree && s_.streams[i].context == context) DropStream(i);
  }
  for (Event& event : s_.events) {
    if (event.context == context) event = {kNone, {}, 0, 0};
  }
  Notice ignored;
  while (PopNotice(context, &ignored)) {
  }
  s_.memory_bytes -= std::min(s_.memory_bytes, s_.contexts[context].memory_bytes);
  s_.contexts[context] = {0, kNone, kNone, 0, 0};
  if (s_.owner != context) return;
  s_.owner = kNone;
  s_.turn = false;
}

Index Timeline::AddStream(Index context, StreamKind kind, std::int32_t priority) {
  for (Index i = 0; i < kStreams; ++i) {
    if (s_.streams[i].kind != StreamKind::kFree) continue;
    s_.streams[i] = {context, kNone, kNone, 0, kNone, kNone, priority, kind, false};
    return i;
  }
  return kNone;
}

void Timeline::ReleaseStream(Index stream) {
  s_.streams[stream].released = true;
  if (s_.streams[stream].first == kNone) s_.streams[stream].kind = StreamKind::kFree;
}

void Timeline::DropStream(Index stream) {
  if (s_.streams[stream].first != kNone) MakeIdle(stream);
  for (Index slot = s_.streams[stream].first; slot != kNone;) {
    const Index next = s_.commands[slot].next;
    FreeCommand(slot);
    slot = next;
  }
  s_.streams[stream].kind = StreamKind::kFree;
}

Index Timeline::AddEvent(Index context) {
  for (Index i = 0; i < kEvents; ++i) {
    if (s_.events[i].context != kNone) continue;
    s_.events[i] = {context, {}, 0, ++s_.last_sequence};
    return i;
  }
  return kNone;
}

void Timeline::ReleaseEvent(Index event) { s_.events[event] = {kNone, {}, 0, 0}; }

bool Timeline::Allocate(Index context, std::uint64_t bytes) {
  const std::uint64_t all = s_.parameters.memory_bytes;
  if (s_.memory_bytes > all || bytes > all - s_.memory_bytes) return false;
  s_.memory_bytes += bytes;
  s_.contexts[context].memory_bytes += bytes;
  return true;
}

void Timeline::Free(Index context, std::uint64_t bytes) {
  Context& owner = s_.contexts[context];
  bytes = std::min(bytes, owner.memory_bytes);
  owner.memory_bytes -= bytes;
  s_.memory_bytes -= std::min(s_.memory_bytes, bytes);
}

CommandId Timeline::Submit(Index stream, const Work& work) {
  Stream& queue = s_.streams[stream];
  const Index slot = s_.free_command;
  if (slot == kNone || queue.depth >= kStreamDepth) return {};
  Command& command = s_.commands[slot];
  s_.free_command = command.next;
  const CommandId id{slot, ++s_.last_sequence};
  command = {};
  command.tag = work.tag;
  command.wait = work.wait;
  command.earliest_ns = s_.at_ns + std::max<Ns>(0, work.latency_ns);
  command.remaining_ns =
      work.kind == WorkKind::kKernel || work.kind == WorkKind::kCopy ? std::max<Ns>(0, work.duration_ns) : 0;
  command.stream = stream;
  command.context = queue.context;
  command.event = work.event;
  command.next = kNone;
  command.occupancy = std::clamp(work.occupancy, 1, kWhole);
  command.kind = work.kind;
  command.engine = static_cast<std::uint8_t>(work.engine % s_.parameters.copy_engines);
  command.keep = work.keep && work.kind != WorkKind::kHost;  // its call is its notice
  if (work.event != kNone) s_.events[work.event].record = id;
  // From here on Repair takes the record for whole.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  command.sequence = id.sequence;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (queue.first == kNone) {
    queue.first = slot;
    MakeBusy(stream);
  } else {
    s_.commands[queue.last].next = slot;
  }
  queue.last = slot;
  ++queue.depth;
  return id;
}

void Timeline::MakeBusy(Index stream) {
  Stream& self = s_.streams[stream];
  self.previous_busy = kNone;
  self.next_busy = s_.first_busy;
  if (s_.first_busy != kNone) s_.streams[s_.first_busy].previous_busy = stream;
  s_.first_busy = stream;
}

void Timeline::MakeIdle(Index stream) {
  const Stream& self = s_.streams[stream];
  if (self.previous_busy == kNone) {
    s_.first_busy = self.next_busy;
  } else {
    s_.streams[self.previous_busy].next_busy = self.next_busy;
  }
  if (self.next_busy != kNone) s_.streams[self.next_busy].previous_busy = self.previous_busy;
}

void Timeline::FreeCommand(Index slot) {
  s_.commands[slot].sequence = 0;
  s_.commands[slot].next = s_.free_command;
  s_.free_command = slot;
}

void Timeline::AppendNotice(Index slot) {
  Command& command = s_.commands[slot];
  Context& context = s_.contexts[command.context];
  command.next = kNone;
  if (context.first_notice == kNone) {
    context.first_notice = slot;
  } else {
    s_.commands[context.last_notice].next = slot;
  }
  context.last_notice = slot;
}

// The host function of `context` that became due first and was not told.
Index Timeline::NextCall(Index context) const {
  Index found = kNone;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Index slot = s_.streams[i].first;
    const Command& command = s_.commands[slot];
    if (command.context != context || command.kind != WorkKind::kHost || command.told) continue;
    if (command.state != CommandState::kRunning) continue;
    if (found == kNone || command.done_order < s_.commands[found].done_order) found = slot;
  }
  return found;
}

// What ended or became due first and was not told.
Index Timeline::NextNotice(Index context) const {
  const Index done = s_.contexts[context].first_notice;
  const Index call = NextCall(context);
  if (call == kNone || done == kNone) return call == kNone ? done : call;
  return s_.commands[call].done_order < s_.commands[done].done_order ? call : done;
}

std::uint64_t Timeline::NextNoticeOrder(Index context) const {
  const Index next = NextNotice(context);
  return next == kNone ? 0 : s_.commands[next].done_order;
}

bool Timeline::PopNotice(Index context, Notice* notice) {
  const Index next = NextNotice(context);
  if (next == kNone) return false;
  Command& command = s_.commands[next];
  if (command.state != CommandState::kDone) {
    command.told = true;
    *notice = {{next, command.sequence}, command.tag, true, command.ready_ns};
    return true;
  }
  *notice = {{next, command.sequence}, command.tag, false, command.end_ns};
  Context& owner = s_.contexts[context];
  owner.first_notice = command.next;
  if (owner.first_notice == kNone) owner.last_notice = kNone;
  FreeCommand(next);
  return true;
}

bool Timeline::IsDone(CommandId id) const {
  if (id.sequence == 0 || id.slot >= kCommands) return true;
  const Command& command = s_.commands[id.slot];
  return command.sequence != id.sequence || command.state == CommandState::kDone;
}

CommandId Timeline::LastOf(Index stream) const {
  const Index slot = s_.streams[stream].last;
  if (s_.streams[stream].first == kNone) return {};
  return {slot, s_.commands[slot].sequence};
}

bool Timeline::BlockingAreIdle(Index context) const {
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    if (s_.streams[i].context == context && s_.streams[i].kind == StreamKind::kBlocking) return false;
  }
  return true;
}

CommandId Timeline::FirstOf(Index stream) const {
  const Index slot = s_.streams[stream].first;
  if (slot == kNone) return {};
  return {slot, s_.commands[slot].sequence};
}

Index Timeline::LastOfContext(Index context, CommandId* ids, Index most) const {
  Index count = 0;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    if (s_.streams[i].context != context) continue;
    if (count < most) ids[count] = LastOf(i);
    ++count;
  }
  return count;
}

Ns Timeline::EarliestEnd(CommandId id) const {
  if (IsDone(id)) return s_.at_ns;
  const Ns next_ns = NextInstant();
  if (next_ns == kNever) return kNever;
  Ns end_ns = s_.at_ns;
  for (Index slot = StreamOf(s_.commands[id.slot]).first; slot != kNone; slot = s_.commands[slot].next) {
    const Command& command = s_.commands[slot];
    end_ns = std::max(end_ns, command.earliest_ns) + command.remaining_ns;
    if (slot == id.slot) break;
  }
  return std::max(end_ns, next_ns);
}

}  // namespace mortar::simcuda
