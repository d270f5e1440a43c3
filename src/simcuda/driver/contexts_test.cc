// What contexts leave to others: room on the device, captures, questions, memory, modules' variables.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "simcuda/driver/test_driver.h"

namespace mortar::simcuda {
namespace {

TEST_F(DriverTest, ContextWithoutRoomForAStreamIsOutOfMemory) {
  constexpr int kMoreThanContexts = 300;
  std::vector<CUstream> streams;
  CUstream stream = nullptr;
  while (cuStreamCreate(&stream, 1) == CUDA_SUCCESS) streams.push_back(stream);
  CUcontext other = nullptr;
  for (int i = 0; i < kMoreThanContexts; ++i)
    ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(cuStreamDestroy_v2(streams.back()), CUDA_SUCCESS);
  streams.pop_back();
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS) << "those that failed took no room";
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  for (CUstream each : streams) EXPECT_EQ(cuStreamDestroy_v2(each), CUDA_SUCCESS);
}

TEST_F(DriverTest, CapturesOfAContextGoWithIt) {
  constexpr int kGlobal = 0;
  auto* per_thread = reinterpret_cast<CUstream>(2);
  CUdeviceptr data = 0;
  for (const bool own : {false, true}) {
    CUcontext other = nullptr;
    ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
    CUstream stream = own ? per_thread : NewStream();
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, kGlobal), CUDA_SUCCESS);
    EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
    ASSERT_EQ(cuMemAlloc_v2(&data, 64), CUDA_SUCCESS) << "no capture is open that forbids it";
    EXPECT_EQ(cuMemFree_v2(data), CUDA_SUCCESS);
  }
}

