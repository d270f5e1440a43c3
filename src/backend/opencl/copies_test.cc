// Copies of buffers in pieces, as the driver sees them and as the program does.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "backend/opencl/slices.h"
#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::int64_t kSlow = 16'000;  // ns a KiB: 64 KiB take 1 ms, as long as a piece may be
constexpr std::int64_t kFast = 1'562;   // 0.1 ms

// One call of the driver for bytes of a buffer.
struct Part {
  std::uint64_t offset = 0, bytes = 0, pointer = 0;
  bool blocking = false;
  std::uint64_t waits = 0;
  std::uint64_t event = 0;
};

// The test's limit is 1 ms (test_world.h).
class CopiesTest : public LayerTest {
 protected:
  void SetUp() override {
    LayerTest::SetUp();
    ASSERT_EQ(LayerTest::Launch(queue, LayerTest::MakeKernel()), CL_SUCCESS);  // joins
    Layer().clFinish(queue);
    mock.Clear();
  }
  void TearDown() override {
    for (cl_command_queue used : queues) Layer().clFinish(used);
  }
  cl_command_queue Another(cl_command_queue_properties properties = 0) {
    return queues.emplace_back(MakeQueue(properties));
  }
  void AddRival() {
    mock.ns_per_kib.store(kSlow);
    rival = std::make_unique<client::FakePeer>(Directory(), kMockDevice, "rival", 0);
    ASSERT_TRUE(rival->joined());
  }
  cl_int Write(std::size_t bytes, cl_bool blocking = CL_FALSE, cl_event* event = nullptr,
               cl_command_queue on = nullptr, const void* from = kMemory) {
    return Layer().clEnqueueWriteBuffer(on != nullptr ? on : queue, kBuffer, blocking, 0, bytes, from, 0,
                                        nullptr, event);
  }
  void Forget() {
    mock.Clear();
    mock.ns_per_kib.store(kSlow);
  }
  // What of `name` came to the driver since then, in order.
  std::vector<Part> Parts(const char* name) {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < mock.recorded(); ++i) {
      const MockCall& call = mock.call(i);
      if (std::strcmp(call.name, name) != 0) continue;
      const auto& w = call.words;
      if (call.count == 9 && std::strcmp(name, "clEnqueueCopyBuffer") == 0) {
        parts.push_back({w[3], w[5], w[4], false, w[6], w[8]});
      } else {
        parts.push_back({w[3], w[4], w[5], w[2] != 0, w[6], w[8]});
      }
    }
    return parts;
  }
  std::size_t PiecesOf(std::size_t bytes, cl_command_queue on = nullptr) {
    mock.Clear();
    mock.ns_per_kib.store(kFast);
    EXPECT_EQ(Write(bytes, CL_FALSE, nullptr, on), CL_SUCCESS);
    return Parts("clEnqueueWriteBuffer").size();
  }
  // Each byte once; the last piece first, the rest in order.
  static void ExpectCovered(const std::vector<Part>& parts, std::uint64_t offset, std::size_t bytes,
                            std::uint64_t pointer) {
    ASSERT_GT(parts.size(), 1U);
    EXPECT_EQ(parts[0].offset + parts[0].bytes, offset + bytes);
    std::uint64_t at = offset;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].offset, at);
      at += parts[i].bytes;
    }
    EXPECT_EQ(at, parts[0].offset);
    for (const Part& part : parts) {
      EXPECT_EQ(part.pointer - pointer, part.offset - offset);
      EXPECT_GE(part.bytes, 64 * kKiB);
    }
  }

  static inline char kMemory[16] = {};  // the mock does not look at it
  static inline auto kBuffer = reinterpret_cast<cl_mem>(std::uintptr_t{0x7000});
  static inline auto kOther = reinterpret_cast<cl_mem>(std::uintptr_t{0x7100});
  std::vector<cl_command_queue> queues;
  cl_command_queue queue = Another();
  std::unique_ptr<client::FakePeer> rival;
};

