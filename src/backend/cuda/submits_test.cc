// What reaches the gate, what is held there, and what never is.
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "backend/cuda/test_world.h"

namespace mortar::cuda {
namespace {

class SubmitsTest : public CudaTest {
 protected:
  // A call from a new thread, which is held: its lane is the first that no other thread has.
  struct Held {
    std::thread thread;
    std::atomic<int> status{-1};
  };
  template <typename Call>
  static void Start(Held& held, Call call) {
    held.thread = std::thread([&held, call] { held.status.store(call()); });
  }
};

TEST_F(SubmitsTest, EveryFormOfLaunchIsCountedOnce) {
  CUlaunchConfig config{.gridDimX = 1,
                        .gridDimY = 1,
                        .gridDimZ = 1,
                        .blockDimX = 32,
                        .blockDimY = 1,
                        .blockDimZ = 1,
                        .sharedMemBytes = 0,
                        .hStream = stream,
                        .attrs = nullptr,
                        .numAttrs = 0};
  CUDA_LAUNCH_PARAMS several[2] = {};
  several[0].function = several[1].function = function;
  auto* graph = reinterpret_cast<CUgraphExec>(0x9000);
  std::uint64_t before = Counted();
  const auto expect_one_more = [&](const char* what) {
    const std::uint64_t now = Counted();
    EXPECT_EQ(now, before + 1) << what;
    before = now;
  };
  EXPECT_EQ(mortar_cuLaunchKernelEx(&config, function, nullptr, nullptr), CUDA_SUCCESS);
  expect_one_more("cuLaunchKernelEx");
  EXPECT_EQ(mortar_cuLaunchCooperativeKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, nullptr), CUDA_SUCCESS);
  expect_one_more("cuLaunchCooperativeKernel");
  EXPECT_EQ(mortar_cuLaunchCooperativeKernelMultiDevice(several, 2, 0), CUDA_SUCCESS);
  expect_one_more("cuLaunchCooperativeKernelMultiDevice");
  EXPECT_EQ(mortar_cuGraphLaunch_ptsz(graph, nullptr), CUDA_SUCCESS);
  expect_one_more("cuGraphLaunch_ptsz");
  EXPECT_EQ(mortar_cuMemcpyDtoH_v2(&config, 0x1000, 64), CUDA_SUCCESS);
  expect_one_more("cuMemcpyDtoH_v2");
  EXPECT_EQ(mortar_cuMemsetD32Async(0x1000, 1, 64, stream), CUDA_SUCCESS);
  expect_one_more("cuMemsetD32Async");
  EXPECT_EQ(mortar_cuEventRecord(reinterpret_cast<CUevent>(0x8000), stream), CUDA_SUCCESS);
  expect_one_more("cuEventRecord");
}

TEST_F(SubmitsTest, CallsThatTheDriverWillRefuseGoStraightToIt) {
  const std::uint64_t before = Counted();
  for (const Symbol symbol : {Symbol::cuLaunchKernel, Symbol::cuLaunchKernelEx, Symbol::cuGraphLaunch,
                              Symbol::cuLaunchHostFunc, Symbol::cuEventRecord})
    mock.Answer(symbol, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(Launch(nullptr, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuLaunchKernelEx(nullptr, function, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuGraphLaunch(nullptr, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuLaunchHostFunc(stream, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuEventRecord(nullptr, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(Counted(), before);
  // Null structures are the driver's to refuse, too.
  mock.Answer(Symbol::cuMemcpy3D_v2, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuMemcpy3D_v2(nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuMemcpyBatchAsync_v2(nullptr, nullptr, nullptr, 3, nullptr, nullptr, 0, stream),
            CUDA_SUCCESS);
}

TEST_F(SubmitsTest, ErrorsComeBackAsTheDriverGivesThem) {
  for (const int error : {int{CUDA_ERROR_LAUNCH_FAILED}, int{CUDA_ERROR_ILLEGAL_ADDRESS},
                          int{CUDA_ERROR_OUT_OF_MEMORY}, 4711}) {
    mock.Answer(Symbol::cuLaunchKernel, error);
    mock.Answer(Symbol::cuMemcpyDtoH_v2, error);
    mock.Answer(Symbol::cuStreamSynchronize, error);
    mock.Answer(Symbol::cuCtxSynchronize, error);
    mock.Answer(Symbol::cuEventQuery, error);
    char room[8];
    EXPECT_EQ(Launch(), error);
    EXPECT_EQ(mortar_cuMemcpyDtoH_v2(room, 0x1000, 8), error);
    EXPECT_EQ(mortar_cuStreamSynchronize(stream), error);
    EXPECT_EQ(mortar_cuCtxSynchronize(), error);
    EXPECT_EQ(mortar_cuEventQuery(reinterpret_cast<CUevent>(0x8000)), error);
  }
}

TEST_F(SubmitsTest, ArgumentsReachTheDriverUnchanged) {
  void* arguments[] = {&stream, &function};
  void* extra[] = {nullptr};
  EXPECT_EQ(mortar_cuLaunchKernel(function, 1, 2, 3, 4, 5, 6, 7, stream, arguments, extra), CUDA_SUCCESS);
  const MockCall* call = mock.Last(Symbol::cuLaunchKernel);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(call->words, (std::array<std::uint64_t, 16>{Word(function), 1, 2, 3, 4, 5, 6, 7, Word(stream),
                                                        Word(&arguments[0]), Word(&extra[0])}));
}

TEST_F(SubmitsTest, FillersAreHeldUntilTheHolderLeavesAndOrderingNeverIs) {
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  mock.Clear();
  Held launch;
  Start(launch, [this] { return Launch(); });
  EXPECT_TRUE(client::AwaitGated(OwnSlot().lanes[1]));
  EXPECT_EQ(mock.CallsOf(Symbol::cuLaunchKernel), 0) << "the driver sees nothing before the gate opens";
  // What occupies no device time passes: another client may be waiting for just that.
  auto* event = reinterpret_cast<CUevent>(0x8000);
  EXPECT_EQ(mortar_cuStreamWriteValue32_v2(stream, 0x1000, 1, 0), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamWaitValue64_v2(stream, 0x1000, 1, 0), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamBatchMemOp_v2(stream, 0, nullptr, 0), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamWaitEvent(stream, event, 0), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuSignalExternalSemaphoresAsync(nullptr, nullptr, 0, stream), CUDA_SUCCESS);
  CUdeviceptr address = 0;
  EXPECT_EQ(mortar_cuMemAllocAsync(&address, 8, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamSynchronize(stream), CUDA_SUCCESS);
  mock.Answer(Symbol::cuLaunchKernel, CUDA_ERROR_LAUNCH_FAILED);
  holder.Stop();
  launch.thread.join();
  EXPECT_EQ(launch.status.load(), CUDA_ERROR_LAUNCH_FAILED) << "the driver's answer, later";
}

TEST_F(SubmitsTest, WhatACallbackSubmitsIsNotHeld) {
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  // The mock calls host functions from the thread that hands them over.
  struct Seen {
    std::function<CUresult()> launch;
    CUresult launched = CUDA_ERROR_UNKNOWN;
  } seen{[this] { return Launch(); }};
  const CUhostFn body = [](void* data) {
    auto* own = static_cast<Seen*>(data);
    own->launched = own->launch();
  };
  EXPECT_EQ(mortar_cuLaunchHostFunc(stream, body, &seen), CUDA_SUCCESS);
  EXPECT_EQ(seen.launched, CUDA_SUCCESS);
  seen.launched = CUDA_ERROR_UNKNOWN;
  const CUstreamCallback callback = [](CUstream, CUresult status, void* data) {
    auto* own = static_cast<Seen*>(data);
    if (status == CUDA_SUCCESS) own->launched = own->launch();
  };
  EXPECT_EQ(mortar_cuStreamAddCallback(stream, callback, &seen, 0), CUDA_SUCCESS);
  EXPECT_EQ(seen.launched, CUDA_SUCCESS);
  mock.Answer(Symbol::cuLaunchHostFunc, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuLaunchHostFunc(stream, body, &seen), CUDA_ERROR_INVALID_VALUE)
      << "nothing leaks: see asan";
}

TEST_F(SubmitsTest, ManyThreadsAndStreamsPassTheGateWithoutLoss) {
  constexpr int kThreads = 32;
  constexpr int kEach = 200;
  const std::uint64_t before = Counted();
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < kEach; ++k) {
        auto* own = reinterpret_cast<CUstream>(static_cast<std::uintptr_t>(0x10000 + 64 * (k % 2 + 2 * i)));
        failed += Launch(function, own, static_cast<unsigned>(k % 5 + 1)) != CUDA_SUCCESS ? 1 : 0;
        if (k % 10 == 0) failed += mortar_cuStreamSynchronize(own) != CUDA_SUCCESS ? 1 : 0;
      }
      failed += mortar_cuCtxSynchronize() != CUDA_SUCCESS ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 0);
  EXPECT_EQ(Counted(), before + kThreads * kEach);
}

}  // namespace
}  // namespace mortar::cuda
