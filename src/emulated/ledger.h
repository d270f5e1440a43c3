// What the emulated device knows of queues, commands and events: which commands exist, what each waits for,
// and when each starts and ends on the timeline. Calls no OpenCL function and keeps no clock: handles are
// opaque, `now` is given. Any thread; one lock inside, never held while anything else is called.
//
//                 Begin, all it waits for is placed
//            +---------------------------------------------> kPlaced      (on the timeline; start and end
//            known)
//   call ----+                                                  ^
//            |                                                  | Resolve, EndOf, EndOfQueue: the driver has
//            really
//            +---------------------------------------------> kDeferred    completed it; what it waits for
//            goes first
//                 Begin, it waits for a user event,             |
//                 or for a command that does                    +---> kFailed  (driver error, negative
//                 status)
//
// Times are CLOCK_MONOTONIC nanoseconds.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "emulated/pointer_map.h"
#include "emulated/timeline.h"

namespace mortar::emulated {

enum class Kind : std::uint8_t {
  kDevice,   // takes the device: kernels and transfers
  kMarker,   // takes no time; without a wait list it waits for all before it
  kBarrier,  // the same, and all after it wait for it
};

struct Submission {
  const void* queue = nullptr;
  Kind kind = Kind::kDevice;
  std::int64_t duration_ns = 0;
  std::int64_t latency_ns = 0;
  std::uint32_t wait_count = 0;
  const void* const* wait_list = nullptr;
  bool wants_event = false;
  std::int64_t now_ns = 0;
};

struct Times {
  std::int64_t queued_ns = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

struct Command;
struct Queue;

// From Begin to Commit or Cancel, which must follow exactly once.
struct Ticket {
  Queue* queue = nullptr;      // null: the queue is unknown, nothing is modelled
  Command* command = nullptr;  // null: placed, and nobody will ask for it by event
  bool deferred = false;
  Kind kind = Kind::kDevice;
  std::int64_t duration_ns = 0;
  Timeline* timeline = nullptr;
  Placement placement;  // not deferred: start and end
};

struct End {
  std::int64_t end_ns = 0;  // 0: nothing modelled
  Timeline* timeline = nullptr;
};

// Values of CL_QUEUED … CL_COMPLETE.
inline constexpr std::int32_t kStatusQueued = 3;
inline constexpr std::int32_t kStatusSubmitted = 2;
inline constexpr std::int32_t kStatusRunning = 1;
inline constexpr std::int32_t kStatusComplete = 0;

class Ledger {
 public:
  Ledger() = default;
  Ledger(const Ledger&) = delete;

  // Queues. False: not known. OpenQueue forgets what was known under the same handle; it holds one reference.
  // Without a timeline nothing of the queue is modelled.
  bool FindQueue(const void* queue, Timeline** timeline);
  void OpenQueue(const void* queue, Timeline* timeline, bool in_order);
  void RetainQueue(const void* queue);
  void ReleaseQueue(const void* queue);

  // Before the driver's call: places the command or defers it. REQUIRES: wait_list has wait_count entries.
  Ticket Begin(const Submission& submission);
  // The driver took it. `event`: the program's, or null. Returns the command, held once more for Resolve,
  // where it is deferred and `will_resolve`; else null.
  Command* Commit(const Ticket& ticket, const void* event, bool will_resolve);
  // The driver refused it.
  void Cancel(const Ticket& ticket);
  // A deferred command that Commit returned is really complete (`status` 0) or failed (negative). Gives it
  // back.
  void Resolve(Command* command, std::int32_t status, std::int64_t now_ns);

  // User events wait for SetUserEvent; call it before the driver's own.
  void AddUserEvent(const void* event);
  void SetUserEvent(const void* event, std::int32_t status, std::int64_t now_ns);

  void RetainEvent(const void* event);
  void ReleaseEvent(const void* event);  // before the driver's own: its handle may be reused at once
  // For callbacks: the event outlives the program's references until Unhold. Null: not a modelled event.
  Command* Hold(const void* event);
  void Unhold(Command* command);
  // How many of the driver's references to `event` are held so.
  std::uint32_t HoldsOf(const void* event);

  // REQUIRES of the next three: the driver has completed the command. They place it if that is not done yet.
  End EndOf(const void* event, std::int64_t now_ns);
  End EndOfHeld(Command* command, std::int64_t now_ns);
  bool TimesOf(const void* event, std::int64_t now_ns, Times* times);  // false: not modelled
  // Start of a held command, or now where that is not known yet.
  std::int64_t StartOfHeld(Command* command, std::int64_t now_ns);
  // The status a program sees, where the driver says `driver_status`.
  std::int32_t StatusOf(const void* event, std::int32_t driver_status, std::int64_t now_ns);

  // A finish: Mark before the driver's call, EndOfQueue after; places what had been committed at Mark.
  std::uint64_t Mark();
  End EndOfQueue(const void* queue, std::uint64_t mark, std::int64_t now_ns);

  // Around fork. In the child everything is forgotten: the driver's objects are not usable there either.
  void BeforeFork() { pthread_mutex_lock(&mutex_); }
  void AfterForkInParent() { pthread_mutex_unlock(&mutex_); }
  void AfterForkInChild();

 private:
  struct Lock;

  std::uint32_t Gather(const Submission& submission, const Queue& queue, Command** deferred,
                       std::int64_t* ready_ns);
  Command* NewCommand();
  void Place(Command* command, std::int64_t now_ns);
  void PlaceWithDependencies(Command* command, std::int64_t now_ns);
  void Fail(Command* command);
  void Settle(Command* command);
  void Unref(Command* command);
  void UnrefQueue(Queue* queue);
  void Forget(const void* event, Command* command);

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  // All below: guarded by mutex_.
  PointerMap<Queue> queues_;
  PointerMap<Command> events_;
  Command* free_ = nullptr;
  std::uint64_t sequence_ = 0;
};

}  // namespace mortar::emulated
