// Waits, events, references, markers and barriers, profiling.
#include <algorithm>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kInts = 128;

void SayProfiling(const char* what, cl_event event) {
  cl_ulong times[4] = {};
  cl_int errors[4];
  const cl_profiling_info names[] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
                                     CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};
  for (int i = 0; i < 4; ++i) {
    errors[i] = clGetEventProfilingInfo(event, names[i], sizeof times[i], &times[i], nullptr);
  }
  const bool ordered = std::is_sorted(times, times + 4);
  Say("%s: queued %s, submit %s, start %s, end %s, times in order %d, known %d", what, ErrorName(errors[0]),
      ErrorName(errors[1]), ErrorName(errors[2]), ErrorName(errors[3]), ordered, times[3] != 0);
}

}  // namespace

void Waits(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_event events[5];
  for (int i = 0; i < 5; ++i) SayError("add", EnqueueAdd(host, queue, buffer, kInts, 1 << i, {}, &events[i]));
  SayError("flush", clFlush(queue));
  SayError("wait for one", clWaitForEvents(1, &events[2]));
  for (int i = 0; i < 3; ++i) Say("event %d is %s", i, StatusName(ExecutionStatus(events[i])));
  SayError("wait for all", clWaitForEvents(5, events));
  for (cl_event event : events) Say("all: %s", StatusName(ExecutionStatus(event)));
  SayError("wait again", clWaitForEvents(5, events));
  SayError("finish", clFinish(queue));
  SayError("finish again", clFinish(queue));
  Say("%s", Contents(queue, buffer, kInts).c_str());
  cl_event last;
  EnqueueAdd(host, queue, buffer, kInts, 100, {}, &last);
  SayError("finish", clFinish(queue));
  Say("after the finish %s", StatusName(ExecutionStatus(last)));
  // A program may also ask until the answer is there.
  cl_event asked;
  EnqueueAdd(host, queue, buffer, kInts, 100, {}, &asked);
  clFlush(queue);
  while (ExecutionStatus(asked) > CL_COMPLETE) {
  }
  Say("asked until %s: %s", StatusName(ExecutionStatus(asked)), Contents(queue, buffer, kInts).c_str());
  for (cl_event event : events) clReleaseEvent(event);
  clReleaseEvent(last);
  clReleaseEvent(asked);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void Events(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_event event;
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &event);
  clFinish(queue);
  Say("queue is ours %d, context is ours %d",
      Ask<cl_command_queue>(clGetEventInfo, event, CL_EVENT_COMMAND_QUEUE) == queue,
      Ask<cl_context>(clGetEventInfo, event, CL_EVENT_CONTEXT) == host.context);
  Say("type %x", Ask<cl_command_type>(clGetEventInfo, event, CL_EVENT_COMMAND_TYPE));
  std::size_t size = 0;
  SayError("size of the status", clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, 0, nullptr, &size));
  Say("size %zu", size);
  cl_char small = 0;
  SayError("too small", clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, 1, &small, nullptr));
  SayError("no such answer", clGetEventInfo(event, 0x1, 4, &small, nullptr));
  SayError("no event", clGetEventInfo(nullptr, CL_EVENT_COMMAND_TYPE, 4, &size, nullptr));
  clReleaseEvent(event);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void References(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_event event;
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &event);
  clFinish(queue);
  const auto count = [&] { return Ask<cl_uint>(clGetEventInfo, event, CL_EVENT_REFERENCE_COUNT); };
  // How many the driver holds itself is its own affair, and not the same in every run; it lets go soon.
  cl_uint at_first = count();
  for (int same = 0; same < 10'000; ++same) {
    if (count() != at_first) same = 0;
    at_first = count();
  }
  SayError("retain", clRetainEvent(event));
  Say("references more %u", count() - at_first);
  SayError("release", clReleaseEvent(event));
  Say("references more %u", count() - at_first);
  SayError("release the last", clReleaseEvent(event));
  cl_event user = clCreateUserEvent(host.context, nullptr);
  Say("user event's references %u", Ask<cl_uint>(clGetEventInfo, user, CL_EVENT_REFERENCE_COUNT));
  SayError("retain", clRetainEvent(user));
  Say("user event's references %u", Ask<cl_uint>(clGetEventInfo, user, CL_EVENT_REFERENCE_COUNT));
  clReleaseEvent(user);
  clSetUserEventStatus(user, CL_COMPLETE);
  clReleaseEvent(user);
  SayError("retain queue", clRetainCommandQueue(queue));
  SayError("release queue", clReleaseCommandQueue(queue));
  Say("queue still works: %s", Contents(queue, buffer, kInts).c_str());
  SayError("no event", clRetainEvent(nullptr));
  SayError("no event", clReleaseEvent(nullptr));
  // Handles come again: many events made and dropped, some at once, some late.
  std::vector<cl_event> kept;
  for (int i = 0; i < 300; ++i) {
    cl_event next;
    EnqueueAdd(host, queue, buffer, kInts, 1, {}, &next);
    if (i % 3 == 0) {
      kept.push_back(next);
    } else {
      clReleaseEvent(next);
    }
  }
  SayError("wait for the kept", clWaitForEvents(static_cast<cl_uint>(kept.size()), kept.data()));
  for (cl_event old : kept) clReleaseEvent(old);
  Say("many events: %s", Contents(queue, buffer, kInts).c_str());
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void MarkersAndBarriers(const Host& host) {
  for (const cl_command_queue_properties properties : {0UL, 1UL}) {
    cl_command_queue queue = host.Queue(properties);
    cl_mem buffer = host.Buffer(kInts, 1);
    const char* order = properties == 0 ? "in order" : "out of order";
    cl_event first;
    cl_event marker;
    cl_event barrier;
    EnqueueAdd(host, queue, buffer, kInts, 1, {}, &first);
    Say("%s marker: %s", order, ErrorName(clEnqueueMarkerWithWaitList(queue, 1, &first, &marker)));
    SayError("wait for the marker", clWaitForEvents(1, &marker));
    Say("first %s, marker %s, type %x", StatusName(ExecutionStatus(first)),
        StatusName(ExecutionStatus(marker)),
        Ask<cl_command_type>(clGetEventInfo, marker, CL_EVENT_COMMAND_TYPE));
    Say("barrier: %s", ErrorName(clEnqueueBarrierWithWaitList(queue, 0, nullptr, &barrier)));
    cl_kernel twice = host.Kernel("twice");
    clSetKernelArg(twice, 0, sizeof buffer, &buffer);
    clEnqueueNDRangeKernel(queue, twice, 1, nullptr, &kInts, nullptr, 0, nullptr, nullptr);
    clEnqueueBarrierWithWaitList(queue, 0, nullptr, nullptr);
    EnqueueAdd(host, queue, buffer, kInts, 5);
    SayError("finish", clFinish(queue));
    Say("barrier %s, (1+1)*2+5: %s", StatusName(ExecutionStatus(barrier)),
        Contents(queue, buffer, kInts).c_str());
    SayError("old barrier", clEnqueueBarrier(queue));
    cl_event old_marker;
    SayError("old marker", clEnqueueMarker(queue, &old_marker));
    SayError("old marker without event", clEnqueueMarker(queue, nullptr));
    SayError("wait for it", clWaitForEvents(1, &old_marker));
    SayError("marker for all before", clEnqueueMarkerWithWaitList(queue, 0, nullptr, nullptr));
    SayError("finish", clFinish(queue));
    for (cl_event event : {first, marker, barrier, old_marker}) clReleaseEvent(event);
    clReleaseKernel(twice);
    clReleaseMemObject(buffer);
    clReleaseCommandQueue(queue);
  }
}

