// The one shape of every handler that submits: pass the gate, make the program's own call, remember its
// event.
#pragma once

#include <CL/cl_icd.h>

#include <cstdint>

#include "backend/opencl/layer.h"
#include "backend/opencl/samples.h"

namespace mortar::opencl {

// The calling thread comes to a queue where another submitted last: from now on nothing is put there in
// pieces, and what is under way in pieces is waited for (slices.h).
void ArriveAt(Queue& queue, const client::Lane* lane) noexcept;

// A submit on `queue` of `kernel` (null: unknown). `call(event*)` makes the driver's call with the event
// pointer to use. `blocking`: the call also waits for the command. `held`: it may be held at the gate.
// Returns what the driver returned.
template <typename Call>
cl_int Submit(cl_command_queue handle, Queue& queue, client::Lane* lane, predict::Kernel* kernel,
              bool blocking, cl_event* event, Call&& call, bool held = true) noexcept {
  if (queue.last_lane.load(std::memory_order_relaxed) != lane) [[unlikely]]
    ArriveAt(queue, lane);
  const client::Ticket ticket = lane->BeforeSubmit({.kernel = kernel,
                                                    .stream = queue.stream,
                                                    .ordered = queue.ordered,
                                                    .copies = model::kAnyCopies,  // not known here
                                                    .gated = held && !client::InCallback()});
  cl_event own = nullptr;
  const bool sample = ticket.sample && (queue.profiling || queue.forced);
  cl_event* asked = event != nullptr || !sample ? event : &own;
  if (blocking) lane->EnterWait();
  const cl_int status = call(asked);
  if (blocking) lane->LeaveWait(ticket.sequence);
  if (status != CL_SUCCESS) return status;
  queue.last_sequence.store(ticket.sequence, std::memory_order_release);  // pairs with RememberOrder
  if (event != nullptr) RememberEvent(*event, lane, ticket.sequence);
  if (sample) {
    if (own == nullptr) next.clRetainEvent(*asked);
    AddSample(*asked, lane, kernel, ticket.at_ns);
  }
  if (blocking) {
    CollectSamples(lane);
  } else if (ticket.fill) {
    // An admitted fill must reach the device now; a holder's queue is never flushed for it.
    next.clFlush(handle);
  }
  return status;
}

}  // namespace mortar::opencl
