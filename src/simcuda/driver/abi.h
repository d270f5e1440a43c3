// Structures of the driver's interface that only the simulated device looks into; the rest are in
// cuda/api/types.h. Layouts are asserted here, and compared with the headers by
// tools/cuda/layout_check.cc where those are present.
#pragma once

#include "cuda/api/types.h"

// NOLINTBEGIN(readability-identifier-naming): the interface's names
struct CUDA_KERNEL_NODE_PARAMS_v1 {
  CUfunction func;
  unsigned int gridDimX, gridDimY, gridDimZ;
  unsigned int blockDimX, blockDimY, blockDimZ;
  unsigned int sharedMemBytes;
  void** kernelParams;
  void** extra;
};
struct CUDA_KERNEL_NODE_PARAMS_v2 {
  CUDA_KERNEL_NODE_PARAMS_v1 v1;
  CUkernel kern;
  CUcontext ctx;
};
struct CUDA_MEMSET_NODE_PARAMS {
  CUdeviceptr dst;
  std::size_t pitch;
  unsigned int value;
  unsigned int elementSize;
  std::size_t width;
  std::size_t height;
};
struct CUDA_HOST_NODE_PARAMS {
  CUhostFn fn;
  void* userData;
};
struct CUgraphExecUpdateResultInfo {
  int result;
  CUgraphNode errorNode;
  CUgraphNode errorFromNode;
};
struct CUDA_GRAPH_INSTANTIATE_PARAMS {
  unsigned long long flags;
  CUstream hUploadStream;
  CUgraphNode hErrNode_out;
  int result_out;
};
struct CUgraphEdgeData {
  unsigned char from_port, to_port, type;
  unsigned char reserved[5];
};
// Wait for a value, write one (both alike), flush, barrier: told by `operation`.
struct CUstreamBatchMemOpParams {
  int operation;
  CUdeviceptr address;
  unsigned long long value;  // 32 bits of it, where the operation is of 32
  unsigned int flags;
  CUdeviceptr alias;
  unsigned long long rest;
};
struct CUmemPoolProps {
  int allocType;
  int handleTypes;
  CUmemLocation location;
  void* win32SecurityAttributes;
  std::size_t maxSize;
  unsigned short usage;
  unsigned char reserved[54];
};
struct CUmemAllocationProp {
  int type;
  int requestedHandleTypes;
  CUmemLocation location;
  void* win32HandleMetaData;
  unsigned char allocFlags[8];
};
// NOLINTEND(readability-identifier-naming)

static_assert(sizeof(CUDA_KERNEL_NODE_PARAMS_v1) == 56 && sizeof(CUDA_KERNEL_NODE_PARAMS_v2) == 72);
static_assert(sizeof(CUDA_MEMSET_NODE_PARAMS) == 40 && sizeof(CUDA_HOST_NODE_PARAMS) == 16);
static_assert(sizeof(CUgraphExecUpdateResultInfo) == 24 && sizeof(CUDA_GRAPH_INSTANTIATE_PARAMS) == 32);
static_assert(sizeof(CUgraphEdgeData) == 8 && sizeof(CUstreamBatchMemOpParams) == 48);
static_assert(sizeof(CUmemPoolProps) == 88 && sizeof(CUmemAllocationProp) == 32);
