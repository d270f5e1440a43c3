// The ledger's records (ledger.h): one for each command that somebody may still ask for, one for each queue.
// For the ledger's own two source files; everything here is guarded by the ledger's lock.
#pragma once

#include <pthread.h>

#include "emulated/ledger.h"

namespace mortar::emulated {

enum class State : std::uint8_t { kDeferred, kPlaced, kFailed };

// Held by: the event table (while the program or a callback has the event), its queue's list (while
// deferred), the commands that wait for it (while they are deferred), a ticket, a pending Resolve.
struct Command {
  std::uint32_t refs = 0;
  State state = State::kDeferred;
  Kind kind = Kind::kDevice;
  bool user = false;
  std::uint32_t program_refs = 0;
  std::uint32_t holds = 0;
  std::uint64_t committed = 0;  // sequence number; 0: the driver has not taken it yet
  const void* event = nullptr;
  Queue* queue = nullptr;  // null for user events; holds a reference while deferred
  Timeline* timeline = nullptr;
  std::int64_t duration_ns = 0;
  Times times;
  Command* previous = nullptr;  // queue's list of deferred commands, in the order of enqueueing
  Command* next = nullptr;      // … or the list of free records
  Command** waits_for = nullptr;
  std::uint32_t waits_for_count = 0;
  std::uint32_t waits_for_visited = 0;
  Command* path = nullptr;  // the walk of PlaceWithDependencies came from here
};

struct Queue {
  std::uint32_t refs = 0;  // the table, and every deferred command
  std::uint32_t program_refs = 1;
  const void* handle = nullptr;
  Timeline* timeline = nullptr;
  bool in_order = true;
  Command* last = nullptr;  // in-order: the last command while it is deferred
  std::int64_t last_end_ns = 0;
  Command* barrier = nullptr;  // out-of-order: the last barrier while it is deferred
  std::int64_t barrier_end_ns = 0;
  std::int64_t max_end_ns = 0;
  Command* first_deferred = nullptr;
  Command* last_deferred = nullptr;
};

struct Ledger::Lock {
  explicit Lock(Ledger& ledger) : ledger_(ledger) { pthread_mutex_lock(&ledger_.mutex_); }
  ~Lock() { pthread_mutex_unlock(&ledger_.mutex_); }
  Lock(const Lock&) = delete;
  Ledger& ledger_;
};

}  // namespace mortar::emulated
