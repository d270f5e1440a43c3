// Device times by pairs of events: where they go, and where they never do.
#include "backend/cuda/samples.h"

#include "backend/cuda/test_world.h"
#include "board/fill_word.h"
#include "client/client.h"

namespace mortar::cuda {
namespace {

class SamplesTest : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    mortar_cuCtxSynchronize();  // the pool is filled
    mock.Clear();
  }
  predict::Kernel* KernelOf(const char* name, unsigned int grid) {
    const model::LaunchShape shape{{grid, 1, 1}, {32, 1, 1}, 0};
    return client::FindKernel(client::FindDevice(kMockDevice), model::MakeKernelId(name, shape), name);
  }
};

TEST_F(SamplesTest, EventsStandAroundASampledLaunchAndAreReadAtTheNextWait) {
  CUfunction fresh = MakeFunction("sampled");
  mock.elapsed_ms = 0.25F;
  mock.busy = true;  // the stream has work, so nothing but the kernel lies between the events
  ASSERT_EQ(Launch(fresh, stream), CUDA_SUCCESS);
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventRecord), 2);
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventCreate), 0) << "never made on the submit path";
  EXPECT_EQ(mock.Last(Symbol::cuEventRecord)->words[1], Word(stream));
  mortar_cuStreamSynchronize(stream);
  EXPECT_EQ(KernelOf("sampled", 1)->duration_ns.load(), 0) << "not over yet";
  mock.busy = false;
  mortar_cuStreamSynchronize(stream);
  EXPECT_EQ(KernelOf("sampled", 1)->duration_ns.load(), 250'000);
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventDestroy_v2), 0) << "back in the pool";
}

TEST_F(SamplesTest, OnAnIdleStreamTheLaunchItselfIsSubtracted) {
  CUfunction fresh = MakeFunction("on idle");
  mock.elapsed_ms = 10.0F;
  ASSERT_EQ(Launch(fresh, stream), CUDA_SUCCESS);
  mortar_cuStreamSynchronize(stream);
  const std::int64_t duration = KernelOf("on idle", 1)->duration_ns.load();
  EXPECT_LT(duration, 10'000'000) << "less the host's time in the launch";
  EXPECT_GT(duration, 0);
}

// What lies between the events of a launch on an idle stream is not all the kernel's, once it was timed
// otherwise.
TEST_F(SamplesTest, OnAnIdleStreamAKnownKernelTeachesTheLead) {
  CUfunction fresh = MakeFunction("either");
  for (int i = 0; i < 8; ++i) {
    mock.busy = true;
    mock.elapsed_ms = 0.25F;
    Launch(fresh, stream);
    mock.busy = false;
    mortar_cuStreamSynchronize(stream);
  }
  EXPECT_EQ(KernelOf("either", 1)->duration_ns.load(), 250'000);
  mock.elapsed_ms = 0.28F;
  for (int i = 0; i < 2'000; ++i) {
    Launch(fresh, stream);
    mortar_cuStreamSynchronize(stream);
  }
  EXPECT_LE(KernelOf("either", 1)->length_ns.load(), 258'000) << "a thirty-second more at most";
  client::Lane* lane = client::CurrentLane(client::FindDevice(kMockDevice));
  ASSERT_NE(lane, nullptr);
  const std::int64_t lead = lane->session().shared().lead.load();
  EXPECT_GT(lead, 0);
  EXPECT_LE(lead, 30'000);
}

TEST_F(SamplesTest, DefaultStreamsAreNamedOutright) {
  ASSERT_EQ(Launch(MakeFunction("legacy"), nullptr), CUDA_SUCCESS);
  EXPECT_EQ(mock.Last(Symbol::cuEventRecord)->words[1], 1U);
  ASSERT_EQ(mortar_cuLaunchKernel_ptsz(MakeFunction("own"), 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(mock.Last(Symbol::cuEventRecord)->words[1], 2U);
  EXPECT_EQ(mock.Last(Symbol::cuLaunchKernel_ptsz)->words[8], 0U) << "the program's own argument stands";
}

TEST_F(SamplesTest, NothingComesBetweenProgrammaticLaunches) {
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attribute.value.number = 1;
  CUlaunchConfig config{.gridDimX = 1,
                        .gridDimY = 1,
                        .gridDimZ = 1,
                        .blockDimX = 32,
                        .blockDimY = 1,
                        .blockDimZ = 1,
                        .sharedMemBytes = 0,
                        .hStream = stream,
                        .attrs = &attribute,
                        .numAttrs = 1};
  CUfunction first = MakeFunction("producer");
  CUfunction second = MakeFunction("consumer");
  Launch(first, stream);
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventRecord), 2) << "nothing tells what will follow";
  mortar_cuLaunchKernelEx(&config, second, nullptr, nullptr);
  for (int i = 0; i < 20; ++i) {
    Launch(first, stream);
    mortar_cuLaunchKernelEx(&config, second, nullptr, nullptr);
  }
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventRecord), 2);
}

TEST_F(SamplesTest, AFailedLaunchGivesItsEventsBack) {
  CUfunction fresh = MakeFunction("fails");
  mock.Answer(Symbol::cuLaunchKernel, CUDA_ERROR_LAUNCH_FAILED);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Launch(fresh, stream), CUDA_ERROR_LAUNCH_FAILED);
  mock.Answer(Symbol::cuLaunchKernel, CUDA_SUCCESS);
  mortar_cuStreamSynchronize(stream);
  EXPECT_EQ(KernelOf("fails", 1)->duration_ns.load(), 0);
  ASSERT_EQ(Launch(MakeFunction("fine"), stream), CUDA_SUCCESS);
  mortar_cuStreamSynchronize(stream);
  EXPECT_GT(KernelOf("fine", 1)->duration_ns.load(), 0) << "the pool did not run dry";
}

