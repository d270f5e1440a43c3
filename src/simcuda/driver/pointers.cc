// What an address is, and advice about memory, which is taken and changes nothing.
#include <bit>
#include <cstring>

#include "simcuda/driver/memory.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

// CUpointer_attribute.
enum : int {
  kContext = 1,
  kMemoryType = 2,
  kDevicePointer = 3,
  kHostPointer = 4,
  kSyncMemops = 6,
  kBufferId = 7,
  kIsManaged = 8,
  kOrdinal = 9,
  kLegacyIpcCapable = 10,
  kRangeStart = 11,
  kRangeSize = 12,
  kMapped = 13,
  kAllowedHandles = 14,
  kGpuDirect = 15,
  kAccess = 16,
  kPool = 17,
  kMappingSize = 18,
  kMappingBase = 19,
};

template <typename T>
CUresult Put(void* data, T value) {
  std::memcpy(data, &value, sizeof value);
  return CUDA_SUCCESS;
}

CUresult OfRange(const Range& range, int attribute, CUdeviceptr address, void* data) {
  const bool host = range.where == Where::kPinned || range.where == Where::kManaged;
  switch (attribute) {
    case kContext:
      return Put(data, HandleOf<CUcontext>(range.context));
    case kMemoryType:
      return Put(data, static_cast<unsigned int>(range.where == Where::kPinned ? CU_MEMORYTYPE_HOST
                                                                               : CU_MEMORYTYPE_DEVICE));
    case kDevicePointer:
      return Put(data, address);
    case kHostPointer:
      return host ? Put(data, reinterpret_cast<void*>(address)) : CUDA_ERROR_INVALID_VALUE;
    case kBufferId:
      return Put(data, range.id);
    case kIsManaged:
      return Put(data, static_cast<unsigned char>(range.where == Where::kManaged ? 1 : 0));
    case kOrdinal:
      return Put(data, range.device->ordinal);
    case kRangeStart:
    case kMappingBase:
      return Put(data, static_cast<CUdeviceptr>(range.begin));
    case kRangeSize:
    case kMappingSize:
      return Put(data, range.bytes);
    case kMapped:
      return Put(data, static_cast<unsigned char>(1));
    case kSyncMemops:
    case kLegacyIpcCapable:
    case kGpuDirect:
      return Put(data, static_cast<unsigned char>(0));
    case kAllowedHandles:
      return Put(data, std::uint64_t{0});
    case kAccess:
      return Put(data, 3U);
    case kPool:
      return Put(data, HandleOf<CUmemoryPool>(range.pool));
    default:
      return CUDA_ERROR_NOT_SUPPORTED;
  }
}

std::size_t BytesOf(int attribute) {
  switch (attribute) {
    case kMemoryType:
    case kOrdinal:
    case kAccess:
      return 4;
    case kSyncMemops:
    case kIsManaged:
    case kLegacyIpcCapable:
    case kMapped:
    case kGpuDirect:
      return 1;
    default:
      return 8;
  }
}

// Memory that the driver does not know: cuPointerGetAttributes says so by zeros and not by an error.
CUresult OfOthers(int attribute, void* data) {
  if (attribute == kOrdinal) return Put(data, -2);
  std::memset(data, 0, BytesOf(attribute));
  return CUDA_SUCCESS;
}

CUresult Advise(CUdeviceptr address, std::size_t bytes) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  return WhereIs(address, bytes) == Where::kManaged ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult Prefetch(CUdeviceptr address, std::size_t bytes, CUstream handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (bytes == 0 || WhereIs(address, bytes) != Where::kManaged) return CUDA_ERROR_INVALID_VALUE;
  return Enqueue(*stream, {});
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuPointerGetAttribute(void* data, int attribute, CUdeviceptr ptr) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Range range;
  return FindRange(ptr, &range) ? OfRange(range, attribute, ptr, data) : CUDA_ERROR_INVALID_VALUE;
}
MORTAR_SIMCUDA_EXPORT CUresult cuPointerGetAttributes(unsigned int numAttributes, int* attributes,
                                                      void** data, CUdeviceptr ptr) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (attributes == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Range range;
  const bool known = FindRange(ptr, &range);
  for (unsigned int i = 0; i < numAttributes; ++i) {
    if (!known || OfRange(range, attributes[i], ptr, data[i]) == CUDA_ERROR_INVALID_VALUE)
      OfOthers(attributes[i], data[i]);
  }
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuPointerSetAttribute(const void* value, int attribute, CUdeviceptr ptr) {
  Range range;
  return value != nullptr && attribute == kSyncMemops && FindRange(ptr, &range) ? CUDA_SUCCESS
                                                                                : CUDA_ERROR_INVALID_VALUE;
}

MORTAR_SIMCUDA_EXPORT CUresult cuMemGetAddressRange_v2(CUdeviceptr* pbase, std::size_t* psize,
                                                       CUdeviceptr dptr) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  Range range;
  if (!FindRange(dptr, &range)) return CUDA_ERROR_NOT_FOUND;
  if (pbase != nullptr) *pbase = range.begin;
  if (psize != nullptr) *psize = range.bytes;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* pdptr, void* p, unsigned int Flags) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  Range range;
  const auto address = std::bit_cast<std::uintptr_t>(p);
  if (pdptr == nullptr || Flags != 0 || !FindRange(address, &range) || range.where != Where::kPinned)
    return CUDA_ERROR_INVALID_VALUE;
  *pdptr = address;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemHostGetFlags(unsigned int* pFlags, void* p) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  Range range;
  if (pFlags == nullptr || !FindRange(std::bit_cast<std::uintptr_t>(p), &range) ||
      range.where != Where::kPinned)
    return CUDA_ERROR_INVALID_VALUE;
  *pFlags = range.flags;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuMemAdvise(CUdeviceptr devPtr, std::size_t count, int, CUdevice) {
  return Advise(devPtr, count);
}
MORTAR_SIMCUDA_EXPORT CUresult cuMemAdvise_v2(CUdeviceptr devPtr, std::size_t count, int, CUmemLocation) {
  return Advise(devPtr, count);
}
MORTAR_SIMCUDA_PTSZ(cuMemPrefetchAsync, (CUdeviceptr devPtr, std::size_t count, CUdevice, CUstream hStream),
                    Prefetch(devPtr, count, hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuMemPrefetchAsync_v2,
                    (CUdeviceptr devPtr, std::size_t count, CUmemLocation, unsigned int, CUstream hStream),
                    Prefetch(devPtr, count, hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuStreamAttachMemAsync, (CUstream hStream, CUdeviceptr dptr, std::size_t, unsigned int),
                    Prefetch(dptr, 1, hStream, kPerThread))
// NOLINTEND(readability-identifier-naming)
