// Kernels in pieces, as the driver sees them and as the program does.
#include "backend/opencl/slices.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

constexpr char kSource[] =
    "__kernel void safe(__global int* a) { a[get_global_id(0)] += 1; }\n"
    "__kernel void grouped(__global int* a) { a[get_global_id(0)] += get_local_id(0); }\n"
    "__kernel void unsafe(__global int* a) { a[get_group_id(0)] += 1; }\n";

// The test's limit is 1 ms (test_world.h).
class SlicesTest : public LayerTest {
 protected:
  void SetUp() override {
    LayerTest::SetUp();
    ASSERT_EQ(LayerTest::Launch(queue, LayerTest::MakeKernel()), CL_SUCCESS);  // joins
    Layer().clFinish(queue);
    mock.Clear();
  }
  void AddRival() {
    rival = std::make_unique<client::FakePeer>(Directory(), kMockDevice, "rival", 0);
    ASSERT_TRUE(rival->joined());
  }
  static cl_program Program(const char* source = kSource) {
    return Layer().clCreateProgramWithSource(nullptr, 1, &source, nullptr, nullptr);
  }
  cl_kernel Kernel(const char* name, cl_program from = Program()) {
    return Layer().clCreateKernel(from, name, nullptr);
  }
  cl_int Enqueue(cl_kernel kernel, std::vector<std::size_t> global, std::vector<std::size_t> local,
                 cl_event* event = nullptr, cl_command_queue on = nullptr) {
    return Layer().clEnqueueNDRangeKernel(on != nullptr ? on : queue, kernel,
                                          static_cast<cl_uint>(global.size()), nullptr, global.data(),
                                          local.empty() ? nullptr : local.data(), 0, nullptr, event);
  }
  // How many pieces the next launch of `kernel` is in. Kernels of different sizes have nothing in common.
  std::size_t PiecesOf(cl_kernel kernel, std::size_t items, std::size_t local = 10,
                       cl_command_queue on = nullptr) {
    mock.Clear();
    mock.ns_per_item.store(10'000);
    EXPECT_EQ(Enqueue(kernel, {items},
                      local != 0 ? std::vector<std::size_t>{local} : std::vector<std::size_t>{}, nullptr, on),
              CL_SUCCESS);
    return mock.ranges();
  }

  cl_command_queue queue = MakeQueue();
  std::unique_ptr<client::FakePeer> rival;
};

TEST_F(SlicesTest, PiecesCoverTheRangeOnceAndInOrder) {
  AddRival();
  mock.ns_per_item.store(2'000);
  const std::size_t offset[2] = {5, 100};
  const std::size_t global[2] = {4, 650};
  const std::size_t local[2] = {4, 10};
  cl_event waited = mock.MakeUserEvent();
  waited->status.store(CL_COMPLETE);
  cl_event event = nullptr;
  ASSERT_EQ(
      Layer().clEnqueueNDRangeKernel(queue, Kernel("safe"), 2, offset, global, local, 1, &waited, &event),
      CL_SUCCESS);
  const std::size_t pieces = mock.ranges();
  ASSERT_GT(pieces, 1U);
  std::size_t next_at = 100;
  for (std::size_t i = 0; i < pieces; ++i) {
    const MockRange& piece = mock.range(i);
    EXPECT_EQ(piece.dimensions, 2U);
    EXPECT_EQ(piece.offset[0], 5U);
    EXPECT_EQ(piece.global[0], 4U);
    EXPECT_EQ(piece.offset[1], next_at);
    EXPECT_EQ(piece.global[1] % 10, 0U);
    EXPECT_EQ(piece.local[1], 10U);
    EXPECT_EQ(piece.waits, i == 0 ? 1U : 0U);
    next_at += piece.global[1];
  }
  EXPECT_EQ(next_at, 750U);
  EXPECT_TRUE(mock.range(pieces - 1).has_event);
  EXPECT_EQ(mock.last().words[8], Word(&event));
  EXPECT_EQ(Layer().clWaitForEvents(1, &event), CL_SUCCESS);
}

TEST_F(SlicesTest, EachPieceIsASubmitOfItsOwn) {
  AddRival();
  const auto submits = [&] {
    Layer().clFinish(queue);
    return OwnSlot(rival->board()).counters.submits.load();
  };
  const std::uint64_t before = submits();
  const std::size_t pieces = PiecesOf(Kernel("safe"), 660);
  EXPECT_EQ(submits() - before, pieces);
}

TEST_F(SlicesTest, SizesFollowWhatPiecesTake) {
  AddRival();
  cl_kernel kernel = Kernel("safe");
  EXPECT_GT(PiecesOf(kernel, 670), 1U) << "never timed: begun with a small part";
  Layer().clFinish(queue);
  for (int i = 0; i < 3; ++i) {
    PiecesOf(kernel, 670);
    Layer().clFinish(queue);
  }
  // 6.7 ms, in pieces of 1 ms: 10 items take 0.1 ms.
  const std::size_t pieces = PiecesOf(kernel, 670);
  EXPECT_GE(pieces, 6U);
  EXPECT_LE(pieces, 9U);
  // Short kernels are left whole, once that is known.
  cl_kernel brief = Kernel("grouped");
  for (int i = 0; i < 3; ++i) {
    PiecesOf(brief, 60);
    Layer().clFinish(queue);
  }
  EXPECT_EQ(PiecesOf(brief, 60), 1U);
}

TEST_F(SlicesTest, RaggedPieceComesFirst) {
  AddRival();
  PiecesOf(Kernel("safe"), 693);
  const MockRange& first = mock.range(0);
  EXPECT_EQ(first.offset[0] + first.global[0], 693U);
  EXPECT_EQ(mock.range(1).offset[0], 0U);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < mock.ranges(); ++i) {
    sum += mock.range(i).global[0];
    EXPECT_EQ(mock.range(i).global[0] % 10, i == 0 ? 3U : 0U);
  }
  EXPECT_EQ(sum, 693U);
}

TEST_F(SlicesTest, WhatIsLeftWhole) {
  cl_kernel safe = Kernel("safe");
  EXPECT_EQ(PiecesOf(safe, 710), 1U) << "nobody to wait for";
  AddRival();
  EXPECT_GT(PiecesOf(safe, 720), 1U);
  EXPECT_EQ(PiecesOf(Kernel("unsafe"), 720), 1U);
  EXPECT_EQ(PiecesOf(Kernel("grouped"), 721, 0), 1U) << "without a local size";
  EXPECT_EQ(PiecesOf(safe, 722, 10, MakeQueue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)), 1U);
  {
    const client::CallbackScope scope;
    EXPECT_EQ(PiecesOf(safe, 730), 1U);
  }
  EXPECT_EQ(PiecesOf(safe, 10), 1U) << "one work-group";
  EXPECT_GT(PiecesOf(Layer().clCloneKernel(safe, nullptr), 740), 1U);
}

