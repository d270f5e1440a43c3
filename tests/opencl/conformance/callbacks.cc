// Callbacks and user events.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kInts = 128;

// Counts callbacks and lets the program wait for them.
struct Bell {
  static void CL_CALLBACK Ring(cl_event event, cl_int status, void* user_data) {
    auto* self = static_cast<Bell*>(user_data);
    const std::lock_guard lock(self->mutex);
    self->event_status = ExecutionStatus(event);
    self->status = status;
    ++self->rings;
    self->changed.notify_all();
  }
  void Await(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return rings >= count; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  int rings = 0;
  cl_int status = 99;
  cl_int event_status = 99;
};

// A callback that enqueues the next command of a chain.
struct Chain {
  const Host* host;
  cl_command_queue queue;
  cl_mem buffer;
  std::atomic<int> left{5};
  Bell* done;
};

void CL_CALLBACK NextLink(cl_event event, cl_int status, void* user_data) {
  auto* chain = static_cast<Chain*>(user_data);
  if (--chain->left == 0) return Bell::Ring(event, status, chain->done);
  cl_event next;
  EnqueueAdd(*chain->host, chain->queue, chain->buffer, kInts, 1, {}, &next);
  clSetEventCallback(next, CL_COMPLETE, NextLink, chain);
  clFlush(chain->queue);
  clReleaseEvent(next);
}

}  // namespace

void Callbacks(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_event event;
  Bell complete;
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &event);
  SayError("complete", clSetEventCallback(event, CL_COMPLETE, Bell::Ring, &complete));
  clFlush(queue);
  complete.Await(1);
  Say("rung %d with %s, event %s", complete.rings, StatusName(complete.status),
      StatusName(complete.event_status));
  Bell late;
  SayError("on a complete event", clSetEventCallback(event, CL_COMPLETE, Bell::Ring, &late));
  late.Await(1);
  Say("rung %d with %s", late.rings, StatusName(late.status));
  Bell several;
  cl_event other;
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &other);
  for (int i = 0; i < 3; ++i) clSetEventCallback(other, CL_COMPLETE, Bell::Ring, &several);
  SayError("release before the callback", clReleaseEvent(other));
  clFinish(queue);
  several.Await(3);
  Say("rung %d", several.rings);
  Bell stages;
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &other);
  SayError("submitted", clSetEventCallback(other, CL_SUBMITTED, Bell::Ring, &stages));
  SayError("running", clSetEventCallback(other, CL_RUNNING, Bell::Ring, &stages));
  clFinish(queue);
  stages.Await(2);
  Say("stages rung %d", stages.rings);
  clReleaseEvent(other);
  SayError("queued is no stage", clSetEventCallback(event, CL_QUEUED, Bell::Ring, &late));
  SayError("no function", clSetEventCallback(event, CL_COMPLETE, nullptr, nullptr));
  SayError("no event", clSetEventCallback(nullptr, CL_COMPLETE, Bell::Ring, &late));
  clReleaseEvent(event);

  Bell done;
  Chain chain{&host, queue, buffer, {5}, &done};
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &event);
  clSetEventCallback(event, CL_COMPLETE, NextLink, &chain);
  clFlush(queue);
  clReleaseEvent(event);
  done.Await(1);
  Say("chain of callbacks that enqueue: %s", Contents(queue, buffer, kInts).c_str());
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void UserEvents(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_int error = CL_SUCCESS;
  cl_event user = clCreateUserEvent(host.context, &error);
  SayError("create", error);
  Say("status %s, type %x, queue none %d", StatusName(ExecutionStatus(user)),
      Ask<cl_command_type>(clGetEventInfo, user, CL_EVENT_COMMAND_TYPE),
      Ask<cl_command_queue>(clGetEventInfo, user, CL_EVENT_COMMAND_QUEUE) == nullptr);
  cl_event held;
  cl_event behind;
  SayError("held", EnqueueAdd(host, queue, buffer, kInts, 1, {user}, &held));
  // A program may enqueue more before it lets the first go.
  SayError("behind", EnqueueAdd(host, queue, buffer, kInts, 2, {}, &behind));
  SayError("no event asked", EnqueueAdd(host, queue, buffer, kInts, 4));
  SayError("flush", clFlush(queue));
  Say("held complete %d, behind complete %d", ExecutionStatus(held) == CL_COMPLETE,
      ExecutionStatus(behind) == CL_COMPLETE);
  Bell bell;
  clSetEventCallback(behind, CL_COMPLETE, Bell::Ring, &bell);
  SayError("set to running", clSetUserEventStatus(user, CL_RUNNING));
  SayError("set", clSetUserEventStatus(user, CL_COMPLETE));
  SayError("set again", clSetUserEventStatus(user, CL_COMPLETE));
  SayError("wait", clWaitForEvents(1, &behind));
  bell.Await(1);
  SayError("finish", clFinish(queue));
  Say("let go: %s, held %s", Contents(queue, buffer, kInts).c_str(), StatusName(ExecutionStatus(held)));
  for (cl_event event : {user, held, behind}) clReleaseEvent(event);

  // Let go by another thread while this one waits.
  user = clCreateUserEvent(host.context, nullptr);
  EnqueueAdd(host, queue, buffer, kInts, 10, {user}, &held);
  clFlush(queue);
  std::thread setter([user] { clSetUserEventStatus(user, CL_COMPLETE); });
  SayError("wait for the other thread", clWaitForEvents(1, &held));
  setter.join();
  Say("%s", Contents(queue, buffer, kInts).c_str());
  for (cl_event event : {user, held}) clReleaseEvent(event);

  // Failed. (Nothing waits for it and no callback: with PoCL 3.1 both would wait for ever.)
  user = clCreateUserEvent(host.context, nullptr);
  SayError("fail", clSetUserEventStatus(user, -77));
  Say("failed with -77 %d", ExecutionStatus(user) == -77);
  SayError("let go all the same", clSetUserEventStatus(user, CL_COMPLETE));
  clReleaseEvent(user);
  SayError("not a user event", [&] {
    cl_event event;
    EnqueueAdd(host, queue, buffer, kInts, 0, {}, &event);
    clFinish(queue);
    const cl_int answer = clSetUserEventStatus(event, CL_COMPLETE);
    clReleaseEvent(event);
    return answer;
  }());
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

}  // namespace mortar::conformance
