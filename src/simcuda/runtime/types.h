// The types of the CUDA runtime's interface that this folder looks into, declared anew so that no toolkit is
// needed. The runtime's handles are the driver's. Layouts are the interface's of CUDA 13. Not for files that
// include cuda_runtime_api.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/api/types.h"

// NOLINTBEGIN(readability-identifier-naming): the interface's names
enum cudaError_t : int {
#define MORTAR_CUDART_ERROR(name, value) name = (value),
#include "cuda/generated/runtime.def"
#undef MORTAR_CUDART_ERROR
};

struct dim3 {
  unsigned int x, y, z;
};

enum cudaMemcpyKind : int {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};

// Laid out as the driver's CUlaunchConfig but for its sizes.
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  CUstream stream;
  CUlaunchAttribute* attrs;
  unsigned int numAttrs;
};

struct cudaFuncAttributes {
  std::size_t sharedSizeBytes, constSizeBytes, localSizeBytes;
  int maxThreadsPerBlock, numRegs, ptxVersion, binaryVersion, cacheModeCA, maxDynamicSharedSizeBytes;
  int rest[23];
};

struct cudaPointerAttributes {
  int type;  // 0 not known, 1 host, 2 device, 3 managed
  int device;
  void* devicePointer;
  void* hostPointer;
  long reserved[8];
};

struct cudaDeviceProp {
  char name[256];
  CUuuid uuid;
  char luid[8];
  unsigned int luidDeviceNodeMask;
  std::size_t totalGlobalMem, sharedMemPerBlock;
  int regsPerBlock, warpSize;
  std::size_t memPitch;
  int maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3];
  std::size_t totalConstMem;
  int major, minor;
  std::size_t textureAlignment, texturePitchAlignment;
  int multiProcessorCount, integrated, canMapHostMemory;
  int textures_and_surfaces[39];  // there are none on the simulated device
  std::size_t surfaceAlignment;
  int concurrentKernels, ECCEnabled, pciBusID, pciDeviceID, pciDomainID, tccDriver, asyncEngineCount,
      unifiedAddressing, memoryBusWidth, l2CacheSize, persistingL2CacheMaxSize, maxThreadsPerMultiProcessor,
      streamPrioritiesSupported, globalL1CacheSupported, localL1CacheSupported;
  std::size_t sharedMemPerMultiprocessor;
  int regsPerMultiprocessor, managedMemory, isMultiGpuBoard, multiGpuBoardGroupID, hostNativeAtomicSupported,
      pageableMemoryAccess, concurrentManagedAccess, computePreemptionSupported,
      canUseHostPointerForRegisteredMem, cooperativeLaunch;
  std::size_t sharedMemPerBlockOptin;
  int pageableMemoryAccessUsesHostPageTables, directManagedMemAccessFromHost, maxBlocksPerMultiProcessor,
      accessPolicyMaxWindowSize;
  std::size_t reservedSharedMemPerBlock;
  int hostRegisterSupported, sparseCudaArraySupported, hostRegisterReadOnlySupported,
      timelineSemaphoreInteropSupported, memoryPoolsSupported;
  int rest[71];
};
// NOLINTEND(readability-identifier-naming)

static_assert(sizeof(cudaLaunchConfig_t) == 56 && sizeof(cudaFuncAttributes) == 144);
static_assert(sizeof(cudaPointerAttributes) == 88);