TEST_F(SlicesTest, ProgramsOfUnknownCodeAreLeftWhole) {
  AddRival();
  std::size_t items = 800;
  const auto pieces = [&](cl_program program) { return PiecesOf(Kernel("safe", program), items += 10); };
  EXPECT_GT(pieces(Program()), 1U);
  // Handles come round: what the source of an earlier program showed says nothing.
  for (int i = 0; i < 8; ++i) Program();
  EXPECT_EQ(
      pieces(Layer().clCreateProgramWithBinary(nullptr, 0, nullptr, nullptr, nullptr, nullptr, nullptr)), 1U);
  EXPECT_EQ(pieces(Layer().clCreateProgramWithBuiltInKernels(nullptr, 0, nullptr, "safe", nullptr)), 1U);
  EXPECT_EQ(
      pieces(Layer().clLinkProgram(nullptr, 0, nullptr, nullptr, 0, nullptr, nullptr, nullptr, nullptr)), 1U);
  EXPECT_EQ(pieces(Layer().clCreateProgramWithIL(nullptr, kSource, 64, nullptr)), 1U);
  cl_program built = Program();
  EXPECT_EQ(Layer().clBuildProgram(built, 0, nullptr, "-DN=1 -cl-fast-relaxed-math", nullptr, nullptr),
            CL_SUCCESS);
  EXPECT_GT(pieces(built), 1U);
  EXPECT_EQ(Layer().clBuildProgram(built, 0, nullptr, "-DN=get_group_id(0)", nullptr, nullptr), CL_SUCCESS);
  EXPECT_EQ(pieces(built), 1U);
  // Split over strings, with and without lengths.
  const char* strings[2] = {"__kernel void safe(__global int* a) { a[get_gro", "up_id(0)] = 1; } xxx"};
  const std::size_t lengths[2] = {0, 16};
  EXPECT_EQ(pieces(Layer().clCreateProgramWithSource(nullptr, 2, strings, lengths, nullptr)), 1U);
  mock.answer.store(CL_INVALID_VALUE);
  cl_int error = 0;
  EXPECT_EQ(Layer().clCreateProgramWithSource(nullptr, 0, nullptr, nullptr, &error), nullptr);
  EXPECT_EQ(error, CL_INVALID_VALUE);
}

