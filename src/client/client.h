// What a backend (OpenCL layer, CUDA shim) needs of Mortar inside a process: devices, and the calling
// thread's lane.
//
// Any thread. After fork, a child finds itself unjoined and joins anew at its next submit. Fail open:
// whatever goes wrong, CurrentLane answers null and the program runs as if Mortar were not there; one line on
// stderr says why.
#pragma once

#include <string_view>

#include "client/lane.h"
#include "model/kernel_id.h"

namespace mortar::client {

class Device;  // a device that this process uses; lives as long as the process

// Reads the environment once. False: Mortar is not to do anything (disabled, or bad environment). With
// MORTAR_STRICT=1 and bad environment *refuse is set: the backend must then answer the program's first call
// with an error.
bool Start(bool* refuse);

// The device called `name` (PCI address or UUID or another name that all processes see alike). Allocates; not
// for the submit path. Null if Start said no.
Device* FindDevice(std::string_view name);

// The calling thread's lane on `device`; joins the board at the first call. Null: pass the call through. A
// few loads once warm.
Lane* CurrentLane(Device* device);

// With MORTAR_STRICT=1: joins now and says whether that went well. Else true. Not for the submit path.
bool StrictlyJoined(Device* device);

// As CurrentLane, but never joins: for waits.
Lane* LaneIfJoined(Device* device);

// How long the pieces of a long kernel or copy are to be; 0: they are submitted whole. A load.
std::int64_t SliceNs();

// The kernel `id` on this device. `name`: used when it is new. Null if the table is full.
predict::Kernel* FindKernel(Device* device, model::KernelId id, std::string_view name);
// The one that launches of `kernel` with these arguments are, where arguments are part of the identity
// (predict::Kernel::split).
predict::Kernel* FindKernel(Device* device, const predict::Kernel& kernel, std::uint64_t arguments);

// While one lives, the calling thread is inside a driver's callback: its submits are never held.
class CallbackScope {
 public:
  CallbackScope();
  ~CallbackScope();
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;
};
bool InCallback();

// The process ends in order: profiles are kept and slots freed. Later calls pass through.
void Shutdown();

}  // namespace mortar::client