TEST_F(CopiesTest, PiecesCoverTheBytesOnceAtAnySizeAndOffset) {
  AddRival();
  for (const std::size_t bytes : {128 * kKiB, 128 * kKiB + 1, 1000 * kKiB + 7, std::size_t{2'999'999}}) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{13}}) {
      Forget();
      ASSERT_EQ(
          Layer().clEnqueueWriteBuffer(queue, kBuffer, CL_FALSE, offset, bytes, kMemory, 0, nullptr, nullptr),
          CL_SUCCESS);
      ExpectCovered(Parts("clEnqueueWriteBuffer"), offset, bytes, Word(&kMemory[0]));
      Forget();
      ASSERT_EQ(
          Layer().clEnqueueReadBuffer(queue, kBuffer, CL_FALSE, offset, bytes, kMemory, 0, nullptr, nullptr),
          CL_SUCCESS);
      ExpectCovered(Parts("clEnqueueReadBuffer"), offset, bytes, Word(&kMemory[0]));
      Forget();
      ASSERT_EQ(
          Layer().clEnqueueCopyBuffer(queue, kBuffer, kOther, offset, 5 * offset, bytes, 0, nullptr, nullptr),
          CL_SUCCESS);
      ExpectCovered(Parts("clEnqueueCopyBuffer"), offset, bytes, 5 * offset);
    }
  }
}

TEST_F(CopiesTest, OneCommandIsSeen) {
  AddRival();
  cl_event waited = mock.MakeUserEvent();
  waited->status.store(CL_COMPLETE);
  cl_event event = nullptr;
  ASSERT_EQ(
      Layer().clEnqueueWriteBuffer(queue, kBuffer, CL_FALSE, 0, 1024 * kKiB, kMemory, 1, &waited, &event),
      CL_SUCCESS);
  const std::vector<Part> parts = Parts("clEnqueueWriteBuffer");
  ASSERT_GT(parts.size(), 2U);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].waits, i == 0 ? 1U : 0U);
    EXPECT_EQ(parts[i].event == Word(&event), i + 1 == parts.size());
    EXPECT_FALSE(parts[i].blocking);
  }
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(Layer().clWaitForEvents(1, &event), CL_SUCCESS);
}

TEST_F(CopiesTest, ACallThatBlocksDoesSoForTheLastPiece) {
  AddRival();
  cl_event waited = mock.MakeUserEvent();
  waited->status.store(CL_COMPLETE);
  ASSERT_EQ(
      Layer().clEnqueueReadBuffer(queue, kBuffer, CL_TRUE, 0, 1024 * kKiB, kMemory, 1, &waited, nullptr),
      CL_SUCCESS);
  const std::vector<Part> parts = Parts("clEnqueueReadBuffer");
  ASSERT_GT(parts.size(), 2U);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    EXPECT_EQ(parts[i].blocking, is_last);
    // It would say that what it waited for failed.
    EXPECT_EQ(parts[i].waits, i == 0 || is_last ? 1U : 0U);
  }
}

TEST_F(CopiesTest, EachPieceIsASubmitOfItsOwn) {
  AddRival();
  const auto submits = [&] {
    Layer().clFinish(queue);
    return OwnSlot(rival->board()).counters.submits.load();
  };
  const std::uint64_t before = submits();
  const std::size_t pieces = PiecesOf(1100 * kKiB);
  EXPECT_GT(pieces, 1U);
  EXPECT_EQ(submits() - before, pieces);
}

TEST_F(CopiesTest, SizesFollowWhatPiecesTake) {
  AddRival();
  // Ten units fit.
  for (int i = 0; i < 6; ++i) {
    PiecesOf(6400 * kKiB);
    Layer().clFinish(queue);
  }
  const std::size_t pieces = PiecesOf(6400 * kKiB);
  EXPECT_GE(pieces, 9U);
  EXPECT_LE(pieces, 14U);
  // Short ones are left whole, once that is known.
  for (int i = 0; i < 6; ++i) {
    PiecesOf(320 * kKiB);
    Layer().clFinish(queue);
  }
  EXPECT_EQ(PiecesOf(320 * kKiB), 1U);
}

