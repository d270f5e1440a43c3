// Streams, events, barriers, priorities, host functions.
#include <atomic>
#include <set>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr unsigned int kNonBlocking = 1;
constexpr unsigned int kNoTiming = 2;

class StreamTest : public SuiteTest {
 protected:
  CUevent Event(unsigned int flags = 0) {
    CUevent event = nullptr;
    EXPECT_CU(CU(cuEventCreate)(&event, flags));
    return event;
  }
};

TEST_P(StreamTest, WorkOfAStreamIsDoneInOrder) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({1});
  Plug plug(stream);
  EXPECT_CU(SlowStore(data, 5, stream));
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  EXPECT_CU(ScaleAdd(data, 10, 2, stream));
  EXPECT_EQ(CU(cuStreamQuery)(stream), CUDA_ERROR_NOT_READY);
  plug.Release();
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_CU(CU(cuStreamQuery)(stream));
  EXPECT_EQ(ReadOne(data), 512);
}

TEST_P(StreamTest, WaitOnAnEventOrdersStreams) {
  CUstream first = Stream(kNonBlocking);
  CUstream second = Stream(kNonBlocking);
  CUevent event = Event(kNoTiming);
  const CUdeviceptr data = Ints({1});
  EXPECT_CU(SlowStore(data, 7, first));
  EXPECT_CU(CU(cuEventRecord)(event, first));
  EXPECT_CU(ScaleAdd(data, 0, 99, first));  // behind the record: not waited for, but first's own next
  EXPECT_CU(CU(cuStreamWaitEvent)(second, event, 0));
  EXPECT_CU(CU(cuStreamSynchronize)(second));
  EXPECT_CU(CU(cuEventQuery)(event));
  EXPECT_CU(CU(cuStreamSynchronize)(first));
  EXPECT_EQ(ReadOne(data), 99);
  EXPECT_CU(CU(cuEventDestroy_v2)(event));
}

TEST_P(StreamTest, WaitTakesTheRecordOfItsOwnTime) {
  CUstream first = Stream(kNonBlocking);
  CUstream second = Stream(kNonBlocking);
  CUevent event = Event();
  const CUdeviceptr data = Ints({0, 0});
  EXPECT_CU(CU(cuEventRecord)(event, first));
  EXPECT_CU(CU(cuStreamWaitEvent)(second, event, 0));
  Plug plug(first);
  EXPECT_CU(SlowStore(data, 1, first));
  EXPECT_CU(CU(cuEventRecord)(event, first));  // later: of no meaning to the wait above
  EXPECT_CU(AddOne(data + 4, 1, second));
  EXPECT_CU(CU(cuStreamSynchronize)(second));
  EXPECT_EQ(CU(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
  plug.Release();
  EXPECT_CU(CU(cuEventSynchronize)(event));
  EXPECT_EQ(Read(data, 2), (std::vector<int>{1, 1}));
  EXPECT_CU(CU(cuEventDestroy_v2)(event));
}

TEST_P(StreamTest, LegacyStreamWaitsForBlockingStreamsAndTheyForIt) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({1});
  EXPECT_CU(SlowStore(data, 3, stream));
  EXPECT_CU(ScaleAdd(data, 10, 1, nullptr));
  EXPECT_CU(ScaleAdd(data, 10, 2, stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(data), 312);
}

TEST_P(StreamTest, LegacyStreamLeavesNonBlockingOnesAlone) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1, 1});
  Plug plug(stream);
  EXPECT_CU(SlowStore(data, 3, stream));
  EXPECT_CU(ScaleAdd(data + 4, 10, 1, nullptr));
  EXPECT_CU(CU(cuStreamSynchronize)(nullptr));
  EXPECT_EQ(CU(cuStreamQuery)(stream), CUDA_ERROR_NOT_READY);
  plug.Release();
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(Read(data, 2), (std::vector<int>{3, 11}));
}

TEST_P(StreamTest, PerThreadDefaultStreamIsBlockingAndAStreamOfItsOwn) {
  const CUdeviceptr data = Ints({1});
  auto* per_thread = reinterpret_cast<CUstream>(2);
  Plug plug(per_thread);
  EXPECT_CU(SlowStore(data, 4, per_thread));
  EXPECT_EQ(CU(cuStreamQuery_ptsz)(nullptr), CUDA_ERROR_NOT_READY) << "null means the thread's stream there";
  plug.Release();
  EXPECT_CU(CU(cuStreamSynchronize_ptsz)(nullptr));
  EXPECT_CU(CU(cuStreamQuery)(per_thread));
  EXPECT_CU(SlowStore(data, 5, per_thread));
  EXPECT_CU(ScaleAdd(data, 10, 1, nullptr));  // the legacy stream, which waits for it
  EXPECT_CU(CU(cuStreamSynchronize)(nullptr));
  EXPECT_EQ(ReadOne(data), 51);
}

