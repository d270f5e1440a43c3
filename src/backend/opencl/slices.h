// A long command as several submits, each of which may fit into a gap: a kernel over parts of its range, a
// copy of parts of its bytes, one after another, enqueued by the program's own thread within its one call
// (principle 1: delay, never queue). Only where the client asked for it, nobody can tell (of a kernel its
// code shows it: slicing/), the queue is in order, and somebody is there to wait for.
//
// What the program sees is one command: the last piece's event is its event, whose profiling begins with the
// first piece; what it waits for holds back the first; a call that blocks does so for the last. An error of
// the first piece is the call's, and nothing is enqueued. If a later piece is refused (a driver out of
// memory), the rest is tried as one, and then its error is the call's.
//
// Another thread's command must not come between the pieces, as it could not come into the middle of a
// command: a queue that a second thread submits to gets no more pieces, and that thread waits for those under
// way.
#pragma once

#include <CL/cl_icd.h>

#include <optional>

#include "backend/opencl/layer.h"

namespace mortar::opencl {

// A call that enqueues.
struct Enqueue {
  cl_command_queue handle = nullptr;
  Queue& queue;
  client::Lane* lane = nullptr;
  cl_uint waits = 0;
  const cl_event* wait_list = nullptr;
  cl_event* event = nullptr;
  bool blocking = false;
};

// What the call's command is cut by. Parts are [first, first + count) of its units.
class Cuttable {
 public:
  std::size_t units = 0;
  // The last piece goes first: what the driver refuses there is refused before anything is enqueued.
  bool last_first = false;

  virtual model::KernelId Id() const = 0;  // of the whole
  virtual predict::Kernel* Identified(std::size_t first, std::size_t count) const = 0;
  // The driver's call for a part.
  virtual cl_int Call(std::size_t first, std::size_t count, const Enqueue& enqueue) const = 0;

 protected:
  Cuttable() = default;
  ~Cuttable() = default;
  Cuttable(const Cuttable&) = default;
  Cuttable& operator=(const Cuttable&) = default;
};

// May commands on this queue be in pieces at all, of this thread's and now?
bool MayCut(const Enqueue& enqueue) noexcept;
// The call's result; nullopt: submit it whole. REQUIRES: MayCut.
std::optional<cl_int> EnqueueInPieces(const Enqueue& enqueue, const Cuttable& command) noexcept;

// clEnqueueNDRangeKernel's own arguments, and what is known of its kernel.
struct RangeLaunch {
  cl_kernel kernel;
  const KernelInfo& info;
  cl_uint dimensions;
  const std::size_t* offset;
  const std::size_t* global;
  const std::size_t* local;
};
std::optional<cl_int> LaunchInPieces(const Enqueue& enqueue, const RangeLaunch& launch) noexcept;

// The event of the first piece of the command that `event` is the last of; else `event`.
cl_event FirstPieceOf(cl_event event) noexcept;

}  // namespace mortar::opencl