TEST_F(CopiesTest, WhatIsLeftWhole) {
  EXPECT_EQ(PiecesOf(2000 * kKiB), 1U) << "nobody to wait for";
  AddRival();
  EXPECT_GT(PiecesOf(2001 * kKiB), 1U);
  EXPECT_EQ(PiecesOf(128 * kKiB - 1), 1U) << "pieces would be under 64 KiB";
  EXPECT_EQ(PiecesOf(2002 * kKiB, Another(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)), 1U);
  {
    const client::CallbackScope scope;
    EXPECT_EQ(PiecesOf(2003 * kKiB), 1U);
  }
  mock.Clear();
  // Refused by the driver, or so it seems.
  EXPECT_EQ(Write(2004 * kKiB, CL_FALSE, nullptr, nullptr, nullptr), CL_SUCCESS);
  EXPECT_EQ(Layer().clEnqueueWriteBuffer(queue, kBuffer, CL_FALSE, SIZE_MAX - 5, 2004 * kKiB, kMemory, 0,
                                         nullptr, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(Parts("clEnqueueWriteBuffer").size(), 2U);
  EXPECT_EQ(
      Layer().clEnqueueCopyBuffer(queue, kBuffer, kBuffer, 0, 4000 * kKiB, 2005 * kKiB, 0, nullptr, nullptr),
      CL_SUCCESS);
  mock.parent.store(kOther);  // both are parts of it: do they overlap?
  EXPECT_EQ(Layer().clEnqueueCopyBuffer(queue, kBuffer, kOther, 0, 0, 2005 * kKiB, 0, nullptr, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(Parts("clEnqueueCopyBuffer").size(), 2U);
}

TEST_F(CopiesTest, RefusedAtOnceIsRefusedOnce) {
  AddRival();
  mock.answer.store(CL_INVALID_VALUE);
  cl_event event = nullptr;
  EXPECT_EQ(Write(2100 * kKiB, CL_FALSE, &event), CL_INVALID_VALUE);
  EXPECT_EQ(Parts("clEnqueueWriteBuffer").size(), 1U);
  EXPECT_EQ(event, nullptr);
}

TEST_F(CopiesTest, RefusedLaterTriesTheRestAsOneAndLeavesNothingUnderWay) {
  AddRival();
  for (const cl_bool blocking : {cl_bool{CL_FALSE}, cl_bool{CL_TRUE}}) {
    Forget();
    mock.copies_left.store(3);
    EXPECT_EQ(Write(6600 * kKiB, blocking), CL_OUT_OF_RESOURCES);
    const std::vector<Part> parts = Parts("clEnqueueWriteBuffer");
    ASSERT_EQ(parts.size(), 5U);
    EXPECT_EQ(parts[4].offset, parts[3].offset);
    EXPECT_EQ(parts[4].offset + parts[4].bytes, parts[0].offset);
    // The program may free its memory now.
    EXPECT_EQ(std::strcmp(mock.last().name, "clFinish") == 0, blocking == CL_TRUE);
  }
}

TEST_F(CopiesTest, ProfilingSpansAllPieces) {
  AddRival();
  cl_command_queue profiled = Another(CL_QUEUE_PROFILING_ENABLE);
  cl_event event = nullptr;
  ASSERT_EQ(Write(2300 * kKiB, CL_FALSE, &event, profiled), CL_SUCCESS);
  ASSERT_GT(Parts("clEnqueueWriteBuffer").size(), 2U);
  Layer().clFinish(profiled);
  const auto time = [&](cl_profiling_info what) {
    cl_ulong ns = 0;
    EXPECT_EQ(Layer().clGetEventProfilingInfo(event, what, sizeof ns, &ns, nullptr), CL_SUCCESS);
    return ns;
  };
  EXPECT_GE(time(CL_PROFILING_COMMAND_END) - time(CL_PROFILING_COMMAND_START), 2300 * kSlow);
  Layer().clReleaseEvent(event);
}

TEST_F(CopiesTest, NobodyComesBetweenPieces) {
  AddRival();
  EXPECT_GT(PiecesOf(2400 * kKiB), 1U);
  Layer().clFinish(queue);
  std::thread other([&] { EXPECT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS); });
  other.join();
  EXPECT_EQ(PiecesOf(2401 * kKiB), 1U) << "two threads use it";
  EXPECT_GT(PiecesOf(2402 * kKiB, Another()), 1U) << "another queue";
}

}  // namespace
}  // namespace mortar::opencl
