// How every enqueue goes: placed on the timeline before the driver's call (so that the order of calls, not
// the driver's own speed, decides the order on the device), taken back if the driver refuses. Any thread.
#pragma once

#include <CL/cl.h>

#include <cstdint>

#include "emulated/layer/state.h"

namespace mortar::emulated {

struct Work {
  Kind kind = Kind::kDevice;
  std::int64_t duration_ns = 0;
  std::int64_t latency_ns = 0;
};

// A transfer of so many bytes. More than any device holds counts as none: the driver will refuse it.
Work Transfer(std::uint64_t bytes);

struct WaitList {
  cl_uint count = 0;
  const cl_event* events = nullptr;
};

// Sleeps until `end`, if the driver's wait, entered at `entered_ns`, returned before it; counts it as late if
// it returned after.
void WaitForEnd(const End& end, std::int64_t entered_ns);

class Enqueue {
 public:
  Enqueue(cl_command_queue queue, const Work& work, bool blocking, WaitList waits, cl_event* event);
  // What the driver is to write the event to: the program's, or one of ours where the command is deferred.
  cl_event* event() { return event_ != nullptr || !needs_event_ ? event_ : &own_; }
  // After the driver's call: waits for the modelled end if the call is blocking; returns `status`.
  cl_int Finish(cl_int status);
  // The same for calls that have no event: deferred, they are placed with the first command that waited for
  // them.
  cl_int FinishWithoutEvent(cl_int status);

 private:
  State& state_;
  const bool blocking_;
  cl_event* const event_;
  bool needs_event_ = false;
  cl_event own_ = nullptr;
  std::int64_t entered_ns_;
  Ticket ticket_;
};

// Makes `queue` known to the ledger if it is not, from what the driver tells of it. Null: nothing is modelled
// on it.
Timeline* EnsureQueue(cl_command_queue queue);
// The same for a queue just made: whatever had its handle before is forgotten.
void OpenQueue(cl_command_queue queue);

}  // namespace mortar::emulated
