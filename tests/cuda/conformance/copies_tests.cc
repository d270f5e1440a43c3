// Memory and copies: who waits for whom, and when calls return.
#include <cstring>
#include <numeric>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr unsigned int kNonBlocking = 1;

class CopyTest : public SuiteTest {
 protected:
  void* Pinned(std::size_t bytes) {
    void* memory = nullptr;
    EXPECT_CU(CU(cuMemHostAlloc)(&memory, bytes, 0));
    return memory;
  }
};

// The four that a well-known peer gets wrong.

TEST_P(CopyTest, SynchronousCopyToTheHostComesAfterEarlierKernels) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({1});
  EXPECT_CU(SlowStore(data, 2, stream));
  EXPECT_EQ(ReadOne(data), 2) << "the default stream waits for blocking ones";
  EXPECT_CU(SlowStore(data, 3, nullptr));
  EXPECT_EQ(ReadOne(data), 3);
}

TEST_P(CopyTest, MemcpyAsyncComesAfterEarlierKernelsOfItsStream) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr from = Ints({1});
  const CUdeviceptr to = Ints({0});
  EXPECT_CU(SlowStore(from, 2, stream));
  EXPECT_CU(CU(cuMemcpyAsync)(to, from, sizeof(int), stream));
  EXPECT_CU(ScaleAdd(to, 10, 5, stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(to), 25);
}

TEST_P(CopyTest, CooperativeLaunchComesAfterEarlierKernelsOfItsStream) {
  int supported = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 0));
  if (supported == 0) GTEST_SKIP() << "no cooperative launches on this device";
  CUstream stream = Stream(kNonBlocking);
  CUdeviceptr data = Ints({1});
  int factor = 10;
  int term = 7;
  void* parameters[] = {&data, &factor, &term};
  EXPECT_CU(SlowStore(data, 2, stream));
  EXPECT_CU(CU(cuLaunchCooperativeKernel)(Function("scale_add"), 1, 1, 1, 1, 1, 1, 0, stream, parameters));
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(data), 271);
}

TEST_P(CopyTest, AsynchronousCopyToPageableMemoryReturnsWhenItIsDone) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1});
  int value = -1;
  EXPECT_CU(SlowStore(data, 8, stream));
  EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(&value, data, sizeof value, stream));
  EXPECT_EQ(value, 8);
  value = -1;
  EXPECT_CU(SlowStore(data, 9, stream));
  EXPECT_CU(CU(cuMemcpyAsync)(reinterpret_cast<CUdeviceptr>(&value), data, sizeof value, stream));
  EXPECT_EQ(value, 9);
}

TEST_P(CopyTest, PageableSourceMayChangeAtOnce) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1, 1});
  int value = 4;
  EXPECT_CU(SlowStore(data, 2, stream));
  EXPECT_CU(CU(cuMemcpyHtoDAsync_v2)(data + 4, &value, sizeof value, stream));
  value = 5;
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(Read(data, 2), (std::vector<int>{2, 4}));
}

TEST_P(CopyTest, PinnedMemoryIsReadAndWrittenInStreamOrder) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({0});
  auto* pinned = static_cast<int*>(Pinned(2 * sizeof(int)));
  pinned[0] = 11;
  pinned[1] = -1;
  EXPECT_CU(CU(cuMemcpyHtoDAsync_v2)(data, &pinned[0], sizeof(int), stream));
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(&pinned[1], data, sizeof(int), stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(pinned[1], 111);
  EXPECT_CU(CU(cuMemFreeHost)(pinned));
}

TEST_P(CopyTest, AsynchronousCopyToPinnedMemoryReturnsAtOnce) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1});
  auto* pinned = static_cast<int*>(Pinned(sizeof(int)));
  *pinned = -1;
  Plug plug(stream);
  EXPECT_CU(SlowStore(data, 8, stream));
  EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(pinned, data, sizeof(int), stream));
  EXPECT_EQ(CU(cuStreamQuery)(stream), CUDA_ERROR_NOT_READY);
  plug.Release();
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(*pinned, 8);
  EXPECT_CU(CU(cuMemFreeHost)(pinned));
}

