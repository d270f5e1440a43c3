// Events that the layer looks at too: references balance and do not show; callbacks are known as such; waits
// pass.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "backend/opencl/samples.h"
#include "backend/opencl/test_world.h"

namespace mortar::opencl {
namespace {

class EventsTest : public LayerTest {
 protected:
  cl_uint References(cl_event event) {
    cl_uint references = 0;
    EXPECT_EQ(
        Layer().clGetEventInfo(event, CL_EVENT_REFERENCE_COUNT, sizeof references, &references, nullptr),
        CL_SUCCESS);
    return references;
  }
  // A kernel of which every launch is sampled: it has never been timed.
  cl_kernel FreshKernel() {
    static int made = 0;
    return MakeKernel(("fresh" + std::to_string(made++)).c_str());
  }

  // What earlier tests left to be sampled is handed back at a wait.
  int AliveOnceCollected() {
    Layer().clFinish(queue);
    return mock.alive.load();
  }

  cl_command_queue queue = MakeQueue();
  cl_event user = mock.MakeUserEvent();
};

TEST_F(EventsTest, OurReferenceIsHidden) {
  std::size_t global = 64;
  cl_event event = nullptr;
  ASSERT_EQ(
      Layer().clEnqueueNDRangeKernel(queue, FreshKernel(), 1, nullptr, &global, nullptr, 1, &user, &event),
      CL_SUCCESS);
  EXPECT_EQ(event->references.load(), 2) << "this launch was to be sampled";
  EXPECT_EQ(References(event), 1U);
  Layer().clRetainEvent(event);
  EXPECT_EQ(References(event), 2U);
  Layer().clReleaseEvent(event);
  Layer().clSetUserEventStatus(user, CL_COMPLETE);
  Layer().clFinish(queue);
  EXPECT_EQ(event->references.load(), 1) << "ours is given back once the launch is complete";
  EXPECT_EQ(References(event), 1U);
}

TEST_F(EventsTest, ReferencesBalance) {
  const int before = AliveOnceCollected();
  cl_kernel kernel = FreshKernel();
  for (int i = 0; i < 3000; ++i) {
    cl_event event = nullptr;
    const bool asks = i % 3 == 0;
    ASSERT_EQ(Launch(queue, kernel, asks ? &event : nullptr), CL_SUCCESS);
    if (asks) {
      ASSERT_EQ(Layer().clWaitForEvents(1, &event), CL_SUCCESS);
      ASSERT_EQ(References(event), 1U);
      Layer().clReleaseEvent(event);
    }
  }
  Layer().clFinish(queue);
  EXPECT_EQ(mock.alive.load(), before);
}

// A program that never waits: what is being sampled stays bounded, and nothing leaks once it does wait.
TEST_F(EventsTest, SamplesThatNeverCompleteAreBounded) {
  const int before = AliveOnceCollected();
  std::size_t global = 64;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(
        Layer().clEnqueueNDRangeKernel(queue, FreshKernel(), 1, nullptr, &global, nullptr, 1, &user, nullptr),
        CL_SUCCESS);
  }
  EXPECT_LE(mock.alive.load() - before, 256);
  Layer().clSetUserEventStatus(user, CL_COMPLETE);
  Layer().clFinish(queue);
  EXPECT_EQ(mock.alive.load(), before);
}

TEST_F(EventsTest, FailingEnqueueLeavesNothingBehind) {
  const int before = AliveOnceCollected();
  mock.answer.store(CL_OUT_OF_RESOURCES);
  cl_event event = reinterpret_cast<cl_event>(0x40);  // must stay as it is
  EXPECT_EQ(Launch(queue, FreshKernel(), &event), CL_OUT_OF_RESOURCES);
  EXPECT_EQ(event, reinterpret_cast<cl_event>(0x40));
  EXPECT_EQ(Launch(queue, FreshKernel()), CL_OUT_OF_RESOURCES);
  mock.answer.store(CL_SUCCESS);
  EXPECT_EQ(mock.alive.load(), before);
  Layer().clFinish(queue);
  EXPECT_EQ(Launch(queue, FreshKernel()), CL_SUCCESS);
  Layer().clFinish(queue);
  EXPECT_EQ(mock.alive.load(), before);
}

TEST_F(EventsTest, EventTellsWhichSubmitItIs) {
  cl_event first = nullptr;
  cl_event second = nullptr;
  Launch(queue, MakeKernel(), &first);
  Launch(queue, MakeKernel(), &second);
  const client::Lane* lane = client::LaneIfJoined(FindQueue(queue)->device);
  ASSERT_NE(lane, nullptr);
  EXPECT_GT(SequenceOf(first, lane), 0U);
  EXPECT_EQ(SequenceOf(second, lane), SequenceOf(first, lane) + 1);
  EXPECT_EQ(SequenceOf(second, lane + 1), 0U) << "another lane's submit";
  EXPECT_EQ(SequenceOf(user, lane), 0U);
}

struct Seen {
  bool called = false;
  bool in_callback = false;
  cl_event event = nullptr;
  cl_int status = 1;
  cl_mem object = nullptr;
};
void CL_CALLBACK OnEvent(cl_event event, cl_int status, void* data) {
  *static_cast<Seen*>(data) = {true, client::InCallback(), event, status, nullptr};
}
void CL_CALLBACK OnObject(cl_mem object, void* data) {
  *static_cast<Seen*>(data) = {true, client::InCallback(), nullptr, 0, object};
}

TEST_F(EventsTest, CallbacksAreKnownAsSuch) {
  cl_event event = nullptr;
  Launch(queue, MakeKernel(), &event);
  Seen seen;
  EXPECT_EQ(Layer().clSetEventCallback(event, CL_COMPLETE, OnEvent, &seen), CL_SUCCESS);
  EXPECT_TRUE(seen.called);
  EXPECT_TRUE(seen.in_callback);
  EXPECT_EQ(seen.event, event);
  EXPECT_EQ(seen.status, CL_COMPLETE);
  EXPECT_FALSE(client::InCallback());

  auto* object = reinterpret_cast<cl_mem>(0x80);
  Seen destroyed;
  EXPECT_EQ(Layer().clSetMemObjectDestructorCallback(object, OnObject, &destroyed), CL_SUCCESS);
  EXPECT_TRUE(destroyed.called);
  EXPECT_TRUE(destroyed.in_callback);
  EXPECT_EQ(destroyed.object, object);
  EXPECT_FALSE(client::InCallback());
}

TEST_F(EventsTest, RefusedCallbacksAreTheDriversAnswer) {
  cl_event event = nullptr;
  Launch(queue, MakeKernel(), &event);
  EXPECT_EQ(Layer().clSetEventCallback(event, CL_COMPLETE, nullptr, nullptr),
            CL_SUCCESS);  // the mock's answer
  mock.answer.store(CL_INVALID_EVENT);
  Seen seen;
  EXPECT_EQ(Layer().clSetEventCallback(event, CL_COMPLETE, OnEvent, &seen), CL_INVALID_EVENT);
  EXPECT_EQ(Layer().clSetMemObjectDestructorCallback(nullptr, OnObject, &seen), CL_INVALID_EVENT);
  EXPECT_FALSE(seen.called);
}

struct Enqueuer {
  const cl_icd_dispatch* layer;
  cl_command_queue queue;
  cl_kernel kernel;
  cl_int status = 1;
};
void CL_CALLBACK EnqueueAgain(cl_event, cl_int, void* data) {
  auto* enqueuer = static_cast<Enqueuer*>(data);
  const std::size_t global = 64;
  enqueuer->status = enqueuer->layer->clEnqueueNDRangeKernel(enqueuer->queue, enqueuer->kernel, 1, nullptr,
                                                             &global, nullptr, 0, nullptr, nullptr);
}

// The driver's own thread would wait for ever for what it is to complete itself.
TEST_F(EventsTest, WhatACallbackEnqueuesIsNeverHeld) {
  cl_kernel kernel = MakeKernel();
  cl_event event = nullptr;
  Launch(queue, kernel, &event);
  client::BusyPeer holder(Directory(), kMockDevice, 0);
  ASSERT_TRUE(holder.joined());
  Enqueuer enqueuer{&Layer(), queue, kernel};
  ASSERT_EQ(Layer().clSetEventCallback(event, CL_COMPLETE, EnqueueAgain, &enqueuer), CL_SUCCESS);
  EXPECT_EQ(enqueuer.status, CL_SUCCESS);
  // That the holder would have held it: the same enqueue from elsewhere waits.
  std::atomic<bool> passed{false};
  std::thread elsewhere([&] {
    Launch(queue, kernel);
    passed.store(true);
  });
  // The thread is the program's second.
  EXPECT_TRUE(client::AwaitGated(OwnSlot(holder.peer().board()).lanes[1]));
  EXPECT_FALSE(passed.load());
  holder.Stop();
  elsewhere.join();
  EXPECT_TRUE(passed.load());
}

TEST_F(EventsTest, WaitCoversAHeldBackEvent) {
  // A wait for an event that another thread completes: nothing of Mortar's stands between them.
  std::size_t global = 64;
  cl_event event = nullptr;
  ASSERT_EQ(
      Layer().clEnqueueNDRangeKernel(queue, MakeKernel(), 1, nullptr, &global, nullptr, 1, &user, &event),
      CL_SUCCESS);
  std::thread setter([&] { Layer().clSetUserEventStatus(user, CL_COMPLETE); });
  EXPECT_EQ(Layer().clWaitForEvents(1, &event), CL_SUCCESS);
  setter.join();
  cl_int status = 1;
  EXPECT_EQ(Layer().clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr),
            CL_SUCCESS);
  EXPECT_EQ(status, CL_COMPLETE);
}

}  // namespace
}  // namespace mortar::opencl
