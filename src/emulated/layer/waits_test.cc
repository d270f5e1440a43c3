// When waits return, what errors and late computing do, what is wrapped.
#include <cstring>

#include "emulated/layer/fixture.h"

namespace mortar::emulated {
namespace {

TEST_F(LayerTest, FinishReturnsAtTheModelledEnd) {
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 0);
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 205 * kUs);  // 5 + 100 + 100
  EXPECT_EQ(driver_.waited, 1);
  EXPECT_EQ(Report().total.busy_ns, 200U * kUs);
  EXPECT_EQ(Report().total.late, 0U);
}

TEST_F(LayerTest, WaitReturnsAtTheLatestOfItsEvents) {
  cl_event events[3];
  for (auto& event : events) ASSERT_EQ(Launch(&out_of_order_, &event), CL_SUCCESS);
  EXPECT_EQ(cl_.clWaitForEvents(2, events), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 205 * kUs);
  EXPECT_EQ(StatusOf(events[1]), CL_COMPLETE);
  EXPECT_EQ(StatusOf(events[2]), CL_RUNNING);
}

TEST_F(LayerTest, BlockingTransferReturnsAtItsEnd) {
  char bytes[1'000];
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  ASSERT_EQ(
      cl_.clEnqueueReadBuffer(&in_order_, nullptr, CL_TRUE, 0, sizeof bytes, bytes, 0, nullptr, nullptr),
      CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 114 * kUs);  // 5 + 100, then 8 + 1
  ASSERT_EQ(
      cl_.clEnqueueReadBuffer(&in_order_, nullptr, CL_FALSE, 0, sizeof bytes, bytes, 0, nullptr, nullptr),
      CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 114 * kUs);
  cl_int error = 99;
  EXPECT_NE(cl_.clEnqueueMapBuffer(&in_order_, nullptr, CL_TRUE, CL_MAP_READ, 0, 2'000, 0, nullptr, nullptr,
                                   &error),
            nullptr);
  EXPECT_EQ(error, CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 133 * kUs);  // and 9, and 8 + 2
}

TEST_F(LayerTest, RealComputingThatOutlivesTheModelIsLate) {
  state_->driver.clFinish = [](cl_command_queue) -> cl_int {
    static_cast<FakeClock&>(Current().clock).now += 500 * kUs;
    return CL_SUCCESS;
  };
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 500 * kUs);
  EXPECT_EQ(Report().total.late, 1U);
  EXPECT_EQ(Report().total.late_ns, 395U * kUs);  // 500 - 105
}

TEST_F(LayerTest, WaitForAFailedCommandDoesNotWaitForItsModel) {
  cl_event events[2];
  for (auto& event : events) ASSERT_EQ(Launch(&out_of_order_, &event), CL_SUCCESS);
  events[1]->status = CL_OUT_OF_RESOURCES;  // found by the driver while it ran
  EXPECT_EQ(cl_.clWaitForEvents(2, events), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(Elapsed(), 105 * kUs);
  EXPECT_EQ(StatusOf(events[1]), CL_OUT_OF_RESOURCES);
}

TEST_F(LayerTest, EveryErrorPassesAndTakesNoTime) {
  driver_.refuse = CL_INVALID_KERNEL_ARGS;
  cl_event event = nullptr;
  EXPECT_EQ(Launch(&in_order_, &event), CL_INVALID_KERNEL_ARGS);
  EXPECT_EQ(Launch(nullptr, &event), CL_INVALID_COMMAND_QUEUE);
  EXPECT_EQ(event, nullptr);
  EXPECT_EQ(cl_.clEnqueueWriteBuffer(&in_order_, nullptr, CL_TRUE, 0, 4, &event, 0, nullptr, nullptr),
            CL_INVALID_KERNEL_ARGS);
  EXPECT_EQ(cl_.clEnqueueMarker(&in_order_, nullptr), CL_INVALID_VALUE);
  EXPECT_EQ(cl_.clEnqueueBarrier(&in_order_), CL_INVALID_KERNEL_ARGS);
  EXPECT_EQ(cl_.clWaitForEvents(0, nullptr), CL_INVALID_VALUE);
  EXPECT_EQ(cl_.clFinish(nullptr), CL_INVALID_COMMAND_QUEUE);
  EXPECT_EQ(Elapsed(), 0);
  EXPECT_EQ(Report().total.commands, 0U);
  EXPECT_EQ(state_->timelines.Find(0)->AheadNs(kStart), 0);
}

TEST_F(LayerTest, FullDeviceMakesTheEnqueueWait) {
  ASSERT_EQ(Launch(&in_order_, nullptr, {}, &long_kernel_), CL_SUCCESS);  // 3 s
  EXPECT_EQ(Elapsed(), 0);
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 1'000'005 * kUs);  // until no more than 2 s are ahead
}

TEST_F(LayerTest, OnlyWhatTheDriverHasIsWrapped) {
  cl_icd_dispatch driver{};
  cl_icd_dispatch layer{};
  driver.clFinish = state_->driver.clFinish;
  FillDispatch(driver, &layer);
  EXPECT_NE(layer.clFinish, nullptr);
  layer.clFinish = nullptr;
  const cl_icd_dispatch none{};
  EXPECT_EQ(memcmp(&layer, &none, sizeof none), 0);
  EXPECT_EQ(cl_.clGetExtensionFunctionAddressForPlatform, nullptr);
}

}  // namespace
}  // namespace mortar::emulated
