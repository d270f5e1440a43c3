// Allocations on the device and of pinned and managed host memory.
#include "simcuda/driver/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "simcuda/driver/captures.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

constexpr std::size_t kGrain = 4096;  // host pages; real devices hand out 512 B of 2 MiB pages
constexpr std::size_t kPitch = 512;
constexpr unsigned int kKnownHostFlags = 7;       // portable, device map, write combined
constexpr unsigned int kKnownRegisterFlags = 15;  // portable, device map, IO memory, read only

constinit std::mutex ranges_mutex;
constinit std::uint64_t last_id = 0;  // guarded by ranges_mutex

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

bool IsAccounted(Where where) { return where == Where::kDevice || where == Where::kManaged; }

// REQUIRES: ranges_mutex held. Null: none.
const Range* Find(std::uintptr_t address) {
  auto after = Ranges().upper_bound(address);
  if (after == Ranges().begin()) return nullptr;
  const Range& range = (--after)->second;
  return address - range.begin <= range.bytes ? &range : nullptr;
}

CUresult Allocate(std::size_t bytes, Where where, unsigned int flags, std::uintptr_t* out) {
  if (const CUresult unsafe = RefuseUnsafe(); unsafe != CUDA_SUCCESS) return unsafe;
  return TakeMemory(bytes, where, flags, nullptr, out);
}

CUresult Free(std::uintptr_t address, bool pinned) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  if (address == 0) return CUDA_SUCCESS;
  if (const CUresult unsafe = RefuseUnsafe(); unsafe != CUDA_SUCCESS) return unsafe;
  Range range;
  const bool found =
      pinned ? ForgetRange(address, Where::kPinned, &range)
             : ForgetRange(address, Where::kDevice, &range) || ForgetRange(address, Where::kManaged, &range);
  if (!found) return CUDA_ERROR_INVALID_VALUE;
  WaitForAll();  // work that uses it may be under way
  GiveBack(range);
  return range.context->error.load();
}

CUresult Register(void* pointer, std::size_t bytes, unsigned int flags) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  const auto address = std::bit_cast<std::uintptr_t>(pointer);
  if (address == 0 || bytes == 0 || flags > kKnownRegisterFlags) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(ranges_mutex);
  const auto next = Ranges().lower_bound(address);
  const Range* before = Find(address);
  if ((next != Ranges().end() && next->first < address + bytes) ||
      (before != nullptr && address - before->begin < before->bytes))
    return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
  Ranges()[address] = {address, bytes,           0,      Where::kPinned, flags, ++last_id,
                       context, context->device, nullptr};
  return CUDA_SUCCESS;
}

CUresult Unregister(void* pointer) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  const auto address = std::bit_cast<std::uintptr_t>(pointer);
  {
    const std::lock_guard lock(ranges_mutex);
    const auto found = Ranges().find(address);
    if (found == Ranges().end() || found->second.granted != 0) return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
    context = found->second.context;
    Ranges().erase(found);
  }
  WaitForAll();
  return context->error.load();
}

}  // namespace

Where WhereIs(std::uintptr_t address, std::size_t bytes) {
  const std::lock_guard lock(ranges_mutex);
  const Range* range = Find(address);
  return range != nullptr && bytes <= range->bytes - (address - range->begin) ? range->where
                                                                              : Where::kPageable;
}

bool FindRange(std::uintptr_t address, Range* range) {
  const std::lock_guard lock(ranges_mutex);
  const Range* found = Find(address);
  if (found == nullptr || address - found->begin == found->bytes) return false;
  *range = *found;
  return true;
}

