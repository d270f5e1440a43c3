// Captures and graphs.
#include <atomic>
#include <thread>

#include "cuda/conformance/suite.h"

namespace mortar::conformance {
namespace {

constexpr unsigned int kNonBlocking = 1;
constexpr int kGlobal = 0;
constexpr int kThreadLocal = 1;
constexpr int kRelaxed = 2;
enum : int { kNone = 0, kActive = 1, kInvalidated = 2 };

class GraphTest : public SuiteTest {
 protected:
  int Status(CUstream stream) {
    int status = -1;
    EXPECT_CU(CU(cuStreamIsCapturing)(stream, &status));
    return status;
  }
  CUgraph End(CUstream stream, CUresult expected = CUDA_SUCCESS) {
    CUgraph graph = nullptr;
    EXPECT_EQ(CU(cuStreamEndCapture)(stream, &graph), expected);
    EXPECT_EQ(graph == nullptr, expected != CUDA_SUCCESS);
    return graph;
  }
  CUgraphExec Ready(CUgraph graph) {
    CUgraphExec exec = nullptr;
    EXPECT_CU(CU(cuGraphInstantiateWithFlags)(&exec, graph, 0));
    return exec;
  }
  void LaunchAndWait(CUgraphExec exec, CUstream stream) {
    EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
  }
  std::size_t Nodes(CUgraph graph) {
    std::size_t count = 0;
    EXPECT_CU(CU(cuGraphGetNodes)(graph, nullptr, &count));
    return count;
  }
};

TEST_P(GraphTest, CapturedWorkRunsWhenLaunchedAndOnlyThen) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kGlobal));
  EXPECT_EQ(Status(stream), kActive);
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  EXPECT_CU(ScaleAdd(data, 10, 2, stream));
  CUgraph graph = End(stream);
  EXPECT_EQ(Status(stream), kNone);
  EXPECT_EQ(ReadOne(data), 1);
  EXPECT_EQ(Nodes(graph), 2U);
  CUgraphExec exec = Ready(graph);
  EXPECT_CU(CU(cuGraphDestroy)(graph));
  LaunchAndWait(exec, stream);
  EXPECT_EQ(ReadOne(data), 112);
  EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
  LaunchAndWait(exec, stream);
  EXPECT_EQ(ReadOne(data), 1121212);
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
}

TEST_P(GraphTest, GraphKeepsItsPlaceInTheStream) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kRelaxed));
  EXPECT_CU(ScaleAdd(data, 10, 3, stream));
  CUgraph graph = End(stream);
  CUgraphExec exec = Ready(graph);
  EXPECT_CU(SlowStore(data, 2, stream));
  EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
  EXPECT_CU(ScaleAdd(data, 10, 4, stream));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(data), 234);
  EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
  EXPECT_CU(CU(cuGraphExecDestroy)(exec)) << "while it runs";
  EXPECT_CU(CU(cuGraphDestroy)(graph));
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(data), 2343);
}