TEST_F(SamplesTest, EventsThatCannotBeRecordedCostTheProgramNothing) {
  mock.Answer(Symbol::cuEventRecord, CUDA_ERROR_INVALID_CONTEXT);
  mock.Answer(Symbol::cuEventElapsedTime, CUDA_ERROR_INVALID_HANDLE);
  CUfunction fresh = MakeFunction("unmeasured");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Launch(fresh, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(KernelOf("unmeasured", 1)->duration_ns.load(), 0);
}

TEST_F(SamplesTest, AContextTakesItsEventsWithIt) {
  mock.busy = true;
  CUfunction fresh = MakeFunction("orphan");
  ASSERT_EQ(Launch(fresh, stream), CUDA_SUCCESS);
  EXPECT_EQ(mortar_cuCtxDestroy_v2(mock.context), CUDA_SUCCESS);
  EXPECT_GE(mock.CallsOf(Symbol::cuEventDestroy_v2), 2);
  mock.busy = false;
  const int asked = mock.CallsOf(Symbol::cuEventElapsedTime);
  mortar_cuStreamSynchronize(stream);
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventElapsedTime), asked) << "dead events are not touched";
}

TEST_F(SamplesTest, AKnownKernelIsNotTimedBehindOthersWork) {
  CUfunction known = MakeFunction("shared");
  client::FakePeer other(Directory(), kMockDevice, "other", 9);
  ASSERT_TRUE(other.joined());
  Launch(known, stream);
  mortar_cuStreamSynchronize(stream);
  const int before = mock.CallsOf(Symbol::cuEventRecord);
  const auto claim = [&](std::int64_t for_ns) {
    board.header().fill_until.store(board::PackFill({other.index(), 1, board.NowNs() + for_ns}));
  };
  claim(90'000'000'000);  // longer than a claim counts: absent
  Launch(known, stream);
  mortar_cuStreamSynchronize(stream);
  const int undisturbed = mock.CallsOf(Symbol::cuEventRecord);
  EXPECT_GT(undisturbed, before) << "often at first";
  for (int i = 0; i < 5; ++i) {
    claim(50'000'000);
    Launch(known, stream);
  }
  EXPECT_EQ(mock.CallsOf(Symbol::cuEventRecord), undisturbed);
  board.header().fill_until.store(0);
  Launch(known, stream);
  EXPECT_GT(mock.CallsOf(Symbol::cuEventRecord), undisturbed) << "made up for";
}

TEST_F(SamplesTest, RareOnceAKernelIsKnown) {
  CUfunction known = MakeFunction("known");
  for (int i = 0; i < 3000; ++i) {
    Launch(known, stream);
    mortar_cuStreamSynchronize(stream);
  }
  const int before = mock.CallsOf(Symbol::cuEventRecord);
  for (int i = 0; i < 12'800; ++i) Launch(known, stream);
  const int pairs = (mock.CallsOf(Symbol::cuEventRecord) - before) / 2;
  EXPECT_GT(pairs, 0);
  EXPECT_LE(pairs, 128) << "at most one in 100";
}

}  // namespace
}  // namespace mortar::cuda