CUresult TakeMemory(std::size_t bytes, Where where, unsigned int flags, SimPool* pool, std::uintptr_t* out) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  if (out == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (bytes > SIZE_MAX - kGrain) return CUDA_ERROR_OUT_OF_MEMORY;
  Range range{0,   bytes, (bytes + kGrain - 1) / kGrain * kGrain, where, flags, 0, context, context->device,
              pool};
  if (IsAccounted(where)) {
    SharedDevice::Session session(context->device->shared);
    if (!session->Allocate(context->index, range.granted)) return CUDA_ERROR_OUT_OF_MEMORY;
  }
  range.begin = std::bit_cast<std::uintptr_t>(Map(range.granted));
  if (range.begin == 0) {
    SharedDevice::Session session(context->device->shared);
    if (IsAccounted(where)) session->Free(context->index, range.granted);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *out = range.begin;
  const std::lock_guard lock(ranges_mutex);
  range.id = ++last_id;
  Ranges()[range.begin] = range;
  if (pool != nullptr) {
    pool->used += range.granted;
    pool->most_used = std::max(pool->most_used.load(), pool->used.load());
  }
  return CUDA_SUCCESS;
}

bool ForgetRange(std::uintptr_t address, Where where, Range* range) {
  const std::lock_guard lock(ranges_mutex);
  const auto found = Ranges().find(address);
  if (found == Ranges().end() || found->second.where != where || found->second.granted == 0) return false;
  *range = found->second;
  Ranges().erase(found);
  if (range->pool != nullptr) range->pool->used -= std::min(range->pool->used.load(), range->granted);
  return true;
}

void GiveBack(const Range& range) {
  if (IsAccounted(range.where)) {
    SharedDevice::Session session(range.device->shared);
    if (const Index account = range.context->index; account != kNone) session->Free(account, range.granted);
  }
  if (range.granted > 0) munmap(reinterpret_cast<void*>(range.begin), range.granted);
}

void FreeMemoryOf(const SimContext& context) {
  std::vector<Range> gone;
  {
    const std::lock_guard lock(ranges_mutex);
    for (const auto& [address, range] : Ranges()) {
      if (range.context == &context) gone.push_back(range);
    }
    for (const Range& range : gone) {
      Ranges().erase(range.begin);
      if (range.pool != nullptr) range.pool->used -= std::min(range.pool->used.load(), range.granted);
    }
  }
  for (const Range& range : gone) {
    if (range.granted > 0) munmap(reinterpret_cast<void*>(range.begin), range.granted);
  }
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* dptr, std::size_t bytesize) {
  std::uintptr_t address = 0;
  const CUresult result = Allocate(bytesize, Where::kDevice, 0, dptr == nullptr ? nullptr : &address);
  if (result == CUDA_SUCCESS) *dptr = address;
  return result;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr* dptr, std::size_t* pPitch,
                                                  std::size_t WidthInBytes, std::size_t Height,
                                                  unsigned int ElementSizeBytes) {
  const bool known = ElementSizeBytes == 4 || ElementSizeBytes == 8 || ElementSizeBytes == 16;
  if (dptr == nullptr || pPitch == nullptr || !known || WidthInBytes == 0 || Height == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (WidthInBytes > SIZE_MAX / 2 / Height) return CUDA_ERROR_OUT_OF_MEMORY;
  const std::size_t pitch = (WidthInBytes + kPitch - 1) / kPitch * kPitch;
  const CUresult result = cuMemAlloc_v2(dptr, pitch * Height);
  if (result == CUDA_SUCCESS) *pPitch = pitch;
  return result;
}
// No page moves and none faults: it is memory that host and device both see.
MORTAR_SIMCUDA_EXPORT CUresult cuMemAllocManaged(CUdeviceptr* dptr, std::size_t bytesize,
                                                 unsigned int flags) {
  constexpr unsigned int kGlobal = 1;
  constexpr unsigned int kHost = 2;
  if (flags != kGlobal && flags != kHost) return CUDA_ERROR_INVALID_VALUE;
  std::uintptr_t address = 0;
  const CUresult result = Allocate(bytesize, Where::kManaged, 0, dptr == nullptr ? nullptr : &address);
  if (result == CUDA_SUCCESS) *dptr = address;
  return result;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemFree_v2(CUdeviceptr dptr) { return Free(dptr, false); }

MORTAR_SIMCUDA_EXPORT CUresult cuMemHostAlloc(void** pp, std::size_t bytesize, unsigned int Flags) {
  if (Flags > kKnownHostFlags) return CUDA_ERROR_INVALID_VALUE;
  std::uintptr_t address = 0;
  const CUresult result = Allocate(bytesize, Where::kPinned, Flags, pp == nullptr ? nullptr : &address);
  if (result == CUDA_SUCCESS) *pp = reinterpret_cast<void*>(address);
  return result;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemAllocHost_v2(void** pp, std::size_t bytesize) {
  return cuMemHostAlloc(pp, bytesize, 0);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemFreeHost(void* p) {
  return p == nullptr ? CUDA_ERROR_INVALID_VALUE : Free(std::bit_cast<std::uintptr_t>(p), true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemHostRegister_v2(void* p, std::size_t bytesize, unsigned int Flags) {
  return Register(p, bytesize, Flags);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemHostRegister(void* p, std::size_t bytesize, unsigned int Flags) {
  return Register(p, bytesize, Flags);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemHostUnregister(void* p) { return Unregister(p); }

MORTAR_SIMCUDA_EXPORT CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  if (free == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SharedDevice::Session session(context->device->shared);
  *free = session->FreeBytes();
  *total = context->device->description.memory_bytes;
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
