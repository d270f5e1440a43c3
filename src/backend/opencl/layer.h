// State of the OpenCL layer in this process: the dispatch table below us, and what is known of queues and
// kernels.
//
// The layer is a table of functions (clInitLayer) that the loader puts between the program and the driver.
// Handlers are noexcept and return the driver's own status unchanged (style rule 10).
#pragma once

#include <CL/cl_icd.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "backend/opencl/slicing/cut.h"
#include "base/handle_map.h"
#include "client/client.h"
#include "model/kernel_id.h"

namespace mortar::opencl {

// The functions below this layer. Set once by Install, read by all.
extern cl_icd_dispatch next;

// Copies `target` and returns the table to hand to the loader: ours, or a plain copy where Mortar is not to
// act.
const cl_icd_dispatch* Install(const cl_icd_dispatch& target, cl_uint entries);

struct Queue {
  client::Device* device = nullptr;
  std::uint64_t stream = 0;
  bool ordered = true;
  bool profiling = false;  // the program asked for it
  bool forced = false;     // we asked for it: hidden from every query
  // What the program gave to clCreateCommandQueueWithProperties, with the closing 0; for
  // CL_QUEUE_PROPERTIES_ARRAY.
  std::unique_ptr<cl_queue_properties[]> properties;
  std::size_t property_count = 0;
  // Whose the last submit here was, and its number: what a marker on this queue stands behind. Written by
  // Submit, read by whoever enqueues a marker.
  std::atomic<const client::Lane*> last_lane{nullptr};
  std::atomic<std::uint64_t> last_sequence{0};
  // Once a second thread has submitted here. The lane whose command is under way in pieces (slices.h).
  std::atomic<bool> several_threads{false};
  std::atomic<const client::Lane*> in_pieces{nullptr};
};

// What is kept of `queue`; learned by asking the driver where we did not see it made. Null: leave it alone.
Queue* FindQueue(cl_command_queue queue) noexcept;

// The device behind `device`, or behind the one that it is a part of; asks the driver at first. Null: none.
client::Device* DeviceOf(cl_device_id device);
// The same where DeviceOf has been asked before; else null.
client::Device* KnownDevice(cl_device_id device) noexcept;
// The calling thread's lane on the first of the context's devices that it has one on; null: none.
client::Lane* LaneOfContext(cl_context context) noexcept;

struct KernelInfo {
  std::uint64_t name_hash = 0;
  char name[64] = {};
  // Hash of the small scalar arguments: part of the identity where durations prove bimodal.
  std::atomic<std::uint64_t> arguments{0};
  std::atomic<slicing::Safety> safety{slicing::Safety::kNever};
  static constexpr cl_uint kArguments = 32;
  std::atomic<std::uint64_t> parts[kArguments] = {};
};
KernelInfo* FindKernelInfo(cl_kernel kernel) noexcept;
// What is known of such a launch; null: the table is full.
predict::Kernel* Identify(client::Device* device, const KernelInfo& info, const model::LaunchShape& shape);

// Which submit made an event, so that a wait for it tells what it covers. Fixed size: what is old is
// forgotten.
void RememberEvent(cl_event event, const client::Lane* lane, std::uint64_t sequence) noexcept;
// The submit of `lane` that made `event`; 0: not known, or another lane's.
std::uint64_t SequenceOf(cl_event event, const client::Lane* lane) noexcept;

// Adds the handlers of one file to `table`.
void InstallQueues(cl_icd_dispatch* table);
void InstallKernels(cl_icd_dispatch* table);
void InstallTransfers(cl_icd_dispatch* table);
void InstallCommands(cl_icd_dispatch* table);
void InstallExtensions(cl_icd_dispatch* table);
void InstallPrograms(cl_icd_dispatch* table);
void InstallSlices(cl_icd_dispatch* table);
void InstallCopies(cl_icd_dispatch* table);  // over InstallTransfers
void InstallWaits(cl_icd_dispatch* table);

}  // namespace mortar::opencl
