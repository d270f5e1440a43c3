// Several devices and processes, and what goes wrong asynchronously.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstring>
#include <thread>

#include "simcuda/driver/test_driver.h"

namespace mortar::simcuda {
namespace {

TEST_F(DriverTest, EveryDescriptionIsADevice) {
  int count = 0;
  ASSERT_EQ(cuDeviceGetCount(&count), CUDA_SUCCESS);
  EXPECT_EQ(count, 2);
  char name[40];
  ASSERT_EQ(cuDeviceGetName(name, sizeof name, 1), CUDA_SUCCESS);
  EXPECT_STREQ(name, "Other GPU");
  int device = -1;
  ASSERT_EQ(cuDeviceGetByPCIBusId(&device, "0000:02:00.0"), CUDA_SUCCESS);
  EXPECT_EQ(device, 1);
  EXPECT_EQ(cuDeviceGetByPCIBusId(&device, "0000:03:00.0"), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(DriverTest, StreamOfOneDeviceWaitsForAnEventOfAnother) {
  CUcontext other = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 1), CUDA_SUCCESS);
  CUmodule module = nullptr;
  CUfunction add_one = nullptr;
  ASSERT_EQ(cuModuleLoadData(&module, kPtx), CUDA_SUCCESS);
  ASSERT_EQ(cuModuleGetFunction(&add_one, module, "add_one"), CUDA_SUCCESS);
  const CUstream there = NewStream(1);
  ASSERT_EQ(cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);

  const CUstream here = NewStream(1);
  CUevent event = nullptr;
  CUdeviceptr data = 0;
  ASSERT_EQ(cuEventCreate(&event, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAllocManaged(&data, 8, 1), CUDA_SUCCESS);
  auto* values = reinterpret_cast<int*>(data);
  values[0] = 1;
  ASSERT_EQ(Slow(here), CUDA_SUCCESS);
  ASSERT_EQ(AddOne(data, 1, here), CUDA_SUCCESS);
  ASSERT_EQ(cuEventRecord(event, here), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamWaitEvent(there, event, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuMemcpyPeerAsync(data + 4, other, data, context_, 4, there), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamSynchronize(there), CUDA_SUCCESS);
  EXPECT_EQ(values[1], 2);
  ASSERT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
}

TEST_F(DriverTest, AsynchronousErrorSticksToItsContextAlone) {
  CUcontext broken = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&broken, 0, 0), CUDA_SUCCESS);
  CUfunction fault = nullptr;
  ASSERT_EQ(cuModuleGetFunction(&fault, module_, "fault"), CUDA_SUCCESS);
  CUdeviceptr data = 0;
  ASSERT_EQ(cuMemAlloc_v2(&data, 4), CUDA_SUCCESS);
  ASSERT_EQ(cuMemsetD32_v2(data, 5, 1), CUDA_SUCCESS);
  ASSERT_EQ(cuLaunchKernel(fault, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr), CUDA_SUCCESS);
  AddOne(data, 1, nullptr);  // behind it: never runs
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(*reinterpret_cast<int*>(data), 5);
  int value = 0;
  EXPECT_EQ(cuMemcpyDtoH_v2(&value, data, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(cuCtxDestroy_v2(broken), CUDA_SUCCESS);
  EXPECT_EQ(Slow(nullptr), CUDA_SUCCESS) << "in the other context";
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
}

// CUDA programming guide, technical specifications by compute capability: 9.0 has 227 KiB a block and 228 KiB
// a multiprocessor, 8.6 has 99 and 100.
TEST_F(DriverTest, SharedMemoryIsThatOfTheComputeCapability) {
  constexpr int kMaxDynamic = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
  constexpr int kBlock[] = {232448, 101376};
  constexpr int kMultiprocessor[] = {233472, 102400};
  int value = 0;
  for (int device = 0; device < 2; ++device) {
    EXPECT_EQ(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device),
              CUDA_SUCCESS);
    EXPECT_EQ(value, kBlock[device]);
    EXPECT_EQ(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, device),
              CUDA_SUCCESS);
    EXPECT_EQ(value, kMultiprocessor[device]);
  }
  const auto launch = [&](unsigned int bytes) {
    return cuLaunchKernel(slow_, 1, 1, 1, 1, 1, 1, bytes, nullptr, nullptr, nullptr);
  };
  EXPECT_EQ(launch(49152), CUDA_SUCCESS);
  EXPECT_EQ(launch(49153), CUDA_ERROR_INVALID_VALUE) << "not asked for";
  EXPECT_EQ(cuFuncSetAttribute(slow_, kMaxDynamic, 232449), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(cuFuncSetAttribute(slow_, kMaxDynamic, 232448), CUDA_SUCCESS);
  EXPECT_EQ(launch(232448), CUDA_SUCCESS);
  EXPECT_EQ(launch(232449), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, slow_, 32, 113 << 10), CUDA_SUCCESS);
  EXPECT_EQ(value, 2) << "twice 113 KiB and the 1 KiB that every block takes besides";
  std::size_t bytes = 0;
  ASSERT_EQ(cuOccupancyAvailableDynamicSMemPerBlock(&bytes, slow_, 2, 32), CUDA_SUCCESS);
  EXPECT_EQ(bytes, 113U << 10);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
}

// A process of its own: this one has used CUDA.
TEST_F(DriverTest, EventOfAnotherProcessIsWaitedFor) {
  CUevent event = nullptr;
  CUipcEventHandle handle{};
  ASSERT_EQ(cuEventCreate(&event, 2), CUDA_SUCCESS);
  EXPECT_EQ(cuIpcGetEventHandle(&handle, event), CUDA_ERROR_INVALID_HANDLE) << "not made for that";
  EXPECT_EQ(cuEventCreate(&event, 4), CUDA_ERROR_INVALID_VALUE) << "such events keep no time";
  ASSERT_EQ(cuEventCreate(&event, 6), CUDA_SUCCESS);
  ASSERT_EQ(cuIpcGetEventHandle(&handle, event), CUDA_SUCCESS);
  // The other end, here in the same process: a handle of its own on the same event.
  CUevent opened = nullptr;
  ASSERT_EQ(cuIpcOpenEventHandle(&opened, handle), CUDA_SUCCESS);
  const CUstream stream = NewStream(1);
  EXPECT_EQ(cuEventQuery(opened), CUDA_SUCCESS);
  ASSERT_EQ(Slow(stream), CUDA_SUCCESS);
  ASSERT_EQ(cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(opened), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(cuEventSynchronize(opened), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamQuery(stream), CUDA_SUCCESS);
  EXPECT_EQ(cuEventDestroy_v2(opened), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(event), CUDA_SUCCESS) << "the owner's is still there";
  EXPECT_EQ(cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(cuIpcOpenEventHandle(&opened, handle), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(DriverTest, GraphOfMoreNodesThanAStreamHolds) {
  const CUstream stream = NewStream(1);
  CUdeviceptr data = 0;
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cuMemAlloc_v2(&data, 4), CUDA_SUCCESS);
  ASSERT_EQ(cuMemsetD32_v2(data, 0, 1), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, 0), CUDA_SUCCESS);
  for (int i = 0; i < 1500; ++i)
    ASSERT_EQ(cuMemsetD32Async(data, static_cast<unsigned>(i), 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(AddOne(data, 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphLaunch(exec, stream), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(*reinterpret_cast<int*>(data), 1500);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(DriverTest, MemoryOfAContextGoesWithIt) {
  CUcontext other = nullptr;
  CUdeviceptr data = 0;
  std::size_t free_before = 0;
  std::size_t free_after = 0;
  std::size_t total = 0;
  ASSERT_EQ(cuMemGetInfo_v2(&free_before, &total), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAlloc_v2(&data, 1 << 20), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  ASSERT_EQ(cuMemGetInfo_v2(&free_after, &total), CUDA_SUCCESS);
  EXPECT_EQ(free_after, free_before);
  EXPECT_EQ(cuMemFree_v2(data), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace mortar::simcuda
