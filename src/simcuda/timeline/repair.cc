// After a process died while it changed the state: every list is made anew from the records.
#include <algorithm>

#include "simcuda/timeline/timeline.h"

namespace mortar::simcuda {

bool Timeline::IsWhole(const Command& command) const {
  if (command.sequence == 0 || command.sequence > s_.last_sequence) return false;
  if (command.stream >= kStreams || command.context >= kContexts) return false;
  if (command.event != kNone && command.event >= kEvents) return false;
  if (command.kind > WorkKind::kHost || command.state > CommandState::kDone) return false;
  if (s_.contexts[command.context].pid == 0) return false;
  if (command.state == CommandState::kDone) return command.keep;
  const Stream& stream = s_.streams[command.stream];
  return stream.kind != StreamKind::kFree && stream.context == command.context;
}

void Timeline::Repair() {
  s_.first_busy = s_.free_command = kNone;
  s_.memory_bytes = 0;
  for (Context& context : s_.contexts) {
    context.first_notice = context.last_notice = kNone;
    if (context.pid == 0) context.memory_bytes = 0;
    s_.memory_bytes += context.memory_bytes;
  }
  for (Stream& stream : s_.streams) {
    stream.first = stream.last = kNone;
    stream.depth = 0;
    if (stream.kind > StreamKind::kNonBlocking || stream.context >= kContexts ||
        s_.contexts[stream.context].pid == 0) {
      stream.kind = StreamKind::kFree;
    }
  }
  for (Event& event : s_.events) {
    if (event.context >= kContexts || s_.contexts[event.context].pid == 0) event = {kNone, {}, 0, 0};
  }
  if (s_.owner >= kContexts || s_.contexts[s_.owner].pid == 0) {
    s_.owner = kNone;
    s_.turn = false;
  }
  RelinkCommands();
  for (Stream& stream : s_.streams) {
    if (stream.released && stream.first == kNone) stream.kind = StreamKind::kFree;
  }
}

void Timeline::RelinkCommands() {
  // On the stack (32 KiB), since this may run in a process that is out of memory.
  Index order[kCommands];
  Index count = 0;
  for (Index slot = 0; slot < kCommands; ++slot) {
    if (IsWhole(s_.commands[slot])) {
      order[count++] = slot;
    } else {
      FreeCommand(slot);
    }
  }
  const auto key = [this](Index slot) {
    const Command& command = s_.commands[slot];
    return command.state == CommandState::kDone ? command.done_order : command.sequence;
  };
  std::sort(order, order + count, [&](Index a, Index b) { return key(a) < key(b); });
  for (Index i = 0; i < count; ++i) {
    Command& command = s_.commands[order[i]];
    s_.last_done = std::max(s_.last_done, command.done_order);
    if (command.state == CommandState::kDone) {
      AppendNotice(order[i]);
      continue;
    }
    command.next = kNone;
    command.engine = static_cast<std::uint8_t>(command.engine % s_.parameters.copy_engines);
    Stream& stream = s_.streams[command.stream];
    if (stream.first == kNone) {
      stream.first = order[i];
      MakeBusy(command.stream);
    } else {
      s_.commands[stream.last].next = order[i];
      command.state = CommandState::kQueued;
    }
    stream.last = order[i];
    ++stream.depth;
  }
}

}  // namespace mortar::simcuda