void Profiling(const Host& host) {
  for (const bool enabled : {false, true}) {
    cl_command_queue queue = host.Queue(enabled ? CL_QUEUE_PROFILING_ENABLE : 0);
    cl_mem buffer = host.Buffer(kInts, 0);
    cl_event events[4];
    EnqueueAdd(host, queue, buffer, kInts, 1, {}, &events[0]);
    const int zero = 0;
    clEnqueueFillBuffer(queue, buffer, &zero, sizeof zero, 0, kInts * sizeof(int), 0, nullptr, &events[1]);
    int back[kInts];
    clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof back, back, 0, nullptr, &events[2]);
    clEnqueueMarkerWithWaitList(queue, 0, nullptr, &events[3]);
    SayError("finish", clFinish(queue));
    const char* names[] = {"kernel", "fill", "read", "marker"};
    for (int i = 0; i < 4; ++i) SayProfiling(names[i], events[i]);
    cl_ulong value = 0;
    std::size_t size = 0;
    SayError("unknown name", clGetEventProfilingInfo(events[0], 0x1, sizeof value, &value, nullptr));
    SayError("too small", clGetEventProfilingInfo(events[0], CL_PROFILING_COMMAND_END, 1, &value, nullptr));
    SayError("size alone", clGetEventProfilingInfo(events[0], CL_PROFILING_COMMAND_END, 0, nullptr, &size));
    Say("size %zu", size);
    for (cl_event event : events) clReleaseEvent(event);

    cl_event user = clCreateUserEvent(host.context, nullptr);
    cl_event held;
    EnqueueAdd(host, queue, buffer, kInts, 1, {user}, &held);
    SayProfiling("held kernel", held);
    SayProfiling("user event", user);
    clSetUserEventStatus(user, CL_COMPLETE);
    clWaitForEvents(1, &held);
    SayProfiling("kernel let go", held);
    clReleaseEvent(held);
    clReleaseEvent(user);
    clReleaseMemObject(buffer);
    clReleaseCommandQueue(queue);
  }
}

}  // namespace mortar::conformance
