// What is counted, refused and shown of device memory, over the mock driver.
#include <thread>
#include <vector>

#include "backend/cuda/test_world.h"

namespace mortar::cuda {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class MemoryTest : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    slot().memory_limit.store(0);
    mortar_cuMemPoolTrimTo(pool(), 0);
    ASSERT_EQ(Held(), 0U) << "every test gives back what it took";
  }
  void TearDown() override {
    mock.Clear();
    slot().memory_limit.store(0);
    for (const CUdeviceptr address : taken_) mortar_cuMemFree_v2(address);
    mortar_cuMemPoolTrimTo(pool(), 0);
    EXPECT_EQ(Held(), 0U);
  }
  board::Slot& slot() { return OwnSlot(); }
  std::uint64_t Held() { return slot().report.memory.load(); }
  void Limit(std::uint64_t bytes) { slot().memory_limit.store(bytes); }
  static CUmemoryPool pool() { return reinterpret_cast<CUmemoryPool>(0x9001); }

  CUdeviceptr Take(std::uint64_t bytes, CUresult expected = CUDA_SUCCESS) {
    CUdeviceptr address = 0;
    EXPECT_EQ(mortar_cuMemAlloc_v2(&address, bytes), expected);
    if (address != 0) taken_.push_back(address);
    return address;
  }
  void Free(CUdeviceptr address) {
    std::erase(taken_, address);
    EXPECT_EQ(mortar_cuMemFree_v2(address), CUDA_SUCCESS);
  }

  std::vector<CUdeviceptr> taken_;
};

TEST_F(MemoryTest, TakenAndGivenBack) {
  const CUdeviceptr one = Take(3 * kMiB);
  const CUdeviceptr two = Take(kMiB);
  EXPECT_EQ(Held(), 4 * kMiB);
  Free(one);
  EXPECT_EQ(Held(), kMiB);
  Free(two);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryTest, BeyondTheLimitIsOutOfMemory) {
  Limit(4 * kMiB);
  const auto refused = slot().counters.refused.load();
  const int calls = mock.CallsOf(Symbol::cuMemAlloc_v2);
  Take(4 * kMiB);
  EXPECT_EQ(Take(1, CUDA_ERROR_OUT_OF_MEMORY), 0U);
  EXPECT_EQ(mock.CallsOf(Symbol::cuMemAlloc_v2), calls + 1) << "the driver is not asked";
  EXPECT_EQ(slot().counters.refused.load(), refused + 1);
  EXPECT_EQ(Take(SIZE_MAX, CUDA_ERROR_OUT_OF_MEMORY), 0U);
}

