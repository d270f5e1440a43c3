// Allocation, copies and fills. Each copy goes to the driver's call for its direction.
#include "simcuda/runtime/runtime.h"

namespace mortar::cudart {
namespace {

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  int kind;
};

// The four calls of one form, blocking or in a stream, by direction.
template <Symbol kUp, Symbol kDown, Symbol kInside, Symbol kAny, typename... Stream>
CUresult Transfer(const Copy& copy, Stream... stream) {
  if (copy.bytes == 0) return CUDA_SUCCESS;
  switch (copy.kind) {
    case cudaMemcpyHostToDevice:
      return Call<kUp>(Address(copy.to), copy.from, copy.bytes, stream...);
    case cudaMemcpyDeviceToHost:
      return Call<kDown>(copy.to, Address(copy.from), copy.bytes, stream...);
    case cudaMemcpyDeviceToDevice:
      return Call<kInside>(Address(copy.to), Address(copy.from), copy.bytes, stream...);
    case cudaMemcpyHostToHost:
    case cudaMemcpyDefault:
      return Call<kAny>(Address(copy.to), Address(copy.from), copy.bytes, stream...);
    default:
      return static_cast<CUresult>(cudaErrorInvalidMemcpyDirection);
  }
}
template <bool kPerThread>
CUresult Blocking(const Copy& copy) {
  if constexpr (kPerThread)
    return Transfer<Symbol::cuMemcpyHtoD_v2_ptds, Symbol::cuMemcpyDtoH_v2_ptds, Symbol::cuMemcpyDtoD_v2_ptds,
                    Symbol::cuMemcpy_ptds>(copy);
  else
    return Transfer<Symbol::cuMemcpyHtoD_v2, Symbol::cuMemcpyDtoH_v2, Symbol::cuMemcpyDtoD_v2,
                    Symbol::cuMemcpy>(copy);
}
template <bool kPerThread>
CUresult InStream(const Copy& copy, CUstream stream) {
  if constexpr (kPerThread)
    return Transfer<Symbol::cuMemcpyHtoDAsync_v2_ptsz, Symbol::cuMemcpyDtoHAsync_v2_ptsz,
                    Symbol::cuMemcpyDtoDAsync_v2_ptsz, Symbol::cuMemcpyAsync_ptsz>(copy, stream);
  else
    return Transfer<Symbol::cuMemcpyHtoDAsync_v2, Symbol::cuMemcpyDtoHAsync_v2, Symbol::cuMemcpyDtoDAsync_v2,
                    Symbol::cuMemcpyAsync>(copy, stream);
}

struct Copy2D {
  void* to;
  std::size_t to_pitch;
  const void* from;
  std::size_t from_pitch, width, height;
  int kind;
};

// False: no such direction.
bool Lower(const Copy2D& copy, CUDA_MEMCPY2D* out) {
  *out = {};
  if (copy.kind < cudaMemcpyHostToHost || copy.kind > cudaMemcpyDefault) return false;
  const bool from_host = copy.kind == cudaMemcpyHostToHost || copy.kind == cudaMemcpyHostToDevice;
  const bool to_host = copy.kind == cudaMemcpyHostToHost || copy.kind == cudaMemcpyDeviceToHost;
  const bool unknown = copy.kind == cudaMemcpyDefault;
  out->srcMemoryType = unknown     ? CU_MEMORYTYPE_UNIFIED
                       : from_host ? CU_MEMORYTYPE_HOST
                                   : CU_MEMORYTYPE_DEVICE;
  out->dstMemoryType = unknown ? CU_MEMORYTYPE_UNIFIED : to_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
  out->srcHost = copy.from;
  out->srcDevice = Address(copy.from);
  out->dstHost = copy.to;
  out->dstDevice = Address(copy.to);
  out->srcPitch = copy.from_pitch;
  out->dstPitch = copy.to_pitch;
  out->WidthInBytes = copy.width;
  out->Height = copy.height;
  return true;
}

template <Symbol kSymbol, typename... Stream>
cudaError_t Transfer2D(const Copy2D& copy, Stream... stream) {
  CUDA_MEMCPY2D lowered;
  if (!Lower(copy, &lowered)) return Keep(cudaErrorInvalidMemcpyDirection);
  if (copy.width > copy.to_pitch || copy.width > copy.from_pitch) return Keep(cudaErrorInvalidPitchValue);
  if (copy.width == 0 || copy.height == 0) return cudaSuccess;
  return Run([&] { return Call<kSymbol>(&lowered, stream...); });
}

// Both forms between a variable on the device and the program's memory.
template <typename Body>
cudaError_t WithVariable(const void* shadow, std::size_t count, std::size_t offset, Body&& body) {
  return Run([&] {
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    const CUresult found = FindVariable(shadow, &address, &bytes);
    if (found != CUDA_SUCCESS) return found;
    if (offset > bytes || count > bytes - offset) return CUDA_ERROR_INVALID_VALUE;
    return body(reinterpret_cast<void*>(address + offset));
  });
}

CUresult PrimaryOf(int device, CUcontext* context) {
  const CUresult result = Call<Symbol::cuDevicePrimaryCtxRetain>(context, device);
  if (result == CUDA_SUCCESS)
    Call<Symbol::cuDevicePrimaryCtxRelease_v2>(device);  // it lives on, as the thread's does
  return result;
}

template <Symbol kSymbol, typename... Stream>
cudaError_t BetweenDevices(void* to, int to_device, const void* from, int from_device, std::size_t bytes,
                           Stream... stream) {
  return Run([&] {
    CUcontext there = nullptr;
    CUcontext here = nullptr;
    if (const CUresult found = PrimaryOf(to_device, &there); found != CUDA_SUCCESS) return found;
    if (const CUresult found = PrimaryOf(from_device, &here); found != CUDA_SUCCESS) return found;
    return Call<kSymbol>(Address(to), there, Address(from), here, bytes, stream...);
  });
}

unsigned char Byte(int value) { return static_cast<unsigned char>(value); }

}  // namespace
}  // namespace mortar::cudart