// A stream that joined is of the context that goes; the capture is another's, and can still be ended.
TEST_F(DriverTest, CaptureThatAContextsStreamJoinedIsInvalidWithoutIt) {
  CUcontext other = nullptr;
  CUevent event = nullptr;
  CUgraph graph = nullptr;
  const CUstream origin = NewStream(1);
  ASSERT_EQ(cuEventCreate(&event, 2), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamBeginCapture_v2(origin, 2), CUDA_SUCCESS);
  ASSERT_EQ(cuEventRecord(event, origin), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamWaitEvent(NewStream(1), event, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamEndCapture(origin, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(cuStreamSynchronize(origin), CUDA_SUCCESS);
  EXPECT_EQ(cuEventDestroy_v2(event), CUDA_SUCCESS);
}

TEST_F(DriverTest, QuestionsOfAFailedContextAreNotAskedAfterIt) {
  CUcontext broken = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&broken, 0, 0), CUDA_SUCCESS);
  CUfunction fault = nullptr;
  ASSERT_EQ(cuModuleGetFunction(&fault, module_, "fault"), CUDA_SUCCESS);
  CUdeviceptr data = 0;
  ASSERT_EQ(cuMemAlloc_v2(&data, 4), CUDA_SUCCESS);
  ASSERT_EQ(cuMemsetD32_v2(data, 0, 1), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamWaitValue32_v2(NewStream(1), data, 1, 0), CUDA_SUCCESS);  // for ever
  const CUstream stream = NewStream(1);
  ASSERT_EQ(Slow(stream), CUDA_SUCCESS);  // long enough for the question to be asked
  ASSERT_EQ(cuLaunchKernel(fault, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(cuCtxDestroy_v2(broken), CUDA_SUCCESS);
  // The thread that asks is at work again by then; the address is nobody's.
  std::atomic<bool> called{false};
  const CUhostFn call = [](void* at) { static_cast<std::atomic<bool>*>(at)->store(true); };
  ASSERT_EQ(Slow(nullptr), CUDA_SUCCESS);
  ASSERT_EQ(cuLaunchHostFunc(nullptr, call, &called), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_TRUE(called.load());
}

TEST_F(DriverTest, VariablesOfALibraryAreEachContextsOwn) {
  constexpr char kText[] =
      ".version 8.0\n.target sm_80\n.address_size 64\n.visible .global .align 4 .b32 counter;\n";
  CUlibrary library = nullptr;
  CUdeviceptr first = 0;
  CUdeviceptr second = 0;
  CUdeviceptr again = 0;
  std::size_t bytes = 0;
  ASSERT_EQ(cuLibraryLoadData(&library, kText, nullptr, nullptr, 0, nullptr, nullptr, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuLibraryGetGlobal(&first, &bytes, library, "counter"), CUDA_SUCCESS);
  EXPECT_EQ(bytes, 4U);
  CUcontext other = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuLibraryGetGlobal(&second, &bytes, library, "counter"), CUDA_SUCCESS);
  EXPECT_NE(first, second);
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuLibraryGetGlobal(&second, &bytes, library, "counter"), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD32_v2(second, 1, 1), CUDA_SUCCESS) << "not what went with the context before";
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  ASSERT_EQ(cuLibraryGetGlobal(&again, &bytes, library, "counter"), CUDA_SUCCESS);
  EXPECT_EQ(again, first);
  // What lies now where the second was is not the library's to free.
  CUdeviceptr data = 0;
  ASSERT_EQ(cuMemAlloc_v2(&data, 4), CUDA_SUCCESS);
  EXPECT_EQ(cuLibraryUnload(library), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD32_v2(data, 1, 1), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(data), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(first), CUDA_ERROR_INVALID_VALUE) << "went with the library";
}

TEST_F(DriverTest, MemoryIsFreedWhenNoContextUsesItAnyMore) {
  void* pinned = nullptr;
  CUdeviceptr data = 0;
  CUdeviceptr target = 0;
  std::vector<char> registered(1 << 16);
  ASSERT_EQ(cuMemAllocHost_v2(&pinned, 1 << 16), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAlloc_v2(&data, 1 << 16), CUDA_SUCCESS);
  ASSERT_EQ(cuMemHostRegister_v2(registered.data(), 1 << 16, 0), CUDA_SUCCESS);
  CUcontext other = nullptr;
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAlloc_v2(&target, 1 << 16), CUDA_SUCCESS);
  const CUstream there = NewStream(1);
  const auto in_use_by_other = [&](CUdeviceptr from) {
    ASSERT_EQ(cuCtxPushCurrent_v2(other), CUDA_SUCCESS);
    ASSERT_EQ(Slow(there), CUDA_SUCCESS);
    ASSERT_EQ(cuMemcpyAsync(target, from, 1 << 16, there), CUDA_SUCCESS);
    ASSERT_EQ(cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
  };
  ASSERT_EQ(cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
  in_use_by_other(reinterpret_cast<CUdeviceptr>(pinned));
  EXPECT_EQ(cuMemFreeHost(pinned), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamQuery(there), CUDA_SUCCESS);
  in_use_by_other(data);
  EXPECT_EQ(cuMemFree_v2(data), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamQuery(there), CUDA_SUCCESS);
  in_use_by_other(reinterpret_cast<CUdeviceptr>(registered.data()));
  EXPECT_EQ(cuMemHostUnregister(registered.data()), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamQuery(there), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
}

// Serialised with what both contexts have been given, whichever is current.
TEST_F(DriverTest, PeerCopyComesAfterTheWorkOfBothDevices) {
  CUcontext other = nullptr;
  CUdeviceptr from = 0;
  CUdeviceptr to = 0;
  ASSERT_EQ(cuMemAlloc_v2(&from, 4), CUDA_SUCCESS);
  const CUstream here = NewStream(1);
  ASSERT_EQ(cuCtxCreate_v2(&other, 0, 1), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAlloc_v2(&to, 4), CUDA_SUCCESS);
  unsigned int expected = 1;
  int value = -1;
  CUDA_MEMCPY3D_PEER copy{};
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = from;
  copy.dstDevice = to;
  copy.srcContext = context_;
  copy.dstContext = other;
  copy.WidthInBytes = 4;
  copy.Height = copy.Depth = 1;
  for (const bool described : {false, true}) {
    ASSERT_EQ(cuCtxPushCurrent_v2(context_), CUDA_SUCCESS);
    ASSERT_EQ(Slow(here), CUDA_SUCCESS);
    ASSERT_EQ(cuMemsetD32Async(from, ++expected, 1, here), CUDA_SUCCESS);
    ASSERT_EQ(cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
    ASSERT_EQ(described ? cuMemcpy3DPeer(&copy) : cuMemcpyPeer(to, other, from, context_, 4), CUDA_SUCCESS);
    ASSERT_EQ(cuMemcpyDtoH_v2(&value, to, 4), CUDA_SUCCESS);
    EXPECT_EQ(value, static_cast<int>(expected));
  }
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(from), CUDA_SUCCESS);
}

}  // namespace
}  // namespace mortar::simcuda
