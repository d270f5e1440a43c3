// Command buffers: recording passes, enqueueing is one submit, and what is recorded is the identity.
#include <CL/cl_ext.h>
#include <gtest/gtest.h>

#include "backend/opencl/test_world.h"
#include "board/view.h"

namespace mortar::opencl {
namespace {

class CommandBuffersTest : public LayerTest {
 protected:
  template <typename Function>
  static Function Get(const char* name) {
    auto function =
        reinterpret_cast<Function>(Layer().clGetExtensionFunctionAddressForPlatform(nullptr, name));
    EXPECT_NE(function, nullptr) << name;
    return function;
  }

  cl_command_buffer_khr MakeBuffer() {
    cl_int error = 1;
    cl_command_buffer_khr buffer = create(1, &queue, nullptr, &error);
    EXPECT_EQ(error, CL_SUCCESS);
    return buffer;
  }
  cl_int RecordKernel(cl_command_buffer_khr buffer, const char* name, std::size_t items) {
    return kernel(buffer, nullptr, nullptr, MakeKernel(name), 1, nullptr, &items, nullptr, 0, nullptr,
                  nullptr, nullptr);
  }
  cl_int RecordCopy(cl_command_buffer_khr buffer, std::size_t size) {
    return copy(buffer, nullptr, nullptr, nullptr, 0, 0, size, 0, nullptr, nullptr, nullptr);
  }
  std::uint64_t Sampled() {
    Layer().clFinish(queue);
    auto board = board::Board::Open(Directory(), kMockDevice, /*create=*/false);
    return board.ok() ? OwnSlot(*board).counters.sampled.load() : 0;
  }

  cl_command_queue queue = MakeQueue();
  clCreateCommandBufferKHR_fn create = Get<clCreateCommandBufferKHR_fn>("clCreateCommandBufferKHR");
  clCommandNDRangeKernelKHR_fn kernel = Get<clCommandNDRangeKernelKHR_fn>("clCommandNDRangeKernelKHR");
  clCommandCopyBufferKHR_fn copy = Get<clCommandCopyBufferKHR_fn>("clCommandCopyBufferKHR");
  clEnqueueCommandBufferKHR_fn enqueue = Get<clEnqueueCommandBufferKHR_fn>("clEnqueueCommandBufferKHR");
};

TEST_F(CommandBuffersTest, PassArgumentsAndAnswers) {
  cl_int error = 1;
  mock.answer.store(CL_INVALID_CONTEXT);
  EXPECT_EQ(create(1, &queue, nullptr, &error), nullptr);
  EXPECT_EQ(error, CL_INVALID_CONTEXT);
  mock.answer.store(CL_SUCCESS);
  cl_command_buffer_khr buffer = MakeBuffer();
  for (const cl_int answer : {CL_SUCCESS, CL_INVALID_VALUE, -1138}) {
    mock.answer.store(answer);
    EXPECT_EQ(RecordCopy(buffer, 48), answer);
    EXPECT_STREQ(mock.last().name, "clCommandCopyBufferKHR");
    EXPECT_EQ(mock.last().words[0], Word(buffer));
    EXPECT_EQ(mock.last().words[6], 48U);
    EXPECT_EQ(RecordKernel(buffer, "kernel", 64), answer);
    EXPECT_STREQ(mock.last().name, "clCommandNDRangeKernelKHR");
    EXPECT_EQ(mock.last().words[4], 1U);
    cl_event event = nullptr;
    cl_command_queue queues[1] = {queue};
    EXPECT_EQ(enqueue(1, queues, buffer, 0, nullptr, &event), answer);
    EXPECT_STREQ(mock.last().name, "clEnqueueCommandBufferKHR");
    EXPECT_EQ(mock.last().words[1], Word(+queues));
    EXPECT_EQ(mock.last().words[2], Word(buffer));
    EXPECT_EQ(mock.last().words[5], Word(&event));
  }
  mock.answer.store(CL_INVALID_VALUE);
  EXPECT_EQ(enqueue(0, nullptr, nullptr, 0, nullptr, nullptr), CL_INVALID_VALUE);
}

TEST_F(CommandBuffersTest, OneSubmitHoweverManyCommands) {
  cl_command_buffer_khr buffer = MakeBuffer();
  for (int i = 0; i < 5; ++i) RecordKernel(buffer, "kernel", 64);
  ASSERT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS);  // joins
  client::FakePeer holder(Directory(), kMockDevice, "holder", 0);
  ASSERT_TRUE(holder.joined());
  const std::int64_t now = holder.board().NowNs();
  holder.writer().Publish(board::kLaneRunning, now,
                          {.busy_until_ns = now, .next_submit_ns = now + 5'000'000'000});
  const auto fills = [&] {
    Layer().clFinish(queue);
    return OwnSlot(holder.board()).counters.fills.load();
  };
  const std::uint64_t before = fills();
  // Without queues: on the one that it was made for.
  EXPECT_EQ(enqueue(0, nullptr, buffer, 0, nullptr, nullptr), CL_SUCCESS);
  EXPECT_EQ(fills() - before, 1U);
}

TEST_F(CommandBuffersTest, WhatIsRecordedIsTheIdentity) {
  ASSERT_EQ(Launch(queue, MakeKernel()), CL_SUCCESS);  // joins
  // Whether it was timed: an identity's first eight submits are, then one in sixteen.
  const auto sampled = [&](std::initializer_list<std::size_t> sizes) {
    const std::uint64_t before = Sampled();
    cl_command_buffer_khr buffer = MakeBuffer();  // handles come round: what was recorded before is forgotten
    for (const std::size_t size : sizes) {
      EXPECT_EQ(RecordKernel(buffer, "recorded", size), CL_SUCCESS);
      EXPECT_EQ(RecordCopy(buffer, size), CL_SUCCESS);
    }
    cl_command_queue queues[1] = {queue};
    EXPECT_EQ(enqueue(1, queues, buffer, 0, nullptr, nullptr), CL_SUCCESS);
    return Sampled() - before;
  };
  for (int i = 0; i < 8; ++i) EXPECT_EQ(sampled({64, 128}), 1U) << i;
  EXPECT_EQ(sampled({64, 128}), 0U);
  EXPECT_EQ(sampled({128, 64}), 1U);
  EXPECT_EQ(sampled({64}), 1U);
  EXPECT_EQ(sampled({}), 1U);
  EXPECT_EQ(sampled({64, 128}), 0U);
}

}  // namespace
}  // namespace mortar::opencl