using namespace mortar::cudart;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
#define MORTAR_CUDART(name, parameters, call)        \
  MORTAR_CUDART_EXPORT cudaError_t name parameters { \
    return Run([&] { return call; });                \
  }
// The legacy default stream's form and the per-thread default stream's.
#define MORTAR_CUDART_BOTH(name, suffix, parameters, call)   \
  MORTAR_CUDART_EXPORT cudaError_t name parameters {         \
    constexpr bool kPerThread = false;                       \
    return call;                                             \
  }                                                          \
  MORTAR_CUDART_EXPORT cudaError_t name##suffix parameters { \
    constexpr bool kPerThread = true;                        \
    return call;                                             \
  }

MORTAR_CUDART_EXPORT cudaError_t cudaMalloc(void** out, std::size_t bytes) {
  if (out == nullptr) return Keep(cudaErrorInvalidValue);
  *out = nullptr;
  return Run([&] { return bytes == 0 ? CUDA_SUCCESS : Call<Symbol::cuMemAlloc_v2>(AddressOf(out), bytes); });
}
MORTAR_CUDART(cudaFree, (void* memory),
              memory == nullptr ? CUDA_SUCCESS : Call<Symbol::cuMemFree_v2>(Address(memory)))
MORTAR_CUDART(cudaMallocHost, (void** out, std::size_t bytes), Call<Symbol::cuMemHostAlloc>(out, bytes, 0U))
MORTAR_CUDART(cudaHostAlloc, (void** out, std::size_t bytes, unsigned int flags),
              Call<Symbol::cuMemHostAlloc>(out, bytes, flags))
MORTAR_CUDART(cudaFreeHost, (void* memory),
              memory == nullptr ? CUDA_SUCCESS : Call<Symbol::cuMemFreeHost>(memory))
MORTAR_CUDART(cudaHostRegister, (void* memory, std::size_t bytes, unsigned int flags),
              Call<Symbol::cuMemHostRegister_v2>(memory, bytes, flags))
MORTAR_CUDART(cudaHostUnregister, (void* memory), Call<Symbol::cuMemHostUnregister>(memory))
MORTAR_CUDART(cudaHostGetDevicePointer, (void** out, void* memory, unsigned int flags),
              Call<Symbol::cuMemHostGetDevicePointer_v2>(AddressOf(out), memory, flags))
