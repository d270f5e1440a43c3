// Which memory of this process is the simulated devices', pinned or managed; allocations and pools. Any
// thread; one lock inside, the last of all but a Session's.
//
// Device memory is memory of the process, so that copies and host kernels really work; a device pointer is
// its address. Not here: how much a device has left (Timeline::Allocate).
#pragma once

#include <cstddef>
#include <cstdint>

#include "simcuda/driver/world.h"

namespace mortar::simcuda {

enum class Where : std::uint8_t { kPageable, kDevice, kPinned, kManaged };

// Where the `bytes` from `address` on lie as a whole; kPageable: in no allocation of ours.
Where WhereIs(std::uintptr_t address, std::size_t bytes);

struct Range {
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;    // as asked for
  std::size_t granted = 0;  // as accounted and mapped; 0: the program's own memory, registered
  Where where = Where::kPageable;
  unsigned int flags = 0;  // of pinned memory, as given
  std::uint64_t id = 0;    // no two allocations have the same
  SimContext* context = nullptr;
  SimDevice* device = nullptr;
  SimPool* pool = nullptr;
};

// False: `address` lies in no allocation of ours.
bool FindRange(std::uintptr_t address, Range* range);

// Takes memory of `where`, for the current context or from `pool`. Errors: CUDA_ERROR_OUT_OF_MEMORY and
// Enter's.
CUresult TakeMemory(std::size_t bytes, Where where, unsigned int flags, SimPool* pool,
                    std::uintptr_t* address);
// The allocation that begins at `address` is nobody's from now on, though still mapped. False: none of
// `where`.
bool ForgetRange(std::uintptr_t address, Where where, Range* range);
// Gives it back to the device and to the process.
void GiveBack(const Range& range);
// All of a context that is being destroyed; its account is closed by whoever destroys it.
void FreeMemoryOf(const SimContext& context);

struct SimPool {
  SimDevice* device = nullptr;
  std::uint64_t release_threshold = 0;
  std::uint64_t used = 0, most_used = 0;  // bytes; guarded by memory's lock
  bool reuse[3] = {true, true, true};
  bool alive = true;
  bool default_one = false;
};
SimPool* MakePool(SimDevice& device);

}  // namespace mortar::simcuda