TEST_P(GraphTest, EventsBringOtherStreamsIntoACaptureAndBack) {
  CUstream origin = Stream(kNonBlocking);
  CUstream other = Stream(kNonBlocking);
  CUevent fork = nullptr;
  CUevent join = nullptr;
  EXPECT_CU(CU(cuEventCreate)(&fork, 2));
  EXPECT_CU(CU(cuEventCreate)(&join, 2));
  const CUdeviceptr data = Ints({1, 1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(origin, kGlobal));
  EXPECT_CU(ScaleAdd(data, 10, 1, origin));
  EXPECT_CU(CU(cuEventRecord)(fork, origin));
  EXPECT_CU(CU(cuStreamWaitEvent)(other, fork, 0));
  EXPECT_EQ(Status(other), kActive);
  EXPECT_CU(ScaleAdd(data + 4, 10, 2, other));
  EXPECT_CU(CU(cuEventRecord)(join, other));
  EXPECT_CU(CU(cuStreamWaitEvent)(origin, join, 0));
  EXPECT_CU(ScaleAdd(data, 10, 3, origin));
  CUgraph graph = End(origin);
  EXPECT_EQ(Status(other), kNone);
  EXPECT_EQ(Nodes(graph), 3U);
  CUgraphExec exec = Ready(graph);
  LaunchAndWait(exec, origin);
  EXPECT_EQ(Read(data, 2), (std::vector<int>{113, 12}));
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_CU(CU(cuGraphDestroy)(graph));
  for (CUevent event : {fork, join}) EXPECT_CU(CU(cuEventDestroy_v2)(event));
}

TEST_P(GraphTest, StreamThatDoesNotComeBackIsUnjoined) {
  CUstream origin = Stream(kNonBlocking);
  CUstream other = Stream(kNonBlocking);
  CUevent fork = nullptr;
  EXPECT_CU(CU(cuEventCreate)(&fork, 2));
  const CUdeviceptr data = Ints({1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(origin, kGlobal));
  EXPECT_CU(CU(cuEventRecord)(fork, origin));
  EXPECT_CU(CU(cuStreamWaitEvent)(other, fork, 0));
  EXPECT_CU(ScaleAdd(data, 10, 2, other));
  End(origin, CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  EXPECT_EQ(Status(origin), kNone);
  EXPECT_CU(CU(cuEventDestroy_v2)(fork));
}

TEST_P(GraphTest, WaitForACapturingStreamMakesTheCaptureInvalid) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kGlobal));
  EXPECT_EQ(CU(cuStreamSynchronize)(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(Status(stream), kInvalidated);
  EXPECT_EQ(ScaleAdd(data, 10, 2, stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  End(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_CU(ScaleAdd(data, 10, 3, stream)) << "usable again";
  EXPECT_CU(CU(cuStreamSynchronize)(stream));
  EXPECT_EQ(ReadOne(data), 13);
}

TEST_P(GraphTest, LegacyStreamMayNotBeUsedBesideABlockingStreamsCapture) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kRelaxed));
  EXPECT_EQ(ScaleAdd(data, 10, 2, nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  End(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(ReadOne(data), 1);
}

TEST_P(GraphTest, UnsafeCallsAreRefusedAsTheModesHaveIt) {
  CUstream stream = Stream(kNonBlocking);
  CUdeviceptr memory = 0;
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kGlobal));
  EXPECT_EQ(CU(cuMemAlloc_v2)(&memory, 64), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  End(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kRelaxed));
  EXPECT_CU(CU(cuMemAlloc_v2)(&memory, 64));
  EXPECT_CU(CU(cuMemFree_v2)(memory));
  EXPECT_CU(CU(cuGraphDestroy)(End(stream)));
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kThreadLocal));
  CUresult elsewhere = CUDA_ERROR_INVALID_CONTEXT;
  std::thread([&] {
    if (CU(cuCtxSetCurrent)(context_) != CUDA_SUCCESS) return;
    elsewhere = CU(cuMemAlloc_v2)(&memory, 64);
  }).join();
  EXPECT_EQ(elsewhere, CUDA_SUCCESS);
  EXPECT_CU(CU(cuGraphDestroy)(End(stream)));
  EXPECT_CU(CU(cuMemFree_v2)(memory));
}

TEST_P(GraphTest, OtherThreadsStreamsGoOnDuringACapture) {
  CUstream captured = Stream(kNonBlocking);
  CUstream free = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1, 1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(captured, kThreadLocal));
  EXPECT_CU(ScaleAdd(data, 10, 1, captured));
  std::thread([&] {
    EXPECT_CU(CU(cuCtxSetCurrent)(context_));
    for (int i = 0; i < 50; ++i) EXPECT_CU(AddOne(data + 4, 1, free));
    EXPECT_CU(CU(cuStreamSynchronize)(free));
  }).join();
  CUgraph graph = End(captured);
  EXPECT_EQ(Nodes(graph), 1U) << "nothing of anybody else's is in it";
  EXPECT_EQ(Read(data, 2), (std::vector<int>{1, 51}));
  EXPECT_CU(CU(cuGraphDestroy)(graph));
}

TEST_P(GraphTest, SecondBeginIsRefusedAndChangesNothing) {
  CUstream stream = Stream(kNonBlocking);
  const CUdeviceptr data = Ints({1});
  static std::atomic<int> called;
  called = 0;
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kThreadLocal));
  EXPECT_EQ(CU(cuStreamBeginCapture_v2)(stream, kThreadLocal), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_CU(CU(cuLaunchHostFunc)(
      stream, [](void* number) { ++*static_cast<std::atomic<int>*>(number); }, &called));
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  CUgraph graph = End(stream);
  CUgraphExec exec = Ready(graph);
  for (int i = 1; i <= 3; ++i) {
    LaunchAndWait(exec, stream);
    EXPECT_EQ(called, i);
  }
  EXPECT_EQ(ReadOne(data), 1111);
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_CU(CU(cuGraphDestroy)(graph));
}

TEST_P(GraphTest, PerThreadStreamsAreCapturedEachByItsThread) {
  auto* per_thread = reinterpret_cast<CUstream>(2);
  const CUdeviceptr data = Ints({1});
  static std::atomic<int> called;
  called = 0;
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(per_thread, kThreadLocal));
  std::thread([&] {
    EXPECT_CU(CU(cuCtxSetCurrent)(context_));
    EXPECT_CU(CU(cuStreamBeginCapture_v2)(per_thread, kThreadLocal));
    EXPECT_CU(CU(cuGraphDestroy)(End(per_thread)));
  }).join();
  EXPECT_EQ(Status(per_thread), kActive);
  EXPECT_CU(CU(cuLaunchHostFunc_ptsz)(
      nullptr, [](void* number) { ++*static_cast<std::atomic<int>*>(number); }, &called));
  EXPECT_CU(ScaleAdd(data, 10, 1, per_thread));
  CUgraph graph = End(per_thread);
  CUgraphExec exec = Ready(graph);
  for (int i = 1; i <= 3; ++i) {
    LaunchAndWait(exec, per_thread);
    EXPECT_EQ(called, i);
  }
  EXPECT_EQ(ReadOne(data), 1111);
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_CU(CU(cuGraphDestroy)(graph));
}

