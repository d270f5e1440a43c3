// Device memory that the program holds: counted where it is taken and given back, refused beyond what
// `--memory` allows, and shown in what the program can query.
//
// Any thread. Host memory, memory of other processes, nodes of graphs that allocate, and what the driver
// takes for itself (contexts, code) are not counted. memory.cc counts by address, memory_pools.cc by pool,
// memory_physical.cc what is created apart from addresses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/places.h"
#include "client/memory.h"

namespace mortar::cuda {

// As client::TakeMemory; first lets the pools of the device give back what they keep unused. False: an
// allocation of `bytes` is to fail with CUDA_ERROR_OUT_OF_MEMORY.
bool TakeOrTrim(client::Device* device, std::uint64_t bytes) noexcept;

// Around the program's own call that frees `address`, at once or in a stream: `call()` returns its status.
template <typename Call>
CUresult FreeMemory(CUdeviceptr address, Call&& call) noexcept;

// A context was destroyed, and its memory with it.
void OnContextMemoryGone(CUcontext context) noexcept;
// The primary context of a device was retained, and released or reset: the one that ended by that, or null.
void OnPrimaryRetained(CUdevice device, CUcontext context) noexcept;
CUcontext TakeEndedPrimary(CUdevice device) noexcept;

// Stream-ordered allocation from `pool` (null: the one of the stream's device); `call()` makes it.
struct PoolRequest {
  CUdeviceptr* out = nullptr;
  std::size_t bytes = 0;
  CUmemoryPool pool = nullptr;
  CUstream stream = nullptr;  // explicit
};
struct PoolTake {
  client::Device* device = nullptr;  // null: nothing is counted
  CUmemoryPool pool = nullptr;
  std::uint64_t taken = 0;
  bool refused = false;
};
PoolTake BeforePoolAllocation(const PoolRequest& request) noexcept;
// `status`: the driver's. Returns what the program is to get.
CUresult AfterPoolAllocation(const PoolRequest& request, const PoolTake& take, CUresult status) noexcept;

// What the pools of `device` keep is asked anew. `trim`: they give back what is unused.
void SyncPools(client::Device* device, bool trim) noexcept;

// Below: parts of the above.
extern client::MemoryLedger memory_ledger;

template <typename Call>
CUresult FreeMemory(CUdeviceptr address, Call&& call) noexcept {
  if (!Active() || address == 0) return call();
  // Before the call: behind it the address may be another's already.
  const auto entry = memory_ledger.Take(address);
  const CUresult status = call();
  if (!entry) {
    SyncPools(CurrentDevice(nullptr), false);
  } else if (status == CUDA_SUCCESS) {
    client::GiveMemoryBack(entry->device, entry->bytes);
  } else {
    memory_ledger.Put(address, *entry);
  }
  return status;
}

}  // namespace mortar::cuda
