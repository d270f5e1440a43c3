// The types of the CUDA driver's interface that the shim and the simulated device look into, declared anew so
// that neither needs a toolkit to build; everything else passes as void*. The layouts are the interface's
// (asserted below, and compared with the headers by tools/cuda/layout_check.cc where those are present).
//
// Names are the interface's own, outside any namespace, since exported functions use them. Not for files
// that include cuda.h.
#pragma once

#include <cstddef>
#include <cstdint>

// NOLINTBEGIN(readability-identifier-naming): the interface's names
#define MORTAR_CUDA_HANDLE(name) using name = struct name##_opaque*;
#include "cuda/generated/handles.def"
#undef MORTAR_CUDA_HANDLE

using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUdeviceptr_v1 = unsigned int;
using CUhostFn = void (*)(void* data);

enum CUresult : int {
#define MORTAR_CUDA_RESULT(name, value) name = (value),
#include "cuda/generated/numbers.def"
#undef MORTAR_CUDA_RESULT
};
enum CUdevice_attribute : int {
#define MORTAR_CUDA_ATTRIBUTE(name, value) name = (value),
#include "cuda/generated/numbers.def"
#undef MORTAR_CUDA_ATTRIBUTE
};

using CUstreamCallback = void (*)(CUstream stream, CUresult status, void* data);

struct CUuuid {
  char bytes[16];
};
struct CUipcMemHandle {
  char reserved[64];
};
struct CUipcEventHandle {
  char reserved[64];
};
struct CUmemLocation {
  int type;
  int id;
};

struct CUeglFrame {
  void* planes[3];
  unsigned int width, height, depth, pitch, plane_count, channels;
  int frame_type, colour_format, array_format, padding;
};

enum : int {
  CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2,
  CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6,
  CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT = 7,
};
struct CUlaunchAttribute {
  int id;
  char pad[4];
  union {
    char bytes[64];
    int number;
    void* pointer;
  } value;
};
struct CUlaunchConfig {
  unsigned int gridDimX, gridDimY, gridDimZ;
  unsigned int blockDimX, blockDimY, blockDimZ;
  unsigned int sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute* attrs;
  unsigned int numAttrs;
};
struct CUDA_LAUNCH_PARAMS {
  CUfunction function;
  unsigned int gridDimX, gridDimY, gridDimZ;
  unsigned int blockDimX, blockDimY, blockDimZ;
  unsigned int sharedMemBytes;
  CUstream hStream;
  void** kernelParams;
};

enum : int {
  CU_MEMORYTYPE_HOST = 1,
  CU_MEMORYTYPE_DEVICE = 2,
  CU_MEMORYTYPE_ARRAY = 3,
  CU_MEMORYTYPE_UNIFIED = 4,
};
template <typename Size, typename Pointer>
struct CudaCopy2D {
  Size srcXInBytes, srcY;
  int srcMemoryType;
  const void* srcHost;
  Pointer srcDevice;
  CUarray srcArray;
  Size srcPitch;
  Size dstXInBytes, dstY;
  int dstMemoryType;
  void* dstHost;
  Pointer dstDevice;
  CUarray dstArray;
  Size dstPitch;
  Size WidthInBytes, Height;
};
using CUDA_MEMCPY2D = CudaCopy2D<std::size_t, CUdeviceptr>;
using CUDA_MEMCPY2D_v1 = CudaCopy2D<unsigned int, CUdeviceptr_v1>;

template <typename Size, typename Pointer>
struct CudaCopy3D {
  Size srcXInBytes, srcY, srcZ, srcLOD;
  int srcMemoryType;
  const void* srcHost;
  Pointer srcDevice;
  CUarray srcArray;
  void* srcContext;  // reserved, but for copies between contexts
  Size srcPitch, srcHeight;
  Size dstXInBytes, dstY, dstZ, dstLOD;
  int dstMemoryType;
  void* dstHost;
  Pointer dstDevice;
  CUarray dstArray;
  void* dstContext;
  Size dstPitch, dstHeight;
  Size WidthInBytes, Height, Depth;
};
using CUDA_MEMCPY3D = CudaCopy3D<std::size_t, CUdeviceptr>;
using CUDA_MEMCPY3D_v1 = CudaCopy3D<unsigned int, CUdeviceptr_v1>;
using CUDA_MEMCPY3D_PEER = CUDA_MEMCPY3D;

enum : unsigned int {
  CU_EVENT_DEFAULT = 0,
  CU_GET_PROC_ADDRESS_LEGACY_STREAM = 1,
  CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM = 2,
};
enum : int {
  CU_STREAM_CAPTURE_MODE_RELAXED = 2,
  CU_STREAM_CAPTURE_STATUS_NONE = 0,
  CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
};
// NOLINTEND(readability-identifier-naming)

static_assert(sizeof(CUlaunchConfig) == 56 && offsetof(CUlaunchConfig, hStream) == 32);
static_assert(sizeof(CUlaunchAttribute) == 72 && sizeof(CUDA_LAUNCH_PARAMS) == 56);
static_assert(sizeof(CUDA_MEMCPY2D) == 128 && sizeof(CUDA_MEMCPY3D) == 200);
static_assert(sizeof(CUeglFrame) == 64 && sizeof(CUmemLocation) == 8);
