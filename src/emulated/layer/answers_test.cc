// What events answer: profiling, user events, callbacks.
#include <sched.h>

#include <condition_variable>
#include <mutex>

#include "emulated/layer/fixture.h"

namespace mortar::emulated {
namespace {

TEST_F(LayerTest, ProfilingTellsTheModelledTimes) {
  cl_event first;
  cl_event event;
  ASSERT_EQ(Launch(&profiled_, &first), CL_SUCCESS);
  clock_->now += 10 * kUs;
  ASSERT_EQ(Launch(&profiled_, &event), CL_SUCCESS);
  cl_ulong value = 0;
  const auto ask = [&](cl_profiling_info name) {
    return cl_.clGetEventProfilingInfo(event, name, sizeof value, &value, nullptr);
  };
  EXPECT_EQ(ask(CL_PROFILING_COMMAND_START), CL_PROFILING_INFO_NOT_AVAILABLE);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  const std::pair<cl_profiling_info, std::int64_t> expected[] = {{CL_PROFILING_COMMAND_QUEUED, 10 * kUs},
                                                                 {CL_PROFILING_COMMAND_SUBMIT, 10 * kUs},
                                                                 {CL_PROFILING_COMMAND_START, 105 * kUs},
                                                                 {CL_PROFILING_COMMAND_END, 205 * kUs},
                                                                 {CL_PROFILING_COMMAND_COMPLETE, 205 * kUs}};
  for (const auto& [name, at] : expected) {
    ASSERT_EQ(ask(name), CL_SUCCESS);
    EXPECT_EQ(static_cast<std::int64_t>(value) - kStart, at);
  }
  EXPECT_EQ(ask(0x9999), CL_INVALID_VALUE);
  EXPECT_EQ(cl_.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 1, &value, nullptr),
            CL_INVALID_VALUE);
}

TEST_F(LayerTest, WithoutProfilingTheErrorIsTheDrivers) {
  cl_event event;
  cl_ulong value = 0;
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  EXPECT_EQ(cl_.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof value, &value, nullptr),
            CL_PROFILING_INFO_NOT_AVAILABLE);
}

TEST_F(LayerTest, UserEventHoldsTheKernelOffTheTimeline) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  ASSERT_EQ(Launch(&in_order_, &event, {user}), CL_SUCCESS);
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);  // no event of the program's: the layer asks for one
  clock_->now += 1'000 * kUs;
  EXPECT_EQ(StatusOf(event), CL_SUBMITTED);
  EXPECT_EQ(Report().total.commands, 0U);
  ASSERT_EQ(cl_.clSetUserEventStatus(user, CL_COMPLETE), CL_SUCCESS);
  EXPECT_EQ(Report().total.commands, 2U);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 1'100 * kUs);
  ASSERT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 1'200 * kUs);
  cl_.clReleaseEvent(event);
  cl_.clReleaseEvent(user);
  EXPECT_EQ(driver_.alive, 0);
}

TEST_F(LayerTest, FailedUserEventFailsItsCommands) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  ASSERT_EQ(Launch(&out_of_order_, &event, {user}), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetUserEventStatus(user, -7), CL_SUCCESS);
  EXPECT_EQ(StatusOf(event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(cl_.clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(Elapsed(), 0);
  EXPECT_EQ(Report().total.commands, 0U);
  EXPECT_EQ(cl_.clSetUserEventStatus(user, CL_COMPLETE), CL_INVALID_OPERATION);
}

TEST_F(LayerTest, OldBarrierOrdersWithoutAnEvent) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  ASSERT_EQ(cl_.clEnqueueWaitForEvents(&in_order_, 1, &user), CL_SUCCESS);
  ASSERT_EQ(cl_.clEnqueueBarrier(&in_order_), CL_SUCCESS);
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  EXPECT_EQ(Report().total.commands, 0U);
  ASSERT_EQ(cl_.clSetUserEventStatus(user, CL_COMPLETE), CL_SUCCESS);
  ASSERT_EQ(cl_.clWaitForEvents(1, &event), CL_SUCCESS);
  EXPECT_EQ(Elapsed(), 100 * kUs);
}

// Waits for a callback from whatever thread it comes.
struct Called {
  static void CL_CALLBACK Function(cl_event event, cl_int status, void* user_data) {
    auto* self = static_cast<Called*>(user_data);
    const std::lock_guard lock(self->mutex);
    self->event = event;
    self->status = status;
    self->at_ns = Current().clock.NowNs();
    self->condition.notify_all();
  }
  void Await() {
    std::unique_lock lock(mutex);
    condition.wait(lock, [&] { return event != nullptr; });
  }
  bool IsCalled() {
    const std::lock_guard lock(mutex);
    return event != nullptr;
  }
  std::mutex mutex;
  std::condition_variable condition;
  cl_event event = nullptr;
  cl_int status = 99;
  std::int64_t at_ns = 0;
};

TEST_F(LayerTest, CallbackComesAtTheModelledEnd) {
  cl_event event;
  Called complete;
  Called running;
  ASSERT_EQ(Launch(&in_order_), CL_SUCCESS);
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, Called::Function, &complete), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_RUNNING, Called::Function, &running), CL_SUCCESS);
  cl_uint references = 0;
  ASSERT_EQ(cl_.clGetEventInfo(event, CL_EVENT_REFERENCE_COUNT, sizeof references, &references, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(references, 1U);
  cl_.clReleaseEvent(event);  // as programs do: the callback still gets a live event
  EXPECT_FALSE(complete.IsCalled());
  EXPECT_EQ(driver_.alive, 1);
  clock_->now = kStart + 300 * kUs;
  complete.Await();
  running.Await();
  // Both callbacks have returned when the layer has let go of the event.
  while (driver_.alive != 0) sched_yield();
  EXPECT_EQ(complete.event, event);
  EXPECT_EQ(complete.status, CL_COMPLETE);
  EXPECT_EQ(running.status, CL_RUNNING);
}

TEST_F(LayerTest, CallbackAfterTheEndIsCalledAtOnce) {
  cl_event event;
  Called called;
  ASSERT_EQ(Launch(&in_order_, &event), CL_SUCCESS);
  ASSERT_EQ(cl_.clFinish(&in_order_), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, Called::Function, &called), CL_SUCCESS);
  EXPECT_TRUE(called.IsCalled());
  EXPECT_EQ(called.status, CL_COMPLETE);
  cl_.clReleaseEvent(event);
  EXPECT_EQ(driver_.alive, 0);
}

TEST_F(LayerTest, CallbackOfAFailureCarriesIt) {
  cl_event user = cl_.clCreateUserEvent(nullptr, nullptr);
  cl_event event;
  Called called;
  ASSERT_EQ(Launch(&in_order_, &event, {user}), CL_SUCCESS);
  ASSERT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, Called::Function, &called), CL_SUCCESS);
  EXPECT_FALSE(called.IsCalled());
  ASSERT_EQ(cl_.clSetUserEventStatus(user, -3), CL_SUCCESS);
  EXPECT_TRUE(called.IsCalled());
  EXPECT_EQ(called.status, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
  EXPECT_EQ(cl_.clSetEventCallback(event, CL_COMPLETE, nullptr, nullptr), CL_INVALID_VALUE);
}

}  // namespace
}  // namespace mortar::emulated
