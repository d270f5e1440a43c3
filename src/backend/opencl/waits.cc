// Where the program waits, polls, or is called back; and what it may ask of events that we look at too.
#include <algorithm>
#include <cstring>

#include "backend/opencl/layer.h"
#include "backend/opencl/samples.h"
#include "backend/opencl/slices.h"

namespace mortar::opencl {
namespace {

cl_int CL_API_CALL Finish(cl_command_queue handle) noexcept {
  const Queue* queue = FindQueue(handle);
  client::Lane* lane = queue != nullptr ? client::LaneIfJoined(queue->device) : nullptr;
  if (lane == nullptr) return next.clFinish(handle);
  lane->EnterWait();
  const cl_int status = next.clFinish(handle);
  lane->LeaveWait(client::Lane::kAll);
  CollectSamples(lane);
  return status;
}

// The lane of this thread on the device that `event` belongs to, or null.
client::Lane* LaneOf(cl_event event) {
  cl_command_queue handle = nullptr;
  if (next.clGetEventInfo(event, CL_EVENT_COMMAND_QUEUE, sizeof handle, &handle, nullptr) != CL_SUCCESS)
    return nullptr;
  const Queue* queue = FindQueue(handle);
  return queue != nullptr ? client::LaneIfJoined(queue->device) : nullptr;
}

cl_int CL_API_CALL WaitForEvents(cl_uint count, const cl_event* list) noexcept {
  client::Lane* lane = nullptr;
  if (list != nullptr) {
    for (cl_uint i = 0; i < count && lane == nullptr; ++i) {
      if (list[i] == nullptr) return next.clWaitForEvents(count, list);
      lane = LaneOf(list[i]);
    }
  }
  if (lane == nullptr) return next.clWaitForEvents(count, list);
  std::uint64_t covered = 0;
  for (cl_uint i = 0; i < count; ++i) covered = std::max(covered, SequenceOf(list[i], lane));
  lane->EnterWait();
  const cl_int status = next.clWaitForEvents(count, list);
  lane->LeaveWait(covered);
  CollectSamples(lane);
  return status;
}

cl_int CL_API_CALL GetEventInfo(cl_event event, cl_event_info what, std::size_t room, void* out,
                                std::size_t* out_size) noexcept {
  const cl_int status = next.clGetEventInfo(event, what, room, out, out_size);
  if (status != CL_SUCCESS || out == nullptr) return status;
  if (what == CL_EVENT_REFERENCE_COUNT) {
    cl_uint references = 0;
    std::memcpy(&references, out, sizeof references);
    references -= OurReferences(event);
    std::memcpy(out, &references, sizeof references);
  } else if (what == CL_EVENT_COMMAND_EXECUTION_STATUS) {
    cl_int state = CL_COMPLETE;
    std::memcpy(&state, out, sizeof state);
    // A program that polls learns of completion where no wait shows.
    if (state > CL_COMPLETE) {
      if (client::Lane* lane = LaneOf(event)) lane->OnInvisibleWait();
    }
  }
  return status;
}

cl_int CL_API_CALL GetEventProfilingInfo(cl_event event, cl_profiling_info what, std::size_t room, void* out,
                                         std::size_t* out_size) noexcept {
  cl_command_queue handle = nullptr;
  if (event != nullptr &&
      next.clGetEventInfo(event, CL_EVENT_COMMAND_QUEUE, sizeof handle, &handle, nullptr) == CL_SUCCESS) {
    const Queue* queue = FindQueue(handle);
    // What the driver says where the program did not ask for profiling.
    if (queue != nullptr && queue->forced) return CL_PROFILING_INFO_NOT_AVAILABLE;
    const bool begins = what == CL_PROFILING_COMMAND_QUEUED || what == CL_PROFILING_COMMAND_SUBMIT ||
                        what == CL_PROFILING_COMMAND_START;
    if (begins) event = FirstPieceOf(event);
  }
  return next.clGetEventProfilingInfo(event, what, room, out, out_size);
}

using EventCallback = void(CL_CALLBACK*)(cl_event, cl_int, void*);

struct Wrapped {
  EventCallback callback;
  void* data;
};

void CL_CALLBACK OnEvent(cl_event event, cl_int status, void* data) {
  const std::unique_ptr<Wrapped> wrapped(static_cast<Wrapped*>(data));
  // Whatever the program submits from here must not be held: the driver's own thread is waiting for it.
  const client::CallbackScope scope;
  wrapped->callback(event, status, wrapped->data);
}

cl_int CL_API_CALL SetEventCallback(cl_event event, cl_int type, EventCallback callback,
                                    void* data) noexcept {
  auto* wrapped = callback != nullptr ? new (std::nothrow) Wrapped{callback, data} : nullptr;
  if (wrapped == nullptr) return next.clSetEventCallback(event, type, callback, data);
  if (event != nullptr) {
    if (client::Lane* lane = LaneOf(event)) lane->OnInvisibleWait();
  }
  const cl_int status = next.clSetEventCallback(event, type, OnEvent, wrapped);
  if (status != CL_SUCCESS) delete wrapped;
  return status;
}

using MemoryCallback = void(CL_CALLBACK*)(cl_mem, void*);

struct WrappedMemory {
  MemoryCallback callback;
  void* data;
};

void CL_CALLBACK OnMemory(cl_mem object, void* data) {
  const std::unique_ptr<WrappedMemory> wrapped(static_cast<WrappedMemory*>(data));
  const client::CallbackScope scope;
  wrapped->callback(object, wrapped->data);
}

cl_int CL_API_CALL SetMemObjectDestructorCallback(cl_mem object, MemoryCallback callback,
                                                  void* data) noexcept {
  auto* wrapped = callback != nullptr ? new (std::nothrow) WrappedMemory{callback, data} : nullptr;
  if (wrapped == nullptr) return next.clSetMemObjectDestructorCallback(object, callback, data);
  const cl_int status = next.clSetMemObjectDestructorCallback(object, OnMemory, wrapped);
  if (status != CL_SUCCESS) delete wrapped;
  return status;
}

}  // namespace

void InstallWaits(cl_icd_dispatch* table) {
  table->clFinish = Finish;
  table->clWaitForEvents = WaitForEvents;
  table->clGetEventInfo = GetEventInfo;
  table->clGetEventProfilingInfo = GetEventProfilingInfo;
  table->clSetEventCallback = SetEventCallback;
  table->clSetMemObjectDestructorCallback = SetMemObjectDestructorCallback;
}

}  // namespace mortar::opencl