TEST_P(CopyTest, RegisteredMemoryIsPinnedWhileItIs) {
  std::vector<int> memory(4096, 3);
  EXPECT_CU(CU(cuMemHostRegister_v2)(memory.data(), memory.size() * sizeof(int), 0));
  EXPECT_EQ(CU(cuMemHostRegister_v2)(memory.data(), memory.size() * sizeof(int), 0),
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  unsigned int type = 0;
  EXPECT_CU(CU(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                      reinterpret_cast<CUdeviceptr>(memory.data())));
  EXPECT_EQ(type, CU_MEMORYTYPE_HOST);
  CUstream stream = Stream();
  const CUdeviceptr data = Memory(memory.size() * sizeof(int));
  EXPECT_CU(CU(cuMemcpyHtoDAsync_v2)(data, memory.data(), memory.size() * sizeof(int), stream));
  EXPECT_CU(AddOne(data, 4096, stream));
  EXPECT_CU(CU(cuMemcpyDtoHAsync_v2)(memory.data(), data, memory.size() * sizeof(int), stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(memory, std::vector<int>(4096, 4));
  EXPECT_CU(CU(cuMemHostUnregister)(memory.data()));
  EXPECT_EQ(CU(cuMemHostUnregister)(memory.data()), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
}

TEST_P(CopyTest, TwoDimensions) {
  std::vector<int> host(4 * 3);
  std::iota(host.begin(), host.end(), 0);
  CUdeviceptr data = 0;
  std::size_t pitch = 0;
  ASSERT_CU(CU(cuMemAllocPitch_v2)(&data, &pitch, 4 * sizeof(int), 3, 4));
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = host.data();
  copy.srcPitch = 4 * sizeof(int);
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = data;
  copy.dstPitch = pitch;
  copy.WidthInBytes = 4 * sizeof(int);
  copy.Height = 3;
  EXPECT_CU(CU(cuMemcpy2D_v2)(&copy));
  EXPECT_EQ(Read(data + 2 * pitch, 4), (std::vector<int>{8, 9, 10, 11}));
  // The middle two columns of the last two rows, back.
  std::vector<int> part(4, -1);
  CUDA_MEMCPY2D back{};
  back.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  back.srcDevice = data;
  back.srcPitch = pitch;
  back.srcXInBytes = sizeof(int);
  back.srcY = 1;
  back.dstMemoryType = CU_MEMORYTYPE_HOST;
  back.dstHost = part.data();
  back.dstPitch = 2 * sizeof(int);
  back.WidthInBytes = 2 * sizeof(int);
  back.Height = 2;
  EXPECT_CU(CU(cuMemcpy2DAsync_v2)(&back, Stream()));
  EXPECT_EQ(part, (std::vector<int>{5, 6, 9, 10}));
  EXPECT_CU(CU(cuMemFree_v2)(data));
}

TEST_P(CopyTest, ThreeDimensions) {
  std::vector<int> host(2 * 3 * 4);
  std::iota(host.begin(), host.end(), 0);
  const CUdeviceptr data = Memory(host.size() * sizeof(int));
  CUDA_MEMCPY3D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = host.data();
  copy.srcPitch = copy.dstPitch = 4 * sizeof(int);
  copy.srcHeight = copy.dstHeight = 3;
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = data;
  copy.WidthInBytes = 4 * sizeof(int);
  copy.Height = 3;
  copy.Depth = 2;
  EXPECT_CU(CU(cuMemcpy3D_v2)(&copy));
  EXPECT_EQ(Read(data, host.size()), host);
}

TEST_P(CopyTest, FillsOfEveryWidth) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({0, 0, 0, 0, 0, 0});
  EXPECT_CU(CU(cuMemsetD32Async)(data, 0x01020304, 2, stream));
  EXPECT_CU(CU(cuMemsetD16Async)(data + 8, 0x0506, 2, stream));
  EXPECT_CU(CU(cuMemsetD8Async)(data + 12, 7, 4, stream));
  EXPECT_CU(CU(cuMemsetD2D32Async)(data + 16, 8, 9, 1, 1, stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(Read(data, 6), (std::vector<int>{0x01020304, 0x01020304, 0x05060506, 0x07070707, 9, 0}));
  EXPECT_CU(CU(cuMemsetD8_v2)(data, 0, 24));
  EXPECT_EQ(Read(data, 6), std::vector<int>(6, 0));
}

TEST_P(CopyTest, ManagedMemoryIsBothSides) {
  int supported = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0));
  if (supported == 0) GTEST_SKIP() << "no managed memory on this device";
  CUdeviceptr data = 0;
  ASSERT_CU(CU(cuMemAllocManaged)(&data, 2 * sizeof(int), 1));
  auto* host = reinterpret_cast<int*>(data);
  host[0] = 41;
  EXPECT_CU(AddOne(data, 1, nullptr));
  EXPECT_CU(CU(cuCtxSynchronize)());
  EXPECT_EQ(host[0], 42);
  EXPECT_CU(CU(cuMemFree_v2)(data));
}

TEST_P(CopyTest, FillOfMemoryThatTheHostSeesIsDoneWhenItReturns) {
  int supported = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0));
  CUdeviceptr managed = 0;
  if (supported != 0) {
    ASSERT_CU(CU(cuMemAllocManaged)(&managed, sizeof(int), 1));
  }
  void* pinned = Pinned(sizeof(int));
  CUdeviceptr mapped = 0;
  ASSERT_CU(CU(cuMemHostGetDevicePointer_v2)(&mapped, pinned, 0));
  for (const CUdeviceptr data : {managed, mapped}) {
    if (data == 0) continue;
    auto* host = data == managed ? reinterpret_cast<int*>(data) : static_cast<int*>(pinned);
    EXPECT_CU(SlowStore(data, 1, nullptr));
    EXPECT_CU(CU(cuMemsetD32_v2)(data, 3, 1));
    EXPECT_EQ(*host, 3);
    *host = 5;
    EXPECT_CU(CU(cuCtxSynchronize)());
    EXPECT_EQ(*host, 5);
  }
  if (managed != 0) {
    EXPECT_CU(CU(cuMemFree_v2)(managed));
  }
  EXPECT_CU(CU(cuMemFreeHost)(pinned));
}

TEST_P(CopyTest, CopyToManagedMemoryIsDoneWhenItReturns) {
  int supported = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0));
  if (supported == 0) GTEST_SKIP() << "no managed memory on this device";
  const CUdeviceptr data = Ints({7});
  CUdeviceptr managed = 0;
  ASSERT_CU(CU(cuMemAllocManaged)(&managed, sizeof(int), 1));
  auto* host = reinterpret_cast<int*>(managed);
  const int value = 6;
  EXPECT_CU(SlowStore(managed, 1, nullptr));
  EXPECT_CU(CU(cuMemcpyHtoD_v2)(managed, &value, sizeof value));
  EXPECT_EQ(*host, 6);
  EXPECT_CU(SlowStore(managed, 1, nullptr));
  EXPECT_CU(CU(cuMemcpy)(managed, data, sizeof value));
  EXPECT_EQ(*host, 7);
  EXPECT_CU(CU(cuMemFree_v2)(managed));
}

