// Captures: nothing of ours enters one, nothing of ours is forbidden while one is open.
#include "backend/cuda/captures.h"

#include <thread>

#include "backend/cuda/places.h"
#include "backend/cuda/test_world.h"

namespace mortar::cuda {
namespace {

class CapturesTest : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    ASSERT_EQ(mortar_cuStreamCreate(&captured, 0), CUDA_SUCCESS);
    mock.captured = reinterpret_cast<std::uintptr_t>(captured);
  }
  void TearDown() override { EXPECT_EQ(open_captures.load(), 0); }
  // Calls that would end up in a capture, or that are forbidden while one is open.
  int Forbidden() {
    int sum = 0;
    for (const Symbol symbol : {Symbol::cuEventRecord, Symbol::cuEventQuery, Symbol::cuStreamQuery,
                                Symbol::cuEventCreate, Symbol::cuEventDestroy_v2, Symbol::cuEventElapsedTime})
      sum += mock.CallsOf(symbol);
    return sum;
  }
  CUstream captured = nullptr;
};

TEST_F(CapturesTest, SubmitsToACapturedStreamGoStraightThrough) {
  const std::uint64_t before = Counted();
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_SUCCESS);
  CUfunction fresh = MakeFunction("fresh");  // would be sampled
  const int forbidden = Forbidden();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Launch(fresh, captured), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuMemcpyDtoHAsync_v2(&fresh, 0x1000, 8, captured), CUDA_SUCCESS);
  struct Given {
    CUhostFn function;
    void* data;
  };
  static int data = 0;
  const CUhostFn body = [](void* d) { ++*static_cast<int*>(d); };
  EXPECT_EQ(mortar_cuLaunchHostFunc(captured, body, &data), CUDA_SUCCESS);
  // A graph runs it many times: it must be the program's own.
  EXPECT_EQ(mock.Last(Symbol::cuLaunchHostFunc)->words[1], Word(body));
  EXPECT_EQ(Forbidden(), forbidden);
  CUgraph graph = nullptr;
  ASSERT_EQ(mortar_cuStreamEndCapture(captured, &graph), CUDA_SUCCESS);
  EXPECT_EQ(Counted(), before) << "not one of them came to the gate";
}

TEST_F(CapturesTest, OtherStreamsAreGatedButNotSampledMeanwhile) {
  const std::uint64_t before = Counted();
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_SUCCESS);
  CUfunction fresh = MakeFunction("fresh too");
  const int forbidden = Forbidden();
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(Launch(fresh, stream), CUDA_SUCCESS);
    EXPECT_EQ(mortar_cuStreamSynchronize(stream), CUDA_SUCCESS);
  });
  other.join();
  EXPECT_EQ(Forbidden(), forbidden);
  CUgraph graph = nullptr;
  ASSERT_EQ(mortar_cuStreamEndCapture(captured, &graph), CUDA_SUCCESS);
  EXPECT_EQ(Counted(), before + 20);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Launch(fresh, stream), CUDA_SUCCESS);
  EXPECT_GT(mock.CallsOf(Symbol::cuEventRecord), 0) << "sampled again";
}

TEST_F(CapturesTest, FailedInvalidatedAndAbandonedCapturesAreOver) {
  mock.Answer(Symbol::cuStreamBeginCapture_v2, CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(open_captures.load(), 0);
  mock.Answer(Symbol::cuStreamBeginCapture_v2, CUDA_SUCCESS);

  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  mock.Answer(Symbol::cuStreamEndCapture, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  EXPECT_EQ(mortar_cuStreamEndCapture(captured, &graph), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  EXPECT_EQ(open_captures.load(), 1) << "another thread has to end it";
  mock.Answer(Symbol::cuStreamEndCapture, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(mortar_cuStreamEndCapture(captured, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(open_captures.load(), 0);

  ASSERT_EQ(mortar_cuStreamBeginCaptureToGraph_ptsz(captured, nullptr, nullptr, nullptr, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamDestroy_v2(captured), CUDA_SUCCESS);
  EXPECT_EQ(open_captures.load(), 0);

  ASSERT_EQ(mortar_cuStreamBeginCapture(captured), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuCtxDestroy_v2(mock.context), CUDA_SUCCESS);
  EXPECT_EQ(open_captures.load(), 0);
}

TEST_F(CapturesTest, RefusedBeginAndEndLeaveTheCaptureOpen) {
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_SUCCESS);
  mock.Answer(Symbol::cuStreamBeginCapture_v2, CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(open_captures.load(), 1) << "it is being captured already";
  mock.Answer(Symbol::cuStreamEndCapture, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(mortar_cuStreamEndCapture(captured, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(open_captures.load(), 1) << "nowhere to put the graph";
  mock.Answer(Symbol::cuStreamDestroy_v2, CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(mortar_cuStreamDestroy_v2(captured), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(open_captures.load(), 1) << "the stream still stands";
  CUgraph graph = nullptr;
  mock.Answer(Symbol::cuStreamEndCapture, CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  EXPECT_EQ(mortar_cuStreamEndCapture(captured, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  EXPECT_EQ(open_captures.load(), 0);
}

// One handle, and a stream in each thread.
TEST_F(CapturesTest, PerThreadStreamsAreToldApart) {
  CUgraph graph = nullptr;
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2_ptsz(nullptr, 0), CUDA_SUCCESS);
  std::thread other([&] {
    ASSERT_EQ(mortar_cuStreamBeginCapture_v2(kPerThreadStream, 0), CUDA_SUCCESS);
    EXPECT_EQ(open_captures.load(), 2);
    EXPECT_EQ(mortar_cuStreamEndCapture_ptsz(nullptr, &graph), CUDA_SUCCESS);
    EXPECT_EQ(open_captures.load(), 1);
    EXPECT_EQ(mortar_cuStreamEndCapture_ptsz(nullptr, &graph), CUDA_SUCCESS);
    EXPECT_EQ(open_captures.load(), 1) << "not this thread's";
  });
  other.join();
  EXPECT_EQ(mortar_cuStreamEndCapture(kPerThreadStream, &graph), CUDA_SUCCESS);
  EXPECT_EQ(open_captures.load(), 0);
}

TEST_F(CapturesTest, CapturesOfAPrimaryContextGoWithIt) {
  CUcontext primary = nullptr;
  ASSERT_EQ(mortar_cuDevicePrimaryCtxRetain(&primary, 0), CUDA_SUCCESS);
  ASSERT_EQ(mortar_cuStreamBeginCapture_v2(captured, 0), CUDA_SUCCESS);
  ASSERT_EQ(mortar_cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(open_captures.load(), 1) << "others hold it";
  mock.primary_active = 0;
  ASSERT_EQ(mortar_cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(open_captures.load(), 0);
}

}  // namespace
}  // namespace mortar::cuda