TEST_P(GraphTest, AskingTheLegacyStreamLeavesABlockingStreamsCaptureAlone) {
  CUstream stream = Stream();
  const CUdeviceptr data = Ints({1});
  ASSERT_CU(CU(cuStreamBeginCapture_v2)(stream, kThreadLocal));
  int status = -1;
  EXPECT_EQ(CU(cuStreamIsCapturing)(nullptr, &status), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  unsigned long long id = 0;
  EXPECT_EQ(CU(cuStreamGetCaptureInfo)(nullptr, &status, &id), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  EXPECT_EQ(Status(stream), kActive);
  EXPECT_CU(ScaleAdd(data, 10, 1, stream));
  EXPECT_CU(CU(cuGraphDestroy)(End(stream)));
}

// Makes scale, fill, copy and host nodes by hand; fill first, the host function last.
TEST_P(GraphTest, NodesMadeByHand) {
  struct KernelNode {
    CUfunction func;
    unsigned int grid[3], block[3], shared;
    void** parameters;
    void** extra;
    CUkernel kernel;
    CUcontext context;
  };
  struct FillNode {
    CUdeviceptr to;
    std::size_t pitch;
    unsigned int value, element_bytes;
    std::size_t width, height;
  };
  struct HostNode {
    CUhostFn function;
    void* data;
  };
  CUdeviceptr data = Ints({0, 0});
  int factor = 10;
  int term = 4;
  void* parameters[] = {&data, &factor, &term};
  CUgraph graph = nullptr;
  ASSERT_CU(CU(cuGraphCreate)(&graph, 0));
  CUgraphNode fill = nullptr;
  CUgraphNode scale = nullptr;
  CUgraphNode copy = nullptr;
  CUgraphNode host = nullptr;
  const FillNode fill_with{data, 0, 3, 4, 1, 1};
  EXPECT_CU(CU(cuGraphAddMemsetNode)(&fill, graph, nullptr, 0, &fill_with, context_));
  KernelNode kernel{Function("scale_add"), {1, 1, 1}, {1, 1, 1}, 0, parameters, nullptr, nullptr, nullptr};
  EXPECT_CU(CU(cuGraphAddKernelNode_v2)(&scale, graph, &fill, 1, &kernel));
  CUDA_MEMCPY3D to_second{};
  to_second.srcMemoryType = to_second.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  to_second.srcDevice = data;
  to_second.dstDevice = data + 4;
  to_second.WidthInBytes = 4;
  to_second.Height = to_second.Depth = 1;
  EXPECT_CU(CU(cuGraphAddMemcpyNode)(&copy, graph, &scale, 1, &to_second, context_));
  static int called;
  called = 0;
  const HostNode call{[](void* number) { ++*static_cast<int*>(number); }, &called};
  EXPECT_CU(CU(cuGraphAddHostNode)(&host, graph, &copy, 1, &call));
  EXPECT_EQ(Nodes(graph), 4U);
  int type = -1;
  EXPECT_CU(CU(cuGraphNodeGetType)(scale, &type));
  EXPECT_EQ(type, 0);

  CUstream stream = Stream();
  CUgraphExec exec = Ready(graph);
  LaunchAndWait(exec, stream);
  EXPECT_EQ(Read(data, 2), (std::vector<int>{34, 34}));
  EXPECT_EQ(called, 1);
  term = 5;
  EXPECT_CU(CU(cuGraphExecKernelNodeSetParams_v2)(exec, scale, &kernel));
  LaunchAndWait(exec, stream);
  EXPECT_EQ(Read(data, 2), (std::vector<int>{35, 35}));
  // The graph itself is as it was; the exec takes it over again by an update.
  EXPECT_CU(CU(cuGraphKernelNodeSetParams_v2)(scale, &kernel));
  struct {
    int result = -1;
    CUgraphNode node = nullptr, from = nullptr;
  } info;
  EXPECT_CU(CU(cuGraphExecUpdate_v2)(exec, graph, &info));
  EXPECT_EQ(info.result, 0);
  CUgraphNode more = nullptr;
  EXPECT_CU(CU(cuGraphAddEmptyNode)(&more, graph, &host, 1));
  EXPECT_EQ(CU(cuGraphExecUpdate_v2)(exec, graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_CU(CU(cuGraphExecDestroy)(exec));
  EXPECT_CU(CU(cuGraphDestroy)(graph));
}

CONFORMANCE_BOTH_WAYS(GraphTest);

}  // namespace
}  // namespace mortar::conformance
