// Moving time on: everything that happens by itself. Commands that can do anything are the first of their
// streams, so a walk over the busy streams sees all of them.
#include <algorithm>

#include "simcuda/timeline/timeline.h"

namespace mortar::simcuda {

void Timeline::Advance(Ns now_ns) {
  now_ns = std::max(now_ns, s_.at_ns);
  Settle();
  for (Ns next_ns = NextInstant(); next_ns <= now_ns; next_ns = NextInstant()) {
    PassTime(next_ns);
    Settle();
  }
  PassTime(now_ns);
}

Ns Timeline::NextInstant() const {
  Ns next_ns = kNever;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Command& command = s_.commands[s_.streams[i].first];
    if (command.state == CommandState::kQueued && command.earliest_ns > s_.at_ns) {
      next_ns = std::min(next_ns, command.earliest_ns);
    } else if (command.state == CommandState::kRunning && command.kind != WorkKind::kHost) {
      next_ns = std::min(next_ns, s_.at_ns + command.remaining_ns);
    }
  }
  if (s_.parameters.sharing == Sharing::kSliced && s_.turn) {
    next_ns = std::min(next_ns, s_.at_ns < s_.switched_ns ? s_.switched_ns : s_.slice_end_ns);
  }
  return next_ns;
}

void Timeline::PassTime(Ns until_ns) {
  const Ns passed_ns = until_ns - s_.at_ns;
  if (passed_ns <= 0) return;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    Command& command = s_.commands[s_.streams[i].first];
    if (command.state != CommandState::kRunning || command.kind == WorkKind::kHost) continue;
    command.remaining_ns -= passed_ns;
    s_.contexts[command.context].busy_ns += static_cast<std::uint64_t>(passed_ns);
  }
  s_.at_ns = until_ns;
}

void Timeline::Settle() {
  bool changed = true;
  while (changed) {
    // Everything that takes no time first: else a context that goes on at this very instant would lose its
    // turn.
    while (EndFinished() || MarkReady()) {
    }
    changed = TakeTurns();
    changed = StartKernels() || changed;
    changed = StartCopies() || changed;
  }
}

bool Timeline::EndFinished() {
  bool changed = false;
  for (Index i = s_.first_busy; i != kNone;) {
    const Index next = s_.streams[i].next_busy;
    const Index slot = s_.streams[i].first;
    const Command& command = s_.commands[slot];
    if (command.state == CommandState::kRunning && command.kind != WorkKind::kHost &&
        command.remaining_ns <= 0) {
      Complete(slot);
      changed = true;
    }
    i = next;
  }
  return changed;
}

// REQUIRES: the first of its stream.
void Timeline::Complete(Index slot) {
  Command& command = s_.commands[slot];
  Stream& stream = StreamOf(command);
  command.state = CommandState::kDone;
  command.end_ns = s_.at_ns;
  command.done_order = ++s_.last_done;
  if (command.event != kNone && s_.events[command.event].record.sequence == command.sequence) {
    s_.events[command.event].end_ns = s_.at_ns;
  }
  stream.first = command.next;
  --stream.depth;
  if (stream.first == kNone) {
    MakeIdle(command.stream);
    if (stream.released) stream.kind = StreamKind::kFree;
  }
  if (command.keep) {
    AppendNotice(slot);
  } else {
    FreeCommand(slot);
  }
}

bool Timeline::MarkReady() {
  bool changed = false;
  for (Index i = s_.first_busy; i != kNone;) {
    const Index next = s_.streams[i].next_busy;
    const Index slot = s_.streams[i].first;
    Command& command = s_.commands[slot];
    i = next;
    if (command.state != CommandState::kQueued || !MayStart(command)) continue;
    changed = true;
    command.ready_ns = s_.at_ns;
    if (command.kind == WorkKind::kNothing) {
      Complete(slot);
    } else if (command.kind == WorkKind::kHost) {
      command.state = CommandState::kRunning;
      command.done_order = ++s_.last_done;
    } else {
      command.state = CommandState::kReady;
    }
  }
  return changed;
}

bool Timeline::MayStart(const Command& command) const {
  return command.earliest_ns <= s_.at_ns && IsDone(command.wait) && BarrierPassed(command);
}

bool Timeline::BarrierPassed(const Command& command) const {
  const StreamKind mine = StreamOf(command).kind;
  if (mine == StreamKind::kNonBlocking) return true;
  const StreamKind other = mine == StreamKind::kLegacy ? StreamKind::kBlocking : StreamKind::kLegacy;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Stream& stream = s_.streams[i];
    if (stream.context != command.context || stream.kind != other) continue;
    if (s_.commands[stream.first].sequence < command.sequence) return false;
  }
  return true;
}

bool Timeline::HasKernel(Index context) const {
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Command& command = s_.commands[s_.streams[i].first];
    if (command.context == context && command.kind == WorkKind::kKernel &&
        command.state != CommandState::kQueued) {
      return true;
    }
  }
  return false;
}