MORTAR_CUDART(cudaHostGetFlags, (unsigned int* flags, void* memory),
              Call<Symbol::cuMemHostGetFlags>(flags, memory))
MORTAR_CUDART(cudaMallocManaged, (void** out, std::size_t bytes, unsigned int flags),
              Call<Symbol::cuMemAllocManaged>(AddressOf(out), bytes, flags))
MORTAR_CUDART(cudaMallocPitch, (void** out, std::size_t* pitch, std::size_t width, std::size_t height),
              Call<Symbol::cuMemAllocPitch_v2>(AddressOf(out), pitch, width, height, 4U))
MORTAR_CUDART(cudaMemGetInfo, (std::size_t * free, std::size_t* total),
              Call<Symbol::cuMemGetInfo_v2>(free, total))
MORTAR_CUDART(cudaMallocAsync, (void** out, std::size_t bytes, CUstream stream),
              Call<Symbol::cuMemAllocAsync>(AddressOf(out), bytes, stream))
MORTAR_CUDART(cudaMallocAsync_ptsz, (void** out, std::size_t bytes, CUstream stream),
              Call<Symbol::cuMemAllocAsync_ptsz>(AddressOf(out), bytes, stream))
MORTAR_CUDART(cudaFreeAsync, (void* memory, CUstream stream),
              Call<Symbol::cuMemFreeAsync>(Address(memory), stream))
MORTAR_CUDART(cudaFreeAsync_ptsz, (void* memory, CUstream stream),
              Call<Symbol::cuMemFreeAsync_ptsz>(Address(memory), stream))

MORTAR_CUDART_BOTH(cudaMemcpy, _ptds, (void* to, const void* from, std::size_t bytes, int kind), Run([&] {
                     return Blocking<kPerThread>({to, from, bytes, kind});
                   }))
MORTAR_CUDART_BOTH(cudaMemcpyAsync, _ptsz,
                   (void* to, const void* from, std::size_t bytes, int kind, CUstream stream), Run([&] {
                     return InStream<kPerThread>({to, from, bytes, kind}, stream);
                   }))
MORTAR_CUDART_BOTH(cudaMemcpyToSymbol, _ptds,
                   (const void* shadow, const void* from, std::size_t bytes, std::size_t offset, int kind),
                   WithVariable(shadow, bytes, offset, [&](void* to) {
                     return Blocking<kPerThread>({to, from, bytes, kind});
                   }))
MORTAR_CUDART_BOTH(cudaMemcpyFromSymbol, _ptds,
                   (void* to, const void* shadow, std::size_t bytes, std::size_t offset, int kind),
                   WithVariable(shadow, bytes, offset, [&](void* from) {
                     return Blocking<kPerThread>({to, from, bytes, kind});
                   }))
MORTAR_CUDART_BOTH(cudaMemcpyToSymbolAsync, _ptsz,
                   (const void* shadow, const void* from, std::size_t bytes, std::size_t offset, int kind,
                    CUstream stream),
                   WithVariable(shadow, bytes, offset, [&](void* to) {
                     return InStream<kPerThread>({to, from, bytes, kind}, stream);
                   }))
MORTAR_CUDART_BOTH(cudaMemcpyFromSymbolAsync, _ptsz,
                   (void* to, const void* shadow, std::size_t bytes, std::size_t offset, int kind,
                    CUstream stream),
                   WithVariable(shadow, bytes, offset, [&](void* from) {
                     return InStream<kPerThread>({to, from, bytes, kind}, stream);
                   }))

#define MORTAR_CUDART_2D                                                                       \
  void *to, std::size_t to_pitch, const void *from, std::size_t from_pitch, std::size_t width, \
      std::size_t height, int kind
