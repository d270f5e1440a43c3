// Compiled, not run, where a CUDA toolkit is present: the layouts that src/cuda/api/types.h and
// src/simcuda/driver/abi.h assert are those of cuda.h.
#include <cuda.h>

#include <cstddef>

static_assert(sizeof(CUlaunchConfig) == 56 && offsetof(CUlaunchConfig, hStream) == 32);
static_assert(offsetof(CUlaunchConfig, attrs) == 40 && offsetof(CUlaunchConfig, numAttrs) == 48);
static_assert(sizeof(CUlaunchAttribute) == 72 && offsetof(CUlaunchAttribute, value) == 8);
static_assert(sizeof(CUDA_LAUNCH_PARAMS) == 56 && offsetof(CUDA_LAUNCH_PARAMS, hStream) == 40);
static_assert(sizeof(CUDA_MEMCPY2D) == 128 && offsetof(CUDA_MEMCPY2D, WidthInBytes) == 112);
static_assert(sizeof(CUDA_MEMCPY3D) == 200 && offsetof(CUDA_MEMCPY3D, WidthInBytes) == 176);
static_assert(sizeof(CUDA_MEMCPY3D_PEER) == 200 && offsetof(CUDA_MEMCPY3D_PEER, WidthInBytes) == 176);
static_assert(sizeof(CUipcMemHandle) == 64 && sizeof(CUipcEventHandle) == 64 && sizeof(CUmemLocation) == 8);
static_assert(CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION == 6 &&
              CU_LAUNCH_ATTRIBUTE_COOPERATIVE == 2 && CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT == 7);
static_assert(CU_STREAM_CAPTURE_MODE_RELAXED == 2 && CU_STREAM_CAPTURE_STATUS_NONE == 0 &&
              CU_POINTER_ATTRIBUTE_MEMORY_TYPE == 2 && CU_MEMORYTYPE_HOST == 1 && CU_MEMORYTYPE_UNIFIED == 4);
static_assert(CU_GET_PROC_ADDRESS_LEGACY_STREAM == 1 && CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM == 2);

static_assert(sizeof(CUDA_KERNEL_NODE_PARAMS_v1) == 56 && sizeof(CUDA_KERNEL_NODE_PARAMS_v2) == 72);
static_assert(offsetof(CUDA_KERNEL_NODE_PARAMS_v2, kernelParams) == 40 &&
              offsetof(CUDA_KERNEL_NODE_PARAMS_v2, kern) == 56);
static_assert(sizeof(CUDA_MEMSET_NODE_PARAMS) == 40 && offsetof(CUDA_MEMSET_NODE_PARAMS, width) == 24);
static_assert(sizeof(CUDA_HOST_NODE_PARAMS) == 16 && sizeof(CUgraphEdgeData) == 8);
static_assert(sizeof(CUgraphExecUpdateResultInfo) == 24 &&
              offsetof(CUgraphExecUpdateResultInfo, errorNode) == 8);
static_assert(sizeof(CUDA_GRAPH_INSTANTIATE_PARAMS) == 32 &&
              offsetof(CUDA_GRAPH_INSTANTIATE_PARAMS, result_out) == 24);
static_assert(sizeof(CUstreamBatchMemOpParams) == 48 &&
              offsetof(CUstreamBatchMemOpParams, waitValue.value64) == 16 &&
              offsetof(CUstreamBatchMemOpParams, waitValue.flags) == 24);
static_assert(sizeof(CUmemPoolProps) == 88 && offsetof(CUmemPoolProps, location) == 8);
static_assert(sizeof(CUmemAllocationProp) == 32 && offsetof(CUmemAllocationProp, location) == 8);