// In turn: the next one after the owner, the owner itself last.
Index Timeline::NextContextWithKernel() const {
  const Index after = s_.owner == kNone ? kContexts - 1 : s_.owner;
  Index best = kNone;
  Index best_distance = kNone;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Command& command = s_.commands[s_.streams[i].first];
    if (command.kind != WorkKind::kKernel || command.state == CommandState::kQueued) continue;
    const Index distance = (command.context + kContexts - after - 1) % kContexts;
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = command.context;
  }
  return best;
}

bool Timeline::TakeTurns() {
  if (s_.parameters.sharing != Sharing::kSliced) return false;
  if (s_.turn && HasKernel(s_.owner)) {
    if (s_.at_ns < s_.slice_end_ns) return false;
    const Index other = NextContextWithKernel();
    if (other == s_.owner) {
      s_.slice_end_ns = s_.at_ns + s_.parameters.slice_ns;
      return true;
    }
    for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
      Command& command = s_.commands[s_.streams[i].first];
      if (command.kind == WorkKind::kKernel && command.state == CommandState::kRunning) {
        command.state = CommandState::kReady;
      }
    }
    BeginTurn(other);
    return true;
  }
  const bool ended = s_.turn;
  s_.turn = false;
  const Index next = NextContextWithKernel();
  if (next == kNone) return ended;
  BeginTurn(next);
  return true;
}

void Timeline::BeginTurn(Index context) {
  const bool changes = s_.owner != kNone && s_.owner != context;
  s_.switches += changes ? 1 : 0;
  s_.owner = context;
  s_.turn = true;
  s_.switched_ns = s_.at_ns + (changes ? s_.parameters.switch_ns : 0);
  s_.slice_end_ns = s_.switched_ns + std::max<Ns>(1, s_.parameters.slice_ns);
}

// True: `command` takes the engine before the other.
bool Timeline::Goes(const Command& command, const Command& before) const {
  const bool priorities = command.kind == WorkKind::kKernel && s_.parameters.sharing != Sharing::kFifo;
  const std::int32_t mine = StreamOf(command).priority;
  const std::int32_t other = StreamOf(before).priority;
  if (priorities && mine != other) return mine < other;
  if (command.ready_ns != before.ready_ns) return command.ready_ns < before.ready_ns;
  return command.sequence < before.sequence;
}

Index Timeline::NextReady(WorkKind kind, std::uint8_t engine) const {
  const bool turns = kind == WorkKind::kKernel && s_.parameters.sharing == Sharing::kSliced;
  Index best = kNone;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Index slot = s_.streams[i].first;
    const Command& command = s_.commands[slot];
    if (command.kind != kind || command.state != CommandState::kReady) continue;
    if (kind == WorkKind::kCopy && command.engine != engine) continue;
    if (turns && command.context != s_.owner) continue;
    if (best == kNone || Goes(command, s_.commands[best])) best = slot;
  }
  return best;
}

bool Timeline::StartKernels() {
  if (s_.parameters.sharing == Sharing::kSliced && (!s_.turn || s_.at_ns < s_.switched_ns)) return false;
  std::int32_t used = 0;
  for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
    const Command& command = s_.commands[s_.streams[i].first];
    if (command.kind == WorkKind::kKernel && command.state == CommandState::kRunning)
      used += command.occupancy;
  }
  bool changed = false;
  for (;;) {
    const Index slot = NextReady(WorkKind::kKernel, 0);
    if (slot == kNone) return changed;
    Command& command = s_.commands[slot];
    const bool fits = s_.parameters.sharing != Sharing::kFifo && used + command.occupancy <= kWhole;
    if (used > 0 && !fits) return changed;
    command.state = CommandState::kRunning;
    used += command.occupancy;
    changed = true;
  }
}

bool Timeline::StartCopies() {
  bool changed = false;
  for (std::uint32_t engine = 0; engine < s_.parameters.copy_engines; ++engine) {
    bool taken = false;
    for (Index i = s_.first_busy; i != kNone; i = s_.streams[i].next_busy) {
      const Command& command = s_.commands[s_.streams[i].first];
      taken = taken || (command.kind == WorkKind::kCopy && command.engine == engine &&
                        command.state == CommandState::kRunning);
    }
    const Index slot = taken ? kNone : NextReady(WorkKind::kCopy, static_cast<std::uint8_t>(engine));
    if (slot == kNone) continue;
    s_.commands[slot].state = CommandState::kRunning;
    changed = true;
  }
  return changed;
}

void Timeline::FinishHost(CommandId id) {
  if (id.slot >= kCommands) return;
  const Command& command = s_.commands[id.slot];
  if (command.sequence == 0 || command.sequence != id.sequence) return;
  if (command.kind == WorkKind::kHost && command.state == CommandState::kRunning) Complete(id.slot);
}

}  // namespace mortar::simcuda
