// The ledger's way of a command: Begin, Commit or Cancel, placing.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "emulated/ledger_records.h"

namespace mortar::emulated {
namespace {

void Link(Queue* queue, Command* command) {
  command->previous = queue->last_deferred;
  command->next = nullptr;
  (queue->last_deferred != nullptr ? queue->last_deferred->next : queue->first_deferred) = command;
  queue->last_deferred = command;
  ++command->refs;
  ++queue->refs;
}

void Unlink(Queue* queue, Command* command) {
  (command->previous != nullptr ? command->previous->next : queue->first_deferred) = command->next;
  (command->next != nullptr ? command->next->previous : queue->last_deferred) = command->previous;
  command->previous = command->next = nullptr;
}

void NoteEnd(Queue* queue, Kind kind, std::int64_t end_ns) {
  queue->last_end_ns = std::max(queue->last_end_ns, end_ns);
  queue->max_end_ns = std::max(queue->max_end_ns, end_ns);
  if (kind == Kind::kBarrier) queue->barrier_end_ns = std::max(queue->barrier_end_ns, end_ns);
}

bool IsDeferred(const Command* command) { return command != nullptr && command->state == State::kDeferred; }

Times TimesFor(std::int64_t queued_ns, const Placement& placement) {
  return {queued_ns, placement.start_ns, placement.end_ns};
}

}  // namespace

Command* Ledger::NewCommand() {
  Command* command = free_;
  if (command != nullptr) {
    free_ = command->next;
    *command = Command{};
  } else {
    command = new (std::nothrow) Command;
  }
  if (command != nullptr) command->refs = 1;
  return command;
}

void Ledger::Unref(Command* command) {
  if (--command->refs > 0) return;
  command->next = free_;
  free_ = command;
}

void Ledger::UnrefQueue(Queue* queue) {
  if (--queue->refs == 0) delete queue;
}

// Counts what the submission waits for that is deferred itself, and writes it to `deferred` unless that is
// null; the latest end of the rest goes into *ready_ns.
std::uint32_t Ledger::Gather(const Submission& submission, const Queue& queue, Command** deferred,
                             std::int64_t* ready_ns) {
  std::uint32_t count = 0;
  const auto add = [&](Command* other) {
    if (deferred != nullptr) deferred[count] = other;
    ++count;
  };
  for (std::uint32_t i = 0; i < submission.wait_count; ++i) {
    Command* other = events_.Find(submission.wait_list[i]);
    if (IsDeferred(other)) add(other);
    if (other != nullptr && other->state == State::kPlaced)
      *ready_ns = std::max(*ready_ns, other->times.end_ns);
  }
  if (queue.in_order) {
    if (queue.last != nullptr) add(queue.last);
    *ready_ns = std::max(*ready_ns, queue.last_end_ns);
  } else if (submission.kind != Kind::kDevice && submission.wait_count == 0) {
    for (Command* other = queue.first_deferred; other != nullptr; other = other->next) add(other);
    *ready_ns = std::max(*ready_ns, queue.max_end_ns);
  } else {
    if (queue.barrier != nullptr) add(queue.barrier);
    *ready_ns = std::max(*ready_ns, queue.barrier_end_ns);
  }
  return count;
}

Ticket Ledger::Begin(const Submission& submission) {
  const Lock lock(*this);
  Ticket ticket;
  Queue* queue = queues_.Find(submission.queue);
  if (queue == nullptr || queue->timeline == nullptr) return ticket;
  std::int64_t ready_ns = submission.now_ns + submission.latency_ns;
  const std::uint32_t waits_for = Gather(submission, *queue, nullptr, &ready_ns);
  ticket.deferred = waits_for > 0;
  if (ticket.deferred || submission.wants_event) ticket.command = NewCommand();
  if (ticket.deferred && ticket.command != nullptr) {
    ticket.command->waits_for = static_cast<Command**>(std::malloc(waits_for * sizeof(Command*)));
    if (ticket.command->waits_for == nullptr) {
      Unref(ticket.command);
      ticket.command = nullptr;
    }
  }
  if (ticket.deferred && ticket.command == nullptr) return ticket;  // no memory: not modelled
  ticket.queue = queue;
  ticket.timeline = queue->timeline;
  ++queue->refs;
  ticket.kind = submission.kind;
  ticket.duration_ns = submission.kind == Kind::kDevice ? submission.duration_ns : 0;
  if (Command* command = ticket.command; command != nullptr) {
    command->kind = ticket.kind;
    command->queue = queue;
    command->timeline = queue->timeline;
    command->duration_ns = ticket.duration_ns;
    command->times.queued_ns = submission.now_ns;
  }
  if (ticket.deferred) {
    Command* command = ticket.command;
    command->waits_for_count = Gather(submission, *queue, command->waits_for, &ready_ns);
    for (std::uint32_t i = 0; i < command->waits_for_count; ++i) ++command->waits_for[i]->refs;
    Link(queue, command);
    if (queue->in_order) queue->last = command;
    if (command->kind == Kind::kBarrier) queue->barrier = command;
  } else if (ticket.kind == Kind::kDevice) {
    ticket.placement = queue->timeline->Place(submission.now_ns, ready_ns, ticket.duration_ns);
  } else {
    ticket.placement.start_ns = ticket.placement.end_ns = ready_ns;
  }
  return ticket;
}

Command* Ledger::Commit(const Ticket& ticket, const void* event, bool will_resolve) {
  const Lock lock(*this);
  if (ticket.queue == nullptr) return nullptr;
  Command* command = ticket.command;
  if (!ticket.deferred) {
    NoteEnd(ticket.queue, ticket.kind, ticket.placement.end_ns);
    if (ticket.kind == Kind::kDevice) ticket.queue->timeline->Count(ticket.duration_ns);
    if (command != nullptr) {
      command->state = State::kPlaced;
      command->times = TimesFor(command->times.queued_ns, ticket.placement);
    }
  }
  UnrefQueue(ticket.queue);
  if (command == nullptr) return nullptr;
  command->committed = ++sequence_;
  if (event != nullptr) {
    if (Command* stale = events_.Find(event)) Forget(event, stale);
    if (events_.Put(event, command)) {
      command->event = event;
      command->program_refs = 1;
      ++command->refs;
    }
  }
  if (ticket.deferred && will_resolve) return command;  // with the ticket's reference
  Unref(command);
  return nullptr;
}

void Ledger::Cancel(const Ticket& ticket) {
  const Lock lock(*this);
  if (ticket.queue == nullptr) return;
  if (!ticket.deferred && ticket.kind == Kind::kDevice) ticket.queue->timeline->Undo(ticket.placement);
  if (Command* command = ticket.command; command != nullptr) {
    if (IsDeferred(command) && ticket.deferred) {
      // What stood before it in the queue is the last again.
      Command* before =
          command->waits_for_count > 0 ? command->waits_for[command->waits_for_count - 1] : nullptr;
      const bool in_queue = IsDeferred(before) && before->queue == ticket.queue;
      if (ticket.queue->last == command && in_queue) ticket.queue->last = before;
      if (ticket.queue->barrier == command && in_queue && before->kind == Kind::kBarrier) {
        ticket.queue->barrier = before;
      }
      Fail(command);
    }
    Unref(command);
  }
  UnrefQueue(ticket.queue);
}

void Ledger::Resolve(Command* command, std::int32_t status, std::int64_t now_ns) {
  const Lock lock(*this);
  if (command->state == State::kDeferred) {
    if (status < 0) {
      Fail(command);
    } else {
      PlaceWithDependencies(command, now_ns);
    }
  }
  Unref(command);
}

// Leaves the deferred state: out of the queue's list, nothing waited for.
void Ledger::Settle(Command* command) {
  for (std::uint32_t i = 0; i < command->waits_for_count; ++i) Unref(command->waits_for[i]);
  std::free(command->waits_for);
  command->waits_for = nullptr;
  command->waits_for_count = 0;
  if (Queue* queue = command->queue; queue != nullptr) {
    Unlink(queue, command);
    if (queue->last == command) queue->last = nullptr;
    if (queue->barrier == command) queue->barrier = nullptr;
    command->queue = nullptr;
    UnrefQueue(queue);
    Unref(command);
  }
}

void Ledger::Fail(Command* command) {
  command->state = State::kFailed;
  Settle(command);
}

// REQUIRES: nothing that it waits for is deferred.
void Ledger::Place(Command* command, std::int64_t now_ns) {
  std::int64_t ready_ns = now_ns;
  for (std::uint32_t i = 0; i < command->waits_for_count; ++i) {
    const Command& other = *command->waits_for[i];
    if (other.state == State::kPlaced) ready_ns = std::max(ready_ns, other.times.end_ns);
  }
  Queue* queue = command->queue;
  if (queue != nullptr && queue->in_order) ready_ns = std::max(ready_ns, queue->last_end_ns);
  Placement placement;
  placement.start_ns = placement.end_ns = ready_ns;
  if (command->kind == Kind::kDevice && command->timeline != nullptr) {
    placement = command->timeline->Place(now_ns, ready_ns, command->duration_ns);
    command->timeline->Count(command->duration_ns);
  }
  command->times = TimesFor(command->times.queued_ns, placement);
  command->state = State::kPlaced;
  if (queue != nullptr) NoteEnd(queue, command->kind, placement.end_ns);
  Settle(command);
}

// Places what the command waits for, then itself: a walk without recursion, as chains may be long. What a
// command waits for was enqueued before it, so the walk ends. A user event met deferred was set by a call
// that has not yet come to SetUserEvent's lock: it counts as set now.
void Ledger::PlaceWithDependencies(Command* command, std::int64_t now_ns) {
  command->path = nullptr;
  while (command != nullptr) {
    Command* next = nullptr;
    while (next == nullptr && command->waits_for_visited < command->waits_for_count) {
      Command* other = command->waits_for[command->waits_for_visited++];
      if (IsDeferred(other)) next = other;
    }
    if (next != nullptr) {
      next->path = command;
      command = next;
      continue;
    }
    Command* back = command->path;
    Place(command, now_ns);
    command = back;
  }
}

}  // namespace mortar::emulated
