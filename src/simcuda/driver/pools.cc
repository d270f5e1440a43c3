// Stream-ordered allocation. Memory is taken when the call is made and given back when its free comes up in
// the stream; nothing is kept for reuse, so that pools differ in what they count alone.
#include <algorithm>

#include "simcuda/driver/abi.h"
#include "simcuda/driver/captures.h"
#include "simcuda/driver/memory.h"

namespace mortar::simcuda {
namespace {

// CUmemPool_attribute.
enum : int {
  kReuseFirst = 1,
  kReuseLast = 3,
  kReleaseThreshold = 4,
  kReservedNow = 5,
  kReservedMost = 6,
  kUsedNow = 7,
  kUsedMost = 8
};
constexpr int kDeviceLocation = 1;  // CU_MEM_LOCATION_TYPE_DEVICE
constexpr int kPinnedType = 1;      // CU_MEM_ALLOCATION_TYPE_PINNED
constexpr int kReadWrite = 3;       // CU_MEM_ACCESS_FLAGS_PROT_READWRITE

constinit std::mutex pools_mutex;
// Guarded by pools_mutex; never destroyed, as its records.
std::unordered_set<SimPool*>& Pools() {
  static auto* pools = new std::unordered_set<SimPool*>;
  return *pools;
}

// Null: not a pool that lives.
SimPool* FindPool(CUmemoryPool handle) {
  const std::lock_guard lock(pools_mutex);
  const auto found = Pools().find(reinterpret_cast<SimPool*>(handle));
  return found != Pools().end() && (*found)->alive ? *found : nullptr;
}

CUresult Take(CUdeviceptr* out, std::size_t bytes, SimPool* pool, CUstream handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  SimDevice& device = *stream->context->device;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (pool == nullptr) {
    const std::lock_guard lock(TheWorld()->mutex);
    pool = device.pool;
  }
  std::uintptr_t address = 0;
  CUresult taken = TakeMemory(bytes, Where::kDevice, 0, pool, &address);
  if (taken == CUDA_ERROR_OUT_OF_MEMORY) {
    // What streams will free may be enough.
    WaitForContext(*stream->context);
    taken = TakeMemory(bytes, Where::kDevice, 0, pool, &address);
  }
  if (taken != CUDA_SUCCESS) return taken;
  Operation marker;
  marker.type = NodeType::kAlloc;
  const CUresult submitted = Enqueue(*stream, marker);
  if (submitted == CUDA_SUCCESS) {
    *out = address;
    return CUDA_SUCCESS;
  }
  Range range;
  if (ForgetRange(address, Where::kDevice, &range)) GiveBack(range);
  return submitted;
}

// In a capture the memory stays: the graph may be launched again.
CUresult FreeLater(CUdeviceptr address, CUstream handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (address == 0) return CUDA_ERROR_INVALID_VALUE;
  Operation freeing;
  freeing.type = NodeType::kFree;
  bool captured = false;
  const CUresult added = AddToCapture(*stream, freeing, &captured);
  if (added != CUDA_SUCCESS || captured) return added;
  Range range;
  if (!ForgetRange(address, Where::kDevice, &range) && !ForgetRange(address, Where::kManaged, &range))
    return CUDA_ERROR_INVALID_VALUE;
  freeing.run = [range] { GiveBack(range); };
  freeing.despite_error = true;
  return Enqueue(*stream, freeing);
}

CUresult PoolOf(CUdevice dev, CUmemoryPool* out, bool default_one) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  const SimDevice* device = FindDevice(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(TheWorld()->mutex);
  *out = HandleOf<CUmemoryPool>(default_one ? device->default_pool : device->pool);
  return CUDA_SUCCESS;
}

CUresult GetAttribute(const SimPool& pool, int attribute, void* value) {
  if (attribute >= kReuseFirst && attribute <= kReuseLast) {
    *static_cast<int*>(value) = pool.reuse[attribute - kReuseFirst] ? 1 : 0;
    return CUDA_SUCCESS;
  }
  auto* number = static_cast<unsigned long long*>(value);
  switch (attribute) {
    case kReleaseThreshold:
      *number = pool.release_threshold;
      return CUDA_SUCCESS;
    case kReservedNow:
    case kUsedNow:
      *number = pool.used;
      return CUDA_SUCCESS;
    case kReservedMost:
    case kUsedMost:
      *number = pool.most_used;
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult SetAttribute(SimPool& pool, int attribute, const void* value) {
  if (attribute >= kReuseFirst && attribute <= kReuseLast) {
    pool.reuse[attribute - kReuseFirst] = *static_cast<const int*>(value) != 0;
    return CUDA_SUCCESS;
  }
  const unsigned long long number = *static_cast<const unsigned long long*>(value);
  if (attribute == kReleaseThreshold) {
    pool.release_threshold = number;
    return CUDA_SUCCESS;
  }
  if ((attribute != kReservedMost && attribute != kUsedMost) || number != 0) return CUDA_ERROR_INVALID_VALUE;
  pool.most_used = pool.used;
  return CUDA_SUCCESS;
}

}  // namespace

SimPool* MakePool(SimDevice& device) {
  auto* pool = new SimPool;
  pool->device = &device;
  pool->default_one = device.default_pool == nullptr;
  const std::lock_guard lock(pools_mutex);
  Pools().insert(pool);
  return pool;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_PTSZ(cuMemAllocAsync, (CUdeviceptr * dptr, std::size_t bytesize, CUstream hStream),
                    Take(dptr, bytesize, nullptr, hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuMemAllocFromPoolAsync,
                    (CUdeviceptr * dptr, std::size_t bytesize, CUmemoryPool pool, CUstream hStream),
                    FindPool(pool) == nullptr ? CUDA_ERROR_INVALID_VALUE
                                              : Take(dptr, bytesize, FindPool(pool), hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuMemFreeAsync, (CUdeviceptr dptr, CUstream hStream),
                    FreeLater(dptr, hStream, kPerThread))

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool_out, CUdevice dev) {
  return PoolOf(dev, pool_out, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice dev) {
  return PoolOf(dev, pool, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuDeviceSetMemPool(CUdevice dev, CUmemoryPool pool) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  SimDevice* device = FindDevice(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  SimPool* found = FindPool(pool);
  if (found == nullptr || found->device != device) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(TheWorld()->mutex);
  device->pool = found;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolCreate(CUmemoryPool* pool, const void* poolProps) {
  const auto* props = static_cast<const CUmemPoolProps*>(poolProps);
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (pool == nullptr || props == nullptr || props->allocType != kPinnedType) return CUDA_ERROR_INVALID_VALUE;
  if (props->handleTypes != 0 || props->location.type != kDeviceLocation) return CUDA_ERROR_NOT_SUPPORTED;
  SimDevice* device = FindDevice(props->location.id);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *pool = HandleOf<CUmemoryPool>(MakePool(*device));
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  SimPool* found = FindPool(pool);
  if (found == nullptr || found->default_one) return CUDA_ERROR_INVALID_VALUE;
  found->alive = false;
  const std::lock_guard lock(TheWorld()->mutex);
  if (found->device->pool == found) found->device->pool = found->device->default_pool;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool pool, std::size_t) {
  return FindPool(pool) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool pool, int attr, void* value) {
  const SimPool* found = FindPool(pool);
  return found == nullptr || value == nullptr ? CUDA_ERROR_INVALID_VALUE : GetAttribute(*found, attr, value);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool pool, int attr, void* value) {
  SimPool* found = FindPool(pool);
  return found == nullptr || value == nullptr ? CUDA_ERROR_INVALID_VALUE : SetAttribute(*found, attr, value);
}
// Every device of a process reaches every pool.
MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolSetAccess(CUmemoryPool pool, const void* map, std::size_t count) {
  return FindPool(pool) == nullptr || (map == nullptr && count > 0) ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemPoolGetAccess(int* flags, CUmemoryPool memPool, CUmemLocation* location) {
  if (FindPool(memPool) == nullptr || flags == nullptr || location == nullptr)
    return CUDA_ERROR_INVALID_VALUE;
  *flags = kReadWrite;
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
