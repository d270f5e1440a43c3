// A long kernel as several submits, each of which may fit into a gap: the same kernel over parts of its
// range, one after another, enqueued by the program's own thread within its one call (principle 1: delay,
// never queue). Only where the client asked for it, the kernel's code shows that nobody can tell (slicing/),
// the queue is in order, and somebody is there to wait for.
//
// What the program sees is one command: the last piece's event is its event, whose profiling begins with the
// first piece; what it waits for holds back the first. An error of the first piece is the call's, and nothing
// is enqueued. If a later piece is refused (a driver out of memory), the rest is tried as one, and then its
// error is the call's.
//
// Another thread's command must not come between the pieces, as it could not come into the middle of a
// kernel: a queue that a second thread submits to gets no more pieces, and that thread waits for those under
// way.
#pragma once

#include <CL/cl_icd.h>

#include <optional>

#include "backend/opencl/layer.h"

namespace mortar::opencl {

// clEnqueueNDRangeKernel's arguments, and what is known of them.
struct RangeLaunch {
  cl_command_queue handle;
  Queue& queue;
  client::Lane* lane;
  cl_kernel kernel;
  const KernelInfo& info;
  cl_uint dimensions;
  const std::size_t* offset;
  const std::size_t* global;
  const std::size_t* local;
  cl_uint waits;
  const cl_event* wait_list;
  cl_event* event;
};

// The call's result; nullopt: submit it whole.
std::optional<cl_int> EnqueueInPieces(const RangeLaunch& launch) noexcept;

// The event of the first piece of the command that `event` is the last of; else `event`.
cl_event FirstPieceOf(cl_event event) noexcept;

}  // namespace mortar::opencl
