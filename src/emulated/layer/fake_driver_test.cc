#include "emulated/layer/fake_driver.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace mortar::emulated {
namespace {

FakeDriver* current_fake = nullptr;

// Any enqueue of OpenCL: the queue comes first; wait list and event come last.
template <typename Function>
struct AnyEnqueue;
template <typename... Arguments>
struct AnyEnqueue<cl_int(CL_API_CALL*)(Arguments...)> {
  static cl_int CL_API_CALL Call(Arguments... arguments) {
    constexpr std::size_t kCount = sizeof...(Arguments);
    const auto all = std::tie(arguments...);
    return Fake().Enqueue(std::get<0>(all), std::get<kCount - 3>(all), std::get<kCount - 2>(all),
                          std::get<kCount - 1>(all));
  }
};
// The maps: they return a pointer, and the error behind the event.
template <typename... Arguments>
struct AnyEnqueue<void*(CL_API_CALL*)(Arguments...)> {
  static void* CL_API_CALL Call(Arguments... arguments) {
    constexpr std::size_t kCount = sizeof...(Arguments);
    const auto all = std::tie(arguments...);
    static int mapped;
    const cl_int status = Fake().Enqueue(std::get<0>(all), std::get<kCount - 4>(all),
                                         std::get<kCount - 3>(all), std::get<kCount - 2>(all));
    *std::get<kCount - 1>(all) = status;
    return status == CL_SUCCESS ? &mapped : nullptr;
  }
};

template <typename T>
cl_int Answer(const T& answer, std::size_t size, void* value, std::size_t* size_ret) {
  if (value != nullptr && size < sizeof answer) return CL_INVALID_VALUE;
  if (value != nullptr) std::memcpy(value, &answer, sizeof answer);
  if (size_ret != nullptr) *size_ret = sizeof answer;
  return CL_SUCCESS;
}

cl_device_id TheDevice() { return reinterpret_cast<cl_device_id>(&current_fake); }
cl_platform_id ThePlatform() { return reinterpret_cast<cl_platform_id>(&current_fake); }

cl_int CL_API_CALL GetPlatformIDs(cl_uint, cl_platform_id* platforms, cl_uint* count) {
  *platforms = ThePlatform();
  *count = 1;
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetDeviceIDs(cl_platform_id, cl_device_type, cl_uint, cl_device_id* devices,
                                cl_uint* count) {
  *devices = TheDevice();
  *count = 1;
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetDeviceInfo(cl_device_id, cl_device_info name, std::size_t size, void* value,
                                 std::size_t* size_ret) {
  if (name == CL_DEVICE_PLATFORM) return Answer(ThePlatform(), size, value, size_ret);
  if (name == CL_DEVICE_PARENT_DEVICE) return Answer(cl_device_id{}, size, value, size_ret);
  return CL_INVALID_VALUE;
}
cl_int CL_API_CALL GetQueueInfo(cl_command_queue queue, cl_command_queue_info name, std::size_t size,
                                void* value, std::size_t* size_ret) {
  if (name == CL_QUEUE_DEVICE) return Answer(TheDevice(), size, value, size_ret);
  return Answer(queue->properties, size, value, size_ret);
}
cl_int CL_API_CALL RetainQueue(cl_command_queue queue) {
  ++queue->references;
  return CL_SUCCESS;
}
cl_int CL_API_CALL ReleaseQueue(cl_command_queue queue) {
  --queue->references;
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetKernelInfo(cl_kernel kernel, cl_kernel_info, std::size_t, void* value,
                                 std::size_t* size_ret) {
  std::memcpy(value, kernel->name.c_str(), kernel->name.size() + 1);
  *size_ret = kernel->name.size() + 1;
  return CL_SUCCESS;
}
cl_int CL_API_CALL ReleaseKernel(cl_kernel) { return CL_SUCCESS; }

cl_event CL_API_CALL CreateUserEvent(cl_context, cl_int*) {
  auto* event = new _cl_event;
  event->user = true;
  event->status = CL_SUBMITTED;
  Fake().made.push_back(event);
  ++Fake().alive;
  return event;
}
cl_int CL_API_CALL SetUserEventStatus(cl_event event, cl_int status) {
  if (event->status <= 0) return CL_INVALID_OPERATION;
  if (status > 0) return CL_INVALID_VALUE;
  event->status = status;
  Fake().Propagate();
  return CL_SUCCESS;
}
cl_int CL_API_CALL RetainEvent(cl_event event) {
  ++event->references;
  return CL_SUCCESS;
}
cl_int CL_API_CALL ReleaseEvent(cl_event event) {
  Fake().Release(event);
  return CL_SUCCESS;
}
cl_int CL_API_CALL SetEventCallback(cl_event event, cl_int type,
                                    void(CL_CALLBACK* function)(cl_event, cl_int, void*), void* user_data) {
  if (function == nullptr) return CL_INVALID_VALUE;
  event->callbacks.push_back({type, function, user_data});
  Fake().Propagate();
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetEventInfo(cl_event event, cl_event_info name, std::size_t size, void* value,
                                std::size_t* size_ret) {
  if (name == CL_EVENT_COMMAND_EXECUTION_STATUS) return Answer(event->status, size, value, size_ret);
  if (name == CL_EVENT_REFERENCE_COUNT) return Answer(event->references, size, value, size_ret);
  return CL_INVALID_VALUE;
}
cl_int CL_API_CALL GetProfiling(cl_event event, cl_profiling_info name, std::size_t size, void* value,
                                std::size_t* size_ret) {
  const bool has_profiling =
      event->queue != nullptr && (event->queue->properties & CL_QUEUE_PROFILING_ENABLE) != 0;
  if (!has_profiling || event->status != CL_COMPLETE) return CL_PROFILING_INFO_NOT_AVAILABLE;
  if (name < CL_PROFILING_COMMAND_QUEUED || name > CL_PROFILING_COMMAND_COMPLETE) return CL_INVALID_VALUE;
  return Answer(cl_ulong{77}, size, value, size_ret);
}
cl_int CL_API_CALL WaitForEvents(cl_uint count, const cl_event* list) {
  if (count == 0 || list == nullptr) return CL_INVALID_VALUE;
  ++Fake().waited;
  for (cl_uint i = 0; i < count; ++i) {
    if (list[i]->status < 0) return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
  }
  return CL_SUCCESS;
}
cl_int CL_API_CALL Finish(cl_command_queue queue) {
  ++Fake().waited;
  return queue == nullptr ? CL_INVALID_COMMAND_QUEUE : CL_SUCCESS;
}
cl_int CL_API_CALL EnqueueMarker(cl_command_queue queue, cl_event* event) {
  return event == nullptr ? CL_INVALID_VALUE : Fake().Enqueue(queue, 0, nullptr, event);
}
cl_int CL_API_CALL EnqueueBarrier(cl_command_queue queue) {
  return Fake().Enqueue(queue, 0, nullptr, nullptr);
}
cl_int CL_API_CALL EnqueueWaitForEvents(cl_command_queue queue, cl_uint count, const cl_event* list) {
  return Fake().Enqueue(queue, count, list, nullptr);
}

}  // namespace

FakeDriver& Fake() { return *current_fake; }

FakeDriver::FakeDriver() {
  current_fake = this;
#define MORTAR_FAKE(NAME) dispatch_.NAME = &AnyEnqueue<decltype(dispatch_.NAME)>::Call
  MORTAR_FAKE(clEnqueueNDRangeKernel);
  MORTAR_FAKE(clEnqueueTask);
  MORTAR_FAKE(clEnqueueNativeKernel);
  MORTAR_FAKE(clEnqueueMarkerWithWaitList);
  MORTAR_FAKE(clEnqueueBarrierWithWaitList);
  MORTAR_FAKE(clEnqueueReadBuffer);
  MORTAR_FAKE(clEnqueueWriteBuffer);
  MORTAR_FAKE(clEnqueueReadBufferRect);
  MORTAR_FAKE(clEnqueueWriteBufferRect);
  MORTAR_FAKE(clEnqueueCopyBuffer);
  MORTAR_FAKE(clEnqueueCopyBufferRect);
  MORTAR_FAKE(clEnqueueFillBuffer);
  MORTAR_FAKE(clEnqueueMapBuffer);
  MORTAR_FAKE(clEnqueueUnmapMemObject);
  MORTAR_FAKE(clEnqueueMigrateMemObjects);
  MORTAR_FAKE(clEnqueueReadImage);
  MORTAR_FAKE(clEnqueueWriteImage);
  MORTAR_FAKE(clEnqueueCopyImage);
  MORTAR_FAKE(clEnqueueCopyImageToBuffer);
  MORTAR_FAKE(clEnqueueCopyBufferToImage);
  MORTAR_FAKE(clEnqueueFillImage);
  MORTAR_FAKE(clEnqueueMapImage);
  MORTAR_FAKE(clEnqueueSVMFree);
  MORTAR_FAKE(clEnqueueSVMMemcpy);
  MORTAR_FAKE(clEnqueueSVMMemFill);
  MORTAR_FAKE(clEnqueueSVMMap);
  MORTAR_FAKE(clEnqueueSVMUnmap);
  MORTAR_FAKE(clEnqueueSVMMigrateMem);
#undef MORTAR_FAKE
  dispatch_.clGetPlatformIDs = GetPlatformIDs;
  dispatch_.clGetDeviceIDs = GetDeviceIDs;
  dispatch_.clGetDeviceInfo = GetDeviceInfo;
  dispatch_.clGetCommandQueueInfo = GetQueueInfo;
  dispatch_.clRetainCommandQueue = RetainQueue;
  dispatch_.clReleaseCommandQueue = ReleaseQueue;
  dispatch_.clGetKernelInfo = GetKernelInfo;
  dispatch_.clReleaseKernel = ReleaseKernel;
  dispatch_.clCreateUserEvent = CreateUserEvent;
  dispatch_.clSetUserEventStatus = SetUserEventStatus;
  dispatch_.clRetainEvent = RetainEvent;
  dispatch_.clReleaseEvent = ReleaseEvent;
  dispatch_.clSetEventCallback = SetEventCallback;
  dispatch_.clGetEventInfo = GetEventInfo;
  dispatch_.clGetEventProfilingInfo = GetProfiling;
  dispatch_.clWaitForEvents = WaitForEvents;
  dispatch_.clFinish = Finish;
  dispatch_.clEnqueueMarker = EnqueueMarker;
  dispatch_.clEnqueueBarrier = EnqueueBarrier;
  dispatch_.clEnqueueWaitForEvents = EnqueueWaitForEvents;
}

FakeDriver::~FakeDriver() {
  for (cl_event event : made) delete event;
  current_fake = nullptr;
}

cl_int FakeDriver::Enqueue(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event* event) {
  ++enqueued;
  if (queue == nullptr) return CL_INVALID_COMMAND_QUEUE;
  if ((count == 0) != (list == nullptr)) return CL_INVALID_EVENT_WAIT_LIST;
  if (refuse != CL_SUCCESS) return refuse;
  auto* command = new _cl_event;
  made.push_back(command);
  ++alive;
  command->queue = queue;
  command->status = CL_SUBMITTED;
  command->waits.assign(list, list + count);
  const bool in_order = (queue->properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0;
  if (in_order && queue->last != nullptr) command->waits.push_back(queue->last);
  queue->last = command;
  if (event != nullptr) {
    ++command->references;
    *event = command;
  }
  Propagate();
  return CL_SUCCESS;
}

bool FakeDriver::IsReady(const _cl_event& event) const {
  return std::all_of(event.waits.begin(), event.waits.end(), [](cl_event wait) { return wait->status <= 0; });
}

// Completes what has nothing to wait for, in order of making, and calls the callbacks that are due.
void FakeDriver::Propagate() {
  for (std::size_t i = 0; i < made.size(); ++i) {
    cl_event event = made[i];
    const bool was_open = event->status > 0;
    if (was_open && !event->user && IsReady(*event)) {
      const bool failed = std::any_of(event->waits.begin(), event->waits.end(),
                                      [](cl_event wait) { return wait->status < 0; });
      event->status = failed ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : CL_COMPLETE;
    }
    if (event->status > 0) continue;
    const auto due = std::move(event->callbacks);
    event->callbacks.clear();
    for (const FakeCallback& callback : due) {
      callback.function(event, event->status < 0 ? event->status : callback.type, callback.user_data);
    }
    if (was_open && !event->user) Release(event);  // the driver's own reference while it runs
  }
}

void FakeDriver::Release(cl_event event) {
  if (--event->references == 0) --alive;
}

}  // namespace mortar::emulated