MORTAR_CUDART_EXPORT cudaError_t cudaMemcpy2D(MORTAR_CUDART_2D) {
  return Transfer2D<Symbol::cuMemcpy2DUnaligned_v2>({to, to_pitch, from, from_pitch, width, height, kind});
}
MORTAR_CUDART_EXPORT cudaError_t cudaMemcpy2D_ptds(MORTAR_CUDART_2D) {
  return Transfer2D<Symbol::cuMemcpy2DUnaligned_v2_ptds>(
      {to, to_pitch, from, from_pitch, width, height, kind});
}
MORTAR_CUDART_EXPORT cudaError_t cudaMemcpy2DAsync(MORTAR_CUDART_2D, CUstream stream) {
  return Transfer2D<Symbol::cuMemcpy2DAsync_v2>({to, to_pitch, from, from_pitch, width, height, kind},
                                                stream);
}
MORTAR_CUDART_EXPORT cudaError_t cudaMemcpy2DAsync_ptsz(MORTAR_CUDART_2D, CUstream stream) {
  return Transfer2D<Symbol::cuMemcpy2DAsync_v2_ptsz>({to, to_pitch, from, from_pitch, width, height, kind},
                                                     stream);
}

MORTAR_CUDART_EXPORT cudaError_t cudaMemcpyPeer(void* to, int to_device, const void* from, int from_device,
                                                std::size_t bytes) {
  return BetweenDevices<Symbol::cuMemcpyPeer>(to, to_device, from, from_device, bytes);
}
MORTAR_CUDART_EXPORT cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from,
                                                     int from_device, std::size_t bytes, CUstream stream) {
  return BetweenDevices<Symbol::cuMemcpyPeerAsync>(to, to_device, from, from_device, bytes, stream);
}

MORTAR_CUDART(cudaMemset, (void* to, int value, std::size_t bytes),
              Call<Symbol::cuMemsetD8_v2>(Address(to), Byte(value), bytes))
MORTAR_CUDART(cudaMemset_ptds, (void* to, int value, std::size_t bytes),
              Call<Symbol::cuMemsetD8_v2_ptds>(Address(to), Byte(value), bytes))
MORTAR_CUDART(cudaMemsetAsync, (void* to, int value, std::size_t bytes, CUstream stream),
              Call<Symbol::cuMemsetD8Async>(Address(to), Byte(value), bytes, stream))
MORTAR_CUDART(cudaMemsetAsync_ptsz, (void* to, int value, std::size_t bytes, CUstream stream),
              Call<Symbol::cuMemsetD8Async_ptsz>(Address(to), Byte(value), bytes, stream))
MORTAR_CUDART(cudaMemset2D, (void* to, std::size_t pitch, int value, std::size_t width, std::size_t height),
              Call<Symbol::cuMemsetD2D8_v2>(Address(to), pitch, Byte(value), width, height))
MORTAR_CUDART(cudaMemset2DAsync,
              (void* to, std::size_t pitch, int value, std::size_t width, std::size_t height,
               CUstream stream),
              Call<Symbol::cuMemsetD2D8Async>(Address(to), pitch, Byte(value), width, height, stream))

MORTAR_CUDART_EXPORT cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* pointer) {
  if (out == nullptr) return Keep(cudaErrorInvalidValue);
  *out = {};
  return Run([&] {
    constexpr int kManagedAttribute = 8;
    constexpr int kOrdinalAttribute = 9;
    unsigned int type = 0;
    const CUresult asked =
        Call<Symbol::cuPointerGetAttribute>(&type, int{CU_POINTER_ATTRIBUTE_MEMORY_TYPE}, Address(pointer));
    if (asked == CUDA_ERROR_INVALID_VALUE) {  // memory that the driver does not know
      out->device = -2;
      return CUDA_SUCCESS;
    }
    if (asked != CUDA_SUCCESS) return asked;
    bool managed = false;
    Call<Symbol::cuPointerGetAttribute>(&managed, int{kManagedAttribute}, Address(pointer));
    out->type = managed ? 3 : type == CU_MEMORYTYPE_HOST ? 1 : 2;
    Call<Symbol::cuPointerGetAttribute>(&out->device, int{kOrdinalAttribute}, Address(pointer));
    out->devicePointer = const_cast<void*>(pointer);
    out->hostPointer = out->type == 2 ? nullptr : const_cast<void*>(pointer);
    return CUDA_SUCCESS;
  });
}
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
