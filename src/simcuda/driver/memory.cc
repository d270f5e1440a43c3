// Allocations on the device and of pinned host memory. Managed memory is refused: there are no faults to
// simulate.
#include "simcuda/driver/memory.h"

#include <sys/mman.h>

#include <bit>

#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

struct Range {
  std::size_t bytes = 0;    // as asked for
  std::size_t granted = 0;  // as accounted and mapped
  Where where = Where::kPageable;
  SimContext* context = nullptr;
};

constexpr std::size_t kGrain = 4096;         // host pages; real devices hand out 512 B of 2 MiB pages
constexpr unsigned int kKnownHostFlags = 7;  // portable, device map, write combined

constinit std::mutex ranges_mutex;

// By address; guarded by ranges_mutex. Never destroyed.
std::map<std::uintptr_t, Range>& Ranges() {
  static auto* ranges = new std::map<std::uintptr_t, Range>;
  return *ranges;
}

void* Map(std::size_t bytes) {
  void* address =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

CUresult Allocate(std::size_t bytes, Where where, std::uintptr_t* out) {
  SimContext* context = Current();
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (bytes > SIZE_MAX - kGrain) return CUDA_ERROR_OUT_OF_MEMORY;
  const std::size_t granted = (bytes + kGrain - 1) / kGrain * kGrain;
  if (where == Where::kDevice) {
    SharedDevice::Session session(TheWorld()->device);
    if (!session->Allocate(context->index, granted)) return CUDA_ERROR_OUT_OF_MEMORY;
  }
  void* address = Map(granted);
  if (address == nullptr) {
    SharedDevice::Session session(TheWorld()->device);
    if (where == Where::kDevice) session->Free(context->index, granted);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *out = std::bit_cast<std::uintptr_t>(address);
  const std::lock_guard lock(ranges_mutex);
  Ranges()[*out] = {bytes, granted, where, context};
  return CUDA_SUCCESS;
}

CUresult Release(std::uintptr_t address, Where where) {
  if (Current() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (address == 0) return CUDA_SUCCESS;
  Range range;
  {
    const std::lock_guard lock(ranges_mutex);
    const auto found = Ranges().find(address);
    if (found == Ranges().end() || found->second.where != where) return CUDA_ERROR_INVALID_VALUE;
    range = found->second;
    Ranges().erase(found);
  }
  WaitForContext(*range.context);  // work that uses it may be under way
  if (where == Where::kDevice) {
    SharedDevice::Session session(TheWorld()->device);
    session->Free(range.context->index, range.granted);
  }
  munmap(reinterpret_cast<void*>(address), range.granted);
  return CUDA_SUCCESS;
}

}  // namespace

Where WhereIs(std::uintptr_t address, std::size_t bytes) {
  const std::lock_guard lock(ranges_mutex);
  auto after = Ranges().upper_bound(address);
  if (after == Ranges().begin()) return Where::kPageable;
  const auto& [begin, range] = *--after;
  const std::size_t offset = address - begin;
  return offset <= range.bytes && bytes <= range.bytes - offset ? range.where : Where::kPageable;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* dptr, std::size_t bytesize) {
  std::uintptr_t address = 0;
  const CUresult result = Allocate(bytesize, Where::kDevice, dptr == nullptr ? nullptr : &address);
  if (result == CUDA_SUCCESS) *dptr = address;
  return result;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemFree_v2(CUdeviceptr dptr) { return Release(dptr, Where::kDevice); }

MORTAR_SIMCUDA_EXPORT CUresult cuMemHostAlloc(void** pp, std::size_t bytesize, unsigned int Flags) {
  if (Flags > kKnownHostFlags) return CUDA_ERROR_INVALID_VALUE;
  std::uintptr_t address = 0;
  const CUresult result = Allocate(bytesize, Where::kPinned, pp == nullptr ? nullptr : &address);
  if (result == CUDA_SUCCESS) *pp = reinterpret_cast<void*>(address);
  return result;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemAllocHost_v2(void** pp, std::size_t bytesize) {
  return cuMemHostAlloc(pp, bytesize, 0);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemFreeHost(void* p) {
  return Release(std::bit_cast<std::uintptr_t>(p), Where::kPinned);
}

MORTAR_SIMCUDA_EXPORT CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  if (Current() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (free == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SharedDevice::Session session(TheWorld()->device);
  *free = session->FreeBytes();
  *total = TheWorld()->description.memory_bytes;
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
