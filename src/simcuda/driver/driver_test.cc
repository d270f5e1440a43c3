// The simulated driver as programs see it: by its exported functions alone.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "simcuda/driver/test_driver.h"

namespace mortar::simcuda {
namespace {

TEST_F(DriverTest, DeviceIsTheOneDescribed) {
  char name[40];
  ASSERT_EQ(cuDeviceGetName(name, sizeof name, 0), CUDA_SUCCESS);
  EXPECT_STREQ(name, "Test GPU");
  std::size_t bytes = 0;
  ASSERT_EQ(cuDeviceTotalMem_v2(&bytes, 0), CUDA_SUCCESS);
  EXPECT_EQ(bytes, 64U << 20);
  EXPECT_EQ(cuDeviceGetName(name, sizeof name, 2), CUDA_ERROR_INVALID_DEVICE);
}

TEST_F(DriverTest, CopyLaunchCopyComputesInOrder) {
  const CUstream stream = NewStream();
  std::vector<int> host(1000, 41);
  CUdeviceptr data = 0;
  ASSERT_EQ(cuMemAlloc_v2(&data, 4000), CUDA_SUCCESS);
  ASSERT_EQ(Slow(stream), CUDA_SUCCESS);
  ASSERT_EQ(cuMemcpyHtoDAsync_v2(data, host.data(), 4000, stream), CUDA_SUCCESS);
  host.assign(1000, 0);  // pageable: its bytes were taken during the call
  ASSERT_EQ(AddOne(data, 1000, stream), CUDA_SUCCESS);
  ASSERT_EQ(cuMemcpyDtoHAsync_v2(host.data(), data, 4000, stream), CUDA_SUCCESS);
  EXPECT_EQ(host, std::vector<int>(1000, 42));  // to pageable memory: done when the call returns
  EXPECT_EQ(cuStreamQuery(stream), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(data), CUDA_SUCCESS);
}

TEST_F(DriverTest, SynchronousCopyWaitsForEarlierWorkOfBlockingStreams) {
  const CUstream stream = NewStream();
  CUdeviceptr data = 0;
  ASSERT_EQ(cuMemAlloc_v2(&data, 4), CUDA_SUCCESS);
  ASSERT_EQ(cuMemsetD32Async(data, 7, 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(Slow(stream), CUDA_SUCCESS);
  ASSERT_EQ(AddOne(data, 1, stream), CUDA_SUCCESS);
  int value = 0;
  ASSERT_EQ(cuMemcpyDtoH_v2(&value, data, 4), CUDA_SUCCESS);
  EXPECT_EQ(value, 8);
}

TEST_F(DriverTest, EventsMeasureTheSimulatedDuration) {
  const CUstream stream = NewStream(1);
  CUevent events[2];
  for (auto& event : events) ASSERT_EQ(cuEventCreate(&event, 0), CUDA_SUCCESS);
  float ms = 0;
  EXPECT_EQ(cuEventElapsedTime(&ms, events[0], events[1]), CUDA_ERROR_INVALID_HANDLE);  // never recorded
  ASSERT_EQ(Slow(stream), CUDA_SUCCESS);
  ASSERT_EQ(cuEventRecord(events[0], stream), CUDA_SUCCESS);
  ASSERT_EQ(Slow(stream), CUDA_SUCCESS);
  ASSERT_EQ(cuEventRecord(events[1], stream), CUDA_SUCCESS);
  ASSERT_EQ(cuEventSynchronize(events[1]), CUDA_SUCCESS);
  ASSERT_EQ(cuEventElapsedTime(&ms, events[0], events[1]), CUDA_SUCCESS);
  EXPECT_FLOAT_EQ(ms,
                  3.0F);  // both were queued before the first ended: exact, as the device's time is modelled
}

TEST_F(DriverTest, HostFunctionIsCalledBeforeLaterWorkOfItsStream) {
  const CUstream stream = NewStream();
  std::atomic<int> seen{-1};
  void* pinned = nullptr;
  ASSERT_EQ(cuMemAllocHost_v2(&pinned, 4), CUDA_SUCCESS);
  auto* value = static_cast<int*>(pinned);
  *value = 1;
  ASSERT_EQ(AddOne(reinterpret_cast<CUdeviceptr>(pinned), 1, stream), CUDA_SUCCESS);
  struct Both {
    int* value;
    std::atomic<int>* seen;
  } both{value, &seen};
  ASSERT_EQ(
      cuLaunchHostFunc(
          stream, [](void* data) { static_cast<Both*>(data)->seen->store(*static_cast<Both*>(data)->value); },
          &both),
      CUDA_SUCCESS);
  ASSERT_EQ(AddOne(reinterpret_cast<CUdeviceptr>(pinned), 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(seen.load(), 2);
  EXPECT_EQ(*value, 3);
}

TEST_F(DriverTest, MemoryIsExhaustedAndComesBack) {
  CUdeviceptr first = 0;
  CUdeviceptr second = 0;
  ASSERT_EQ(cuMemAlloc_v2(&first, 60U << 20), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAlloc_v2(&second, 5U << 20), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(cuMemFree_v2(first), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAlloc_v2(&second, 5U << 20), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(first), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(DriverTest, WhatIsNotSimulatedIsRefusedAndCounted) {
  const auto before = mortar_simcuda_refused("cuTexRefCreate");
  CUtexref texture = nullptr;
  EXPECT_EQ(cuTexRefCreate(&texture), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(mortar_simcuda_refused("cuTexRefCreate"), before + 1);
}

TEST_F(DriverTest, GetProcAddressLeadsToTheSameFunctions) {
  void* found = nullptr;
  int status = -1;
  ASSERT_EQ(cuGetProcAddress_v2("cuMemAlloc", &found, 12000, 0, &status), CUDA_SUCCESS);
  EXPECT_EQ(found, reinterpret_cast<void*>(&cuMemAlloc_v2));
  ASSERT_EQ(cuGetProcAddress_v2("cuStreamQuery", &found, 12000, 2, &status), CUDA_SUCCESS);
  EXPECT_EQ(found, reinterpret_cast<void*>(&cuStreamQuery_ptsz));
  EXPECT_EQ(cuGetProcAddress_v2("cuNoSuchThing", &found, 12000, 0, &status), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(status, 1);
}

TEST_F(DriverTest, HandlesThatAreNoneAreRefused) {
  int nothing = 0;
  EXPECT_EQ(cuStreamSynchronize(reinterpret_cast<CUstream>(&nothing)), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuEventQuery(reinterpret_cast<CUevent>(&nothing)), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(
      cuLaunchKernel(reinterpret_cast<CUfunction>(&nothing), 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
      CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuLaunchKernel(slow_, 0, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace mortar::simcuda