TEST_P(CopyTest, StreamOrderedAllocation) {
  int supported = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 0));
  if (supported == 0) GTEST_SKIP() << "no memory pools on this device";
  CUstream stream = Stream();
  const CUdeviceptr result = Ints({0});
  for (int i = 1; i <= 20; ++i) {
    CUdeviceptr data = 0;
    ASSERT_CU(CU(cuMemAllocAsync)(&data, 1 << 20, stream));
    EXPECT_CU(CU(cuMemsetD32Async)(data, static_cast<unsigned int>(i), 1, stream));
    EXPECT_CU(AddOne(data, 1, stream));
    EXPECT_CU(CU(cuMemcpyDtoDAsync_v2)(result, data, sizeof(int), stream));
    EXPECT_CU(CU(cuMemFreeAsync)(data, stream));
  }
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(result), 21);
  CUmemoryPool pool = nullptr;
  EXPECT_CU(CU(cuDeviceGetDefaultMemPool)(&pool, 0));
  unsigned long long used = 1;
  EXPECT_CU(CU(cuMemPoolGetAttribute)(pool, 7, &used));  // CU_MEMPOOL_ATTR_USED_MEM_CURRENT
  EXPECT_EQ(used, 0U);
}

TEST_P(CopyTest, MemoryRunsOutAndComesBack) {
  std::size_t free = 0;
  std::size_t total = 0;
  EXPECT_CU(CU(cuMemGetInfo_v2)(&free, &total));
  EXPECT_LE(free, total);
  CUdeviceptr data = 0;
  EXPECT_EQ(CU(cuMemAlloc_v2)(&data, total + 1), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_CU(CU(cuMemAlloc_v2)(&data, free / 2));
  CUdeviceptr base = 0;
  std::size_t size = 0;
  EXPECT_CU(CU(cuMemGetAddressRange_v2)(&base, &size, data + 100));
  EXPECT_EQ(base, data);
  EXPECT_EQ(size, free / 2);
  EXPECT_CU(CU(cuMemFree_v2)(data));
  EXPECT_CU(CU(cuMemAlloc_v2)(&data, free / 2)) << "again";
  EXPECT_CU(CU(cuMemFree_v2)(data));
}

CONFORMANCE_BOTH_WAYS(CopyTest);

}  // namespace
}  // namespace mortar::conformance
