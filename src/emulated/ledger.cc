// The ledger's queues, events and answers.
#include "emulated/ledger.h"

#include <algorithm>
#include <new>

#include "emulated/ledger_records.h"

namespace mortar::emulated {

bool Ledger::FindQueue(const void* queue, Timeline** timeline) {
  const Lock lock(*this);
  const Queue* record = queues_.Find(queue);
  *timeline = record == nullptr ? nullptr : record->timeline;
  return record != nullptr;
}

void Ledger::OpenQueue(const void* queue, Timeline* timeline, bool in_order) {
  const Lock lock(*this);
  Queue* stale = queues_.Find(queue);
  auto* record = new (std::nothrow) Queue;
  if (record == nullptr) return;
  record->refs = 1;
  record->timeline = timeline;
  record->in_order = in_order;
  if (!queues_.Put(queue, record)) {
    delete record;
  } else if (stale != nullptr) {
    UnrefQueue(stale);
  }
}

void Ledger::RetainQueue(const void* queue) {
  const Lock lock(*this);
  if (Queue* record = queues_.Find(queue)) ++record->program_refs;
}

void Ledger::ReleaseQueue(const void* queue) {
  const Lock lock(*this);
  Queue* record = queues_.Find(queue);
  if (record == nullptr || --record->program_refs > 0) return;
  queues_.Remove(queue);
  UnrefQueue(record);
}

void Ledger::AddUserEvent(const void* event) {
  const Lock lock(*this);
  if (Command* stale = events_.Find(event)) Forget(event, stale);
  Command* command = NewCommand();
  if (command == nullptr) return;
  command->user = true;
  command->kind = Kind::kMarker;
  command->event = event;
  command->program_refs = 1;
  if (!events_.Put(event, command)) Unref(command);
}

void Ledger::SetUserEvent(const void* event, std::int32_t status, std::int64_t now_ns) {
  const Lock lock(*this);
  Command* command = events_.Find(event);
  // The driver refuses a second setting and anything but complete or an error.
  if (command == nullptr || !command->user || command->state != State::kDeferred || status > 0) return;
  if (status < 0) {
    Fail(command);
  } else {
    Place(command, now_ns);
  }
}

// Drops the event from the table, whatever references the program was thought to hold.
void Ledger::Forget(const void* event, Command* command) {
  events_.Remove(event);
  command->event = nullptr;
  Unref(command);
}

void Ledger::RetainEvent(const void* event) {
  const Lock lock(*this);
  if (Command* command = events_.Find(event)) ++command->program_refs;
}

void Ledger::ReleaseEvent(const void* event) {
  const Lock lock(*this);
  Command* command = events_.Find(event);
  if (command == nullptr || command->program_refs == 0) return;
  if (--command->program_refs == 0 && command->holds == 0) Forget(event, command);
}

Command* Ledger::Hold(const void* event) {
  const Lock lock(*this);
  Command* command = events_.Find(event);
  if (command == nullptr || command->user) return nullptr;
  ++command->holds;
  ++command->refs;
  return command;
}

void Ledger::Unhold(Command* command) {
  const Lock lock(*this);
  if (--command->holds == 0 && command->program_refs == 0 && command->event != nullptr) {
    Forget(command->event, command);
  }
  Unref(command);
}

std::uint32_t Ledger::HoldsOf(const void* event) {
  const Lock lock(*this);
  const Command* command = events_.Find(event);
  return command == nullptr ? 0 : command->holds;
}

End Ledger::EndOf(const void* event, std::int64_t now_ns) {
  const Lock lock(*this);
  Command* command = events_.Find(event);
  if (command == nullptr || command->user) return {};
  if (command->state == State::kDeferred) PlaceWithDependencies(command, now_ns);
  if (command->state != State::kPlaced) return {};
  return {command->times.end_ns, command->timeline};
}

End Ledger::EndOfHeld(Command* command, std::int64_t now_ns) {
  const Lock lock(*this);
  if (command->state == State::kDeferred) PlaceWithDependencies(command, now_ns);
  if (command->state != State::kPlaced) return {};
  return {command->times.end_ns, command->timeline};
}

std::int64_t Ledger::StartOfHeld(Command* command, std::int64_t now_ns) {
  const Lock lock(*this);
  return command->state == State::kPlaced ? command->times.start_ns : now_ns;
}

bool Ledger::TimesOf(const void* event, std::int64_t now_ns, Times* times) {
  const Lock lock(*this);
  Command* command = events_.Find(event);
  if (command == nullptr || command->user) return false;
  if (command->state == State::kDeferred) PlaceWithDependencies(command, now_ns);
  *times = command->times;
  return command->state == State::kPlaced;
}

std::int32_t Ledger::StatusOf(const void* event, std::int32_t driver_status, std::int64_t now_ns) {
  const Lock lock(*this);
  Command* command = events_.Find(event);
  if (command == nullptr || command->user || driver_status < 0) return driver_status;
  if (command->state == State::kDeferred && driver_status == kStatusComplete)
    PlaceWithDependencies(command, now_ns);
  if (command->state == State::kFailed) return driver_status;
  std::int32_t modelled = kStatusSubmitted;
  if (command->state == State::kPlaced && now_ns >= command->times.start_ns) modelled = kStatusRunning;
  if (command->state == State::kPlaced && now_ns >= command->times.end_ns) modelled = kStatusComplete;
  return std::max(driver_status, modelled);
}

std::uint64_t Ledger::Mark() {
  const Lock lock(*this);
  return sequence_;
}

End Ledger::EndOfQueue(const void* queue, std::uint64_t mark, std::int64_t now_ns) {
  const Lock lock(*this);
  Queue* record = queues_.Find(queue);
  if (record == nullptr) return {};
  // Placing a command takes it, and what it waits for, off the list: start again from the first each time.
  Command* command = record->first_deferred;
  while (command != nullptr) {
    const bool was_enqueued = command->committed != 0 && command->committed <= mark;
    if (was_enqueued) PlaceWithDependencies(command, now_ns);
    command = was_enqueued ? record->first_deferred : command->next;
  }
  if (record->max_end_ns == 0) return {};
  return {record->max_end_ns, record->timeline};
}

void Ledger::AfterForkInChild() {
  pthread_mutex_init(&mutex_, nullptr);
  // The records stay where they are: to free them would touch memory that the parent still shares
  // copy-on-write.
  queues_.Clear();
  events_.Clear();
  free_ = nullptr;
}

}  // namespace mortar::emulated