TEST_P(StreamTest, EventsMeasureTime) {
  CUstream stream = Stream();
  CUevent start = Event();
  CUevent end = Event();
  CUevent untimed = Event(kNoTiming);
  const CUdeviceptr data = Ints({0});
  float ms = -1;
  EXPECT_EQ(CU(cuEventElapsedTime)(&ms, start, end), CUDA_ERROR_INVALID_HANDLE) << "never recorded";
  Plug plug(stream);
  EXPECT_CU(CU(cuEventRecord)(start, stream));
  EXPECT_CU(SlowStore(data, 1, stream));
  EXPECT_CU(CU(cuEventRecord)(end, stream));
  EXPECT_CU(CU(cuEventRecord)(untimed, stream));
  EXPECT_EQ(CU(cuEventElapsedTime)(&ms, start, end), CUDA_ERROR_NOT_READY);
  plug.Release();
  EXPECT_CU(CU(cuEventSynchronize)(end));
  EXPECT_CU(CU(cuEventElapsedTime)(&ms, start, end));
  EXPECT_GE(ms, 19.0F);
  EXPECT_CU(CU(cuEventSynchronize)(untimed));
  EXPECT_EQ(CU(cuEventElapsedTime)(&ms, start, untimed), CUDA_ERROR_INVALID_HANDLE);
  for (CUevent event : {start, end, untimed}) EXPECT_CU(CU(cuEventDestroy_v2)(event));
}

TEST_P(StreamTest, PropertiesAreAsMade) {
  int least = -1;
  int greatest = 1;
  EXPECT_CU(CU(cuCtxGetStreamPriorityRange)(&least, &greatest));
  EXPECT_LE(greatest, least);
  CUstream stream = nullptr;
  EXPECT_CU(CU(cuStreamCreateWithPriority)(&stream, kNonBlocking, greatest));
  int priority = 1;
  EXPECT_CU(CU(cuStreamGetPriority)(stream, &priority));
  EXPECT_EQ(priority, greatest);
  unsigned int flags = 0;
  EXPECT_CU(CU(cuStreamGetFlags)(stream, &flags));
  EXPECT_EQ(flags, kNonBlocking);
  CUcontext owner = nullptr;
  EXPECT_CU(CU(cuStreamGetCtx)(stream, &owner));
  EXPECT_EQ(owner, context_);
  std::set<unsigned long long> ids;
  for (CUstream each : {stream, Stream(), Stream()}) {
    unsigned long long id = 0;
    EXPECT_CU(CU(cuStreamGetId)(each, &id));
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_CU(CU(cuStreamDestroy_v2)(stream));
}

struct Seen {
  int* value = nullptr;
  std::atomic<int> at_call{-1};
  std::atomic<int> status{-1};
};

TEST_P(StreamTest, HostFunctionRunsInItsPlace) {
  CUstream stream = Stream();
  void* pinned = nullptr;
  ASSERT_CU(CU(cuMemAllocHost_v2)(&pinned, sizeof(int)));
  Seen seen;
  seen.value = static_cast<int*>(pinned);
  *seen.value = 1;
  CUdeviceptr data = 0;
  EXPECT_CU(CU(cuMemHostGetDevicePointer_v2)(&data, pinned, 0));
  EXPECT_CU(SlowStore(data, 6, stream));
  const auto look = [](void* at) { static_cast<Seen*>(at)->at_call = *static_cast<Seen*>(at)->value; };
  EXPECT_CU(CU(cuLaunchHostFunc)(stream, look, &seen));
  EXPECT_CU(ScaleAdd(data, 10, 3, stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(seen.at_call, 6);
  EXPECT_EQ(*seen.value, 63);
  const auto told = [](CUstream, CUresult status, void* at) { static_cast<Seen*>(at)->status = status; };
  EXPECT_CU(CU(cuStreamAddCallback)(stream, told, &seen, 0));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(seen.status, CUDA_SUCCESS);
  EXPECT_CU(CU(cuMemFreeHost)(pinned));
}

TEST_P(StreamTest, HostFunctionsOfAStreamComeInOrder) {
  CUstream stream = Stream();
  static std::vector<int> order;
  order.clear();
  static int numbers[100];
  for (int i = 0; i < 100; ++i) {
    numbers[i] = i;
    EXPECT_CU(CU(cuLaunchHostFunc)(
        stream, [](void* number) { order.push_back(*static_cast<int*>(number)); }, &numbers[i]));
  }
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(order, std::vector<int>(std::begin(numbers), std::end(numbers)));
}

TEST_P(StreamTest, WaitsForValuesInMemory) {
  int supported = 0;
  EXPECT_CU(CU(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS, 0));
  if (supported == 0) GTEST_SKIP() << "no waits for values on this device";
  CUstream waits = Stream(kNonBlocking);
  CUstream writes = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({0, 0, 5});
  EXPECT_CU(CU(cuStreamWaitValue32_v2)(waits, data, 3, 0));  // at least 3
  EXPECT_CU(ScaleAdd(data + 8, 10, 1, waits));
  EXPECT_EQ(CU(cuStreamQuery)(waits), CUDA_ERROR_NOT_READY);
  EXPECT_CU(CU(cuStreamWriteValue32_v2)(writes, data, 2, 0));
  EXPECT_CU(CU(cuStreamSynchronize)(writes));
  EXPECT_EQ(CU(cuStreamQuery)(waits), CUDA_ERROR_NOT_READY);
  EXPECT_CU(SlowStore(data, 3, writes));
  EXPECT_CU(CU(cuStreamSynchronize)(waits));
  EXPECT_EQ(Read(data, 3), (std::vector<int>{3, 0, 51}));
}

CONFORMANCE_BOTH_WAYS(StreamTest);

}  // namespace
}  // namespace mortar::conformance