TEST_F(SlicesTest, RefusedAtOnceIsRefusedOnce) {
  AddRival();
  cl_kernel safe = Kernel("safe");
  for (const std::size_t items : {std::size_t{900}, std::size_t{903}}) {
    mock.Clear();
    mock.answer.store(CL_INVALID_KERNEL_ARGS);
    cl_event event = nullptr;
    EXPECT_EQ(Enqueue(safe, {items}, {10}, &event), CL_INVALID_KERNEL_ARGS);
    EXPECT_EQ(mock.ranges(), 1U);
    EXPECT_EQ(event, nullptr);
  }
}

TEST_F(SlicesTest, RefusedLaterTriesTheRestAsOne) {
  AddRival();
  mock.ns_per_item.store(10'000);
  mock.kernels_left.store(3);
  EXPECT_EQ(Enqueue(Kernel("safe"), {910}, {10}), CL_OUT_OF_RESOURCES);
  ASSERT_EQ(mock.ranges(), 5U);
  const MockRange& rest = mock.range(4);
  EXPECT_EQ(rest.offset[0], mock.range(3).offset[0]);
  EXPECT_EQ(rest.offset[0] + rest.global[0], 910U);
}

TEST_F(SlicesTest, ProfilingSpansAllPieces) {
  AddRival();
  cl_command_queue profiled = MakeQueue(CL_QUEUE_PROFILING_ENABLE);
  mock.ns_per_item.store(10'000);
  cl_event event = nullptr;
  ASSERT_EQ(Enqueue(Kernel("safe"), {920}, {10}, &event, profiled), CL_SUCCESS);
  ASSERT_GT(mock.ranges(), 1U);
  Layer().clFinish(profiled);
  const auto time = [&](cl_profiling_info what) {
    cl_ulong ns = 0;
    EXPECT_EQ(Layer().clGetEventProfilingInfo(event, what, sizeof ns, &ns, nullptr), CL_SUCCESS);
    return ns;
  };
  EXPECT_GE(time(CL_PROFILING_COMMAND_END) - time(CL_PROFILING_COMMAND_START), 9'200'000U);
  EXPECT_LE(time(CL_PROFILING_COMMAND_QUEUED), time(CL_PROFILING_COMMAND_START));
  EXPECT_NE(FirstPieceOf(event), event);
  Layer().clRetainEvent(event);
  Layer().clReleaseEvent(event);
  EXPECT_NE(FirstPieceOf(event), event);
  Layer().clReleaseEvent(event);
  EXPECT_EQ(FirstPieceOf(event), event) << "nothing is kept of it";
}

TEST_F(SlicesTest, NobodyComesBetweenPieces) {
  AddRival();
  cl_kernel safe = Kernel("safe");
  Queue* info = FindQueue(queue);
  EXPECT_GT(PiecesOf(safe, 930), 1U);
  Layer().clFinish(queue);
  mock.Clear();
  const client::Lane* lane = info->last_lane.load();
  info->in_pieces.store(lane);  // as while a kernel of this thread's is under way
  std::thread other([&] { EXPECT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS); });
  while (!info->several_threads.load()) std::this_thread::yield();
  EXPECT_EQ(mock.enqueues.load(), 0);
  info->in_pieces.store(nullptr);
  other.join();
  EXPECT_EQ(mock.enqueues.load(), 1);
  // From then on kernels go there whole.
  EXPECT_EQ(PiecesOf(safe, 940), 1U);
  EXPECT_GT(PiecesOf(safe, 950, 10, MakeQueue()), 1U) << "another queue";
}

}  // namespace
}  // namespace mortar::opencl