TEST_F(MemoryTest, WhatTheDriverRefusesIsGivenBack) {
  mock.Answer(Symbol::cuMemAlloc_v2, CUDA_ERROR_OUT_OF_MEMORY);
  Take(kMiB, CUDA_ERROR_OUT_OF_MEMORY);
  mock.Answer(Symbol::cuMemCreate, CUDA_ERROR_NOT_SUPPORTED);
  const int properties[] = {1, 0, 1, 0};
  unsigned long long handle = 0;
  EXPECT_EQ(mortar_cuMemCreate(&handle, kMiB, properties, 0), CUDA_ERROR_NOT_SUPPORTED);
  mock.Answer(Symbol::cuMemAllocAsync, CUDA_ERROR_INVALID_CONTEXT);
  CUdeviceptr address = 0;
  EXPECT_EQ(mortar_cuMemAllocAsync(&address, kMiB, stream), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryTest, AFreeThatFailsLeavesItHeld) {
  const CUdeviceptr address = Take(kMiB);
  mock.Answer(Symbol::cuMemFree_v2, CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(mortar_cuMemFree_v2(address), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(Held(), kMiB);
}

TEST_F(MemoryTest, UnknownAndDoubleFreesPassThrough) {
  const CUdeviceptr address = Take(kMiB);
  Free(address);
  const int calls = mock.CallsOf(Symbol::cuMemFree_v2);
  EXPECT_EQ(mortar_cuMemFree_v2(address), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemFree_v2(0x1234), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemFree_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(mock.CallsOf(Symbol::cuMemFree_v2), calls + 3);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryTest, NullPointersAreTheDriversBusiness) {
  EXPECT_EQ(mortar_cuMemAlloc_v2(nullptr, kMiB), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuMemAllocAsync(nullptr, kMiB, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryTest, RowsArePadded) {
  CUdeviceptr address = 0;
  std::size_t pitch = 0;
  Limit(1024 * MockCuda::kPitch);
  ASSERT_EQ(mortar_cuMemAllocPitch_v2(&address, &pitch, 100, 1024, 4), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 1024 * MockCuda::kPitch);
  Free(address);
  Limit(1024 * MockCuda::kPitch - 1);
  EXPECT_EQ(mortar_cuMemAllocPitch_v2(&address, &pitch, 100, 1024, 4), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryTest, ArraysAndMipmapsAreCountedByShape) {
  struct {
    std::size_t width, height;
    int format;
    unsigned channels;
  } flat{1024, 512, 0x20, 4};  // floats
  struct {
    std::size_t width, height, depth;
    int format;
    unsigned channels, flags;
  } deep{64, 64, 64, 0x10, 1, 0};  // halves
  CUarray one = nullptr;
  CUarray two = nullptr;
  CUmipmappedArray three = nullptr;
  EXPECT_EQ(mortar_cuArrayCreate_v2(&one, &flat), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 8 * kMiB);
  EXPECT_EQ(mortar_cuArray3DCreate_v2(&two, &deep), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 8 * kMiB + 512 * 1024);
  EXPECT_EQ(mortar_cuArrayDestroy(one), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuArrayDestroy(two), CUDA_SUCCESS);
  deep.depth = 0;
  EXPECT_EQ(mortar_cuMipmappedArrayCreate(&three, &deep, 2), CUDA_SUCCESS);
  EXPECT_EQ(Held(), (64U * 64 + 32 * 32) * 2);
  EXPECT_EQ(mortar_cuMipmappedArrayDestroy(three), CUDA_SUCCESS);
  deep.flags = 0x40;  // sparse
  EXPECT_EQ(mortar_cuArray3DCreate_v2(&two, &deep), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 0U);
  mortar_cuArrayDestroy(two);
  Limit(kMiB);
  EXPECT_EQ(mortar_cuArrayCreate_v2(&one, &flat), CUDA_ERROR_OUT_OF_MEMORY);
}

// Physical memory is there until its last handle is released and its last mapping undone.
TEST_F(MemoryTest, PhysicalMemoryLivesAsLongAsItIsReferredTo) {
  const int on_device[] = {1, 0, 1, 0};
  const int on_host[] = {1, 0, 2, 0};
  unsigned long long handle = 0;
  unsigned long long other = 0;
  unsigned long long host = 0;
  ASSERT_EQ(mortar_cuMemCreate(&handle, 2 * kMiB, on_device, 0), CUDA_SUCCESS);
  ASSERT_EQ(mortar_cuMemCreate(&host, 2 * kMiB, on_host, 0), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 2 * kMiB) << "host memory is not the device's";
  constexpr CUdeviceptr kAddress = 0x7000'0000;
  ASSERT_EQ(mortar_cuMemMap(kAddress, 2 * kMiB, 0, handle, 0), CUDA_SUCCESS);
  ASSERT_EQ(mortar_cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 2 * kMiB) << "still mapped";
  ASSERT_EQ(mortar_cuMemRetainAllocationHandle(&other, reinterpret_cast<void*>(kAddress + kMiB)),
            CUDA_SUCCESS);
  mock.Answer(Symbol::cuMemUnmap, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuMemUnmap(kAddress, 2 * kMiB), CUDA_ERROR_INVALID_VALUE);
  mock.Answer(Symbol::cuMemUnmap, CUDA_SUCCESS);
  ASSERT_EQ(mortar_cuMemUnmap(kAddress, 2 * kMiB), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 2 * kMiB) << "still retained";
  ASSERT_EQ(mortar_cuMemRelease(other), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 0U);
  EXPECT_EQ(mortar_cuMemRelease(other), CUDA_SUCCESS) << "once more: the driver's answer";
  EXPECT_EQ(Held(), 0U);
}

TEST_F(MemoryTest, PoolsCountWhatTheyKeep) {
  CUdeviceptr address = 0;
  Limit(10 * kMiB);
  ASSERT_EQ(mortar_cuMemAllocAsync(&address, 6 * kMiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 6 * kMiB);
  ASSERT_EQ(mortar_cuMemFreeAsync(address, stream), CUDA_SUCCESS);
  mock.pool_used = 0;  // the stream got there; the pool keeps it
  EXPECT_EQ(Held(), 6 * kMiB);
  // From what the pool keeps: nothing more is taken.
  ASSERT_EQ(mortar_cuMemAllocFromPoolAsync(&address, 5 * kMiB, pool(), stream), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 6 * kMiB);
  ASSERT_EQ(mortar_cuMemFreeAsync(address, stream), CUDA_SUCCESS);
  mock.pool_used = 0;
  // What the pool keeps unused makes room for others.
  Take(10 * kMiB);
  EXPECT_EQ(mock.pool_reserved.load(), 0U);
  EXPECT_EQ(Held(), 10 * kMiB);
  EXPECT_EQ(mortar_cuMemAllocAsync(&address, 1, stream), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(MemoryTest, APoolThatGrowsBeyondTheLimitGivesItBack) {
  mock.pool_grain = 8 * kMiB;
  Limit(10 * kMiB);
  CUdeviceptr address = 0;
  EXPECT_EQ(mortar_cuMemAllocAsync(&address, 6 * kMiB, stream), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(mock.CallsOf(Symbol::cuMemFreeAsync), 1);
  EXPECT_LE(Held(), 10 * kMiB);
  mock.pool_used = 0;
}

TEST_F(MemoryTest, InACaptureNothingIsTakenYet) {
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(stream, 0), CUDA_SUCCESS);
  mock.captured = reinterpret_cast<std::uintptr_t>(stream);
  CUdeviceptr address = 0;
  Limit(1);
  EXPECT_EQ(mortar_cuMemAllocAsync(&address, kMiB, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemFreeAsync(address, stream), CUDA_SUCCESS);
  mock.captured = 0;
  CUgraph graph = nullptr;
  ASSERT_EQ(mortar_cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  mock.pool_used = mock.pool_reserved = 0;
}

TEST_F(MemoryTest, AContextTakesItsMemoryAlong) {
  Take(kMiB);
  CUdeviceptr managed = 0;
  ASSERT_EQ(mortar_cuMemAllocManaged(&managed, kMiB, 1), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 2 * kMiB);
  const CUcontext context = mock.context.load();
  mock.Answer(Symbol::cuCtxDestroy_v2, CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(mortar_cuCtxDestroy_v2(context), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(Held(), 2 * kMiB);
  mock.Answer(Symbol::cuCtxDestroy_v2, CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuCtxDestroy_v2(context), CUDA_SUCCESS);
  EXPECT_EQ(Held(), 0U);
  taken_.clear();
}

TEST_F(MemoryTest, TheLimitIsWhatTheProgramSees) {
  std::size_t free = 0;
  std::size_t total = 0;
  ASSERT_EQ(mortar_cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(total, MockCuda::kMemory);
  EXPECT_EQ(free, MockCuda::kMemory / 2);
  Limit(64 * kMiB);
  Take(24 * kMiB);
  ASSERT_EQ(mortar_cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(total, 64 * kMiB);
  EXPECT_EQ(free, 40 * kMiB);
  ASSERT_EQ(mortar_cuDeviceTotalMem_v2(&total, 0), CUDA_SUCCESS);
  EXPECT_EQ(total, 64 * kMiB);
  Limit(8 * kMiB);  // below what is held
  ASSERT_EQ(mortar_cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(free, 0U);
  Take(1, CUDA_ERROR_OUT_OF_MEMORY);
  Limit(UINT64_MAX);  // garbage: no limit
  ASSERT_EQ(mortar_cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(total, MockCuda::kMemory);
}

TEST_F(MemoryTest, ThreadsRacingAtTheLimitNeverGetMore) {
  constexpr std::uint64_t kLimit = 10 * kMiB;
  Limit(kLimit);
  std::atomic<std::uint64_t> now{0};
  std::atomic<std::uint64_t> most{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        CUdeviceptr address = 0;
        if (mortar_cuMemAlloc_v2(&address, 3 * kMiB) != CUDA_SUCCESS) {
          ++refused;
          continue;
        }
        const std::uint64_t held = now.fetch_add(3 * kMiB) + 3 * kMiB;
        for (std::uint64_t seen = most.load(); held > seen && !most.compare_exchange_weak(seen, held);) {
        }
        now.fetch_sub(3 * kMiB);
        mortar_cuMemFree_v2(address);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most.load(), kLimit);
}

}  // namespace
}  // namespace mortar::cuda
