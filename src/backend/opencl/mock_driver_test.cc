#include "backend/opencl/mock_driver.h"

#include <CL/cl_ext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "backend/opencl/mock_recorded.h"
#include "base/clock.h"

namespace mortar::opencl {
namespace {

template <typename T>
cl_int Answer(const T& answer, std::size_t room, void* out, std::size_t* out_size) {
  if (out != nullptr && room < sizeof answer) return CL_INVALID_VALUE;
  if (out != nullptr) std::memcpy(out, &answer, sizeof answer);
  if (out_size != nullptr) *out_size = sizeof answer;
  return CL_SUCCESS;
}

cl_int AnswerText(const char* text, std::size_t room, void* out, std::size_t* out_size) {
  const std::size_t size = std::strlen(text) + 1;
  if (out != nullptr && room < size) return CL_INVALID_VALUE;
  if (out != nullptr) std::memcpy(out, text, size);
  if (out_size != nullptr) *out_size = size;
  return CL_SUCCESS;
}

cl_int CL_API_CALL GetPlatformIDs(cl_uint, cl_platform_id*, cl_uint* count) {
  if (count != nullptr) *count = 1;
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetPlatformInfo(cl_platform_id, cl_platform_info, std::size_t room, void* out,
                                   std::size_t* out_size) {
  return AnswerText("Mock", room, out, out_size);
}
cl_int CL_API_CALL GetDeviceIDs(cl_platform_id, cl_device_type, cl_uint room, cl_device_id* out,
                                cl_uint* count) {
  MockDriver& mock = MockDriver::Get();
  if (out != nullptr && room > 0) out[0] = mock.device();
  if (out != nullptr && room > 1) out[1] = mock.second_device();
  if (count != nullptr) *count = 2;
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetDeviceInfo(cl_device_id device, cl_device_info what, std::size_t room, void* out,
                                 std::size_t* out_size) {
  if (what == CL_DEVICE_NAME) return AnswerText("device", room, out, out_size);
  if (what == CL_DEVICE_PLATFORM) return Answer(cl_platform_id{}, room, out, out_size);
  if (what == CL_DEVICE_PARENT_DEVICE) {
    MockDriver& mock = MockDriver::Get();
    cl_device_id parent = device == mock.sub_device() ? mock.device() : nullptr;
    return Answer(parent, room, out, out_size);
  }
  return CL_INVALID_VALUE;
}

cl_int CL_API_CALL GetContextInfo(cl_context, cl_context_info what, std::size_t room, void* out,
                                  std::size_t* out_size) {
  if (what != CL_CONTEXT_DEVICES) return CL_INVALID_VALUE;
  return Answer(MockDriver::Get().device(), room, out, out_size);
}

cl_command_queue MakeQueue(cl_command_queue_properties properties, cl_int* error) {
  const cl_int refused = MockDriver::Get().refuse_profiling.load();
  const bool refuse = (properties & CL_QUEUE_PROFILING_ENABLE) != 0 && refused != CL_SUCCESS;
  if (error != nullptr) *error = refuse ? refused : CL_SUCCESS;
  if (refuse) return nullptr;
  auto* queue = new _cl_command_queue;
  queue->properties = properties;
  return queue;
}
cl_command_queue CL_API_CALL CreateQueue(cl_context context, cl_device_id device,
                                         cl_command_queue_properties properties, cl_int* error) {
  MockDriver::Get().Record("clCreateCommandQueue", context, device, properties);
  return MakeQueue(properties, error);
}
cl_command_queue CL_API_CALL CreateQueueWith(cl_context context, cl_device_id device,
                                             const cl_queue_properties* list, cl_int* error) {
  cl_command_queue_properties properties = 0;
  for (const auto* p = list; p != nullptr && *p != 0; p += 2) {
    if (*p == CL_QUEUE_PROPERTIES) properties = p[1];
  }
  MockDriver::Get().Record("clCreateCommandQueueWithProperties", context, device, properties);
  return MakeQueue(properties, error);
}
cl_int CL_API_CALL GetQueueInfo(cl_command_queue queue, cl_command_queue_info what, std::size_t room,
                                void* out, std::size_t* out_size) {
  MockDriver& mock = MockDriver::Get();
  if (queue == nullptr) return CL_INVALID_COMMAND_QUEUE;
  if (what == CL_QUEUE_DEVICE) return Answer(mock.device(), room, out, out_size);
  if (what == CL_QUEUE_PROPERTIES) return Answer(queue->properties, room, out, out_size);
  if (what != CL_QUEUE_PROPERTIES_ARRAY || !mock.has_properties_array.load()) return CL_INVALID_VALUE;
  const cl_queue_properties as_made[] = {CL_QUEUE_PROPERTIES, queue->properties, 0};
  return Answer(as_made, room, out, out_size);
}

cl_int CL_API_CALL SetQueueProperty(cl_command_queue queue, cl_command_queue_properties properties,
                                    cl_bool enable, cl_command_queue_properties* old) {
  if (old != nullptr) *old = queue->properties;
  queue->properties = enable != CL_FALSE ? queue->properties | properties : queue->properties & ~properties;
  return MockDriver::Get().answer.load();
}

cl_kernel CL_API_CALL CreateKernel(cl_program, const char* name, cl_int* error) {
  if (error != nullptr) *error = CL_SUCCESS;
  return MockDriver::Get().MakeKernel(name);
}
cl_int CL_API_CALL CreateKernels(cl_program, cl_uint room, cl_kernel* out, cl_uint* count) {
  if (out != nullptr && room < 2) return CL_INVALID_VALUE;
  if (out != nullptr) {
    out[0] = MockDriver::Get().MakeKernel("first");
    out[1] = MockDriver::Get().MakeKernel("second");
  }
  if (count != nullptr) *count = 2;
  return CL_SUCCESS;
}
cl_kernel CL_API_CALL CloneKernel(cl_kernel kernel, cl_int* error) {
  if (error != nullptr) *error = CL_SUCCESS;
  return MockDriver::Get().MakeKernel(kernel->name.c_str());
}
cl_int CL_API_CALL GetKernelInfo(cl_kernel kernel, cl_kernel_info, std::size_t room, void* out,
                                 std::size_t* out_size) {
  return AnswerText(kernel->name.c_str(), room, out, out_size);
}

cl_event CL_API_CALL CreateUserEvent(cl_context, cl_int* error) {
  if (error != nullptr) *error = CL_SUCCESS;
  return MockDriver::Get().MakeUserEvent();
}
cl_int CL_API_CALL SetUserEventStatus(cl_event event, cl_int status) {
  MockDriver::Get().CompleteUserEvent(event, status);
  return CL_SUCCESS;
}
cl_int CL_API_CALL RetainEvent(cl_event event) {
  event->references.fetch_add(1);
  MockDriver::Get().alive.fetch_add(1);
  return CL_SUCCESS;
}
cl_int CL_API_CALL ReleaseEvent(cl_event event) {
  MockDriver::Release(event);
  return CL_SUCCESS;
}
cl_int CL_API_CALL GetEventInfo(cl_event event, cl_event_info what, std::size_t room, void* out,
                                std::size_t* out_size) {
  if (event == nullptr) return CL_INVALID_EVENT;
  if (what == CL_EVENT_COMMAND_QUEUE) return Answer(event->queue, room, out, out_size);
  if (what == CL_EVENT_REFERENCE_COUNT) {
    return Answer(static_cast<cl_uint>(event->references.load()), room, out, out_size);
  }
  if (what != CL_EVENT_COMMAND_EXECUTION_STATUS) return CL_INVALID_VALUE;
  const cl_int status = MockDriver::Get().IsComplete(event) ? CL_COMPLETE : CL_SUBMITTED;
  return Answer(event->user ? event->status.load() : status, room, out, out_size);
}
cl_int CL_API_CALL GetProfilingInfo(cl_event event, cl_profiling_info what, std::size_t room, void* out,
                                    std::size_t* out_size) {
  MockDriver& mock = MockDriver::Get();
  const bool profiled =
      event->queue != nullptr && (event->queue->properties & CL_QUEUE_PROFILING_ENABLE) != 0;
  if (!profiled || !mock.IsComplete(event)) return CL_PROFILING_INFO_NOT_AVAILABLE;
  const std::int64_t start = event->end_ns - event->duration_ns;
  if (what == CL_PROFILING_COMMAND_QUEUED)
    return Answer(static_cast<cl_ulong>(event->queued_ns), room, out, out_size);
  if (what == CL_PROFILING_COMMAND_START) return Answer(static_cast<cl_ulong>(start), room, out, out_size);
  return Answer(static_cast<cl_ulong>(event->end_ns), room, out, out_size);
}
cl_int CL_API_CALL SetEventCallback(cl_event event, cl_int type,
                                    void(CL_CALLBACK* function)(cl_event, cl_int, void*), void* data) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clSetEventCallback", event, type, function, data);
  if (mock.answer.load() != CL_SUCCESS || function == nullptr) return mock.answer.load();
  event->callback_data = data;
  event->callback = function;
  mock.RunCallbacks();
  return CL_SUCCESS;
}
cl_int CL_API_CALL SetDestructorCallback(cl_mem object, void(CL_CALLBACK* function)(cl_mem, void*),
                                         void* data) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clSetMemObjectDestructorCallback", object, function, data);
  if (mock.answer.load() == CL_SUCCESS && function != nullptr) function(object, data);
  return mock.answer.load();
}

cl_int CL_API_CALL WaitForEvents(cl_uint count, const cl_event* list) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clWaitForEvents", count, list);
  for (cl_uint i = 0; list != nullptr && i < count; ++i) {
    while (list[i] != nullptr && !mock.IsComplete(list[i])) usleep(50);
  }
  return mock.answer.load();
}
cl_int CL_API_CALL Finish(cl_command_queue queue) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clFinish", queue);
  while (queue != nullptr && queue->last != nullptr && !mock.IsComplete(queue->last)) usleep(50);
  return mock.answer.load();
}
cl_int CL_API_CALL Flush(cl_command_queue) {
  MockDriver::Get().flushes.fetch_add(1);
  return CL_SUCCESS;
}

void* CL_API_CALL MapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags,
                            std::size_t offset, std::size_t size, cl_uint count, const cl_event* list,
                            cl_event* event, cl_int* error) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clEnqueueMapBuffer", queue, buffer, blocking, flags, offset, size, count, list, event);
  const cl_int status = mock.Enqueue(queue, count, list, event);
  if (error != nullptr) *error = status;
  return status == CL_SUCCESS ? &mock : nullptr;
}

void* CL_API_CALL MapImage(cl_command_queue queue, cl_mem image, cl_bool blocking, cl_map_flags flags,
                           const std::size_t* origin, const std::size_t* region, std::size_t* row,
                           std::size_t* slice, cl_uint count, const cl_event* list, cl_event* event,
                           cl_int* error) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clEnqueueMapImage", queue, image, blocking, flags, origin, region, row, slice, count, list,
              event);
  const cl_int status = mock.Enqueue(queue, count, list, event);
  if (error != nullptr) *error = status;
  return status == CL_SUCCESS ? &mock : nullptr;
}

cl_int CL_API_CALL Marker(cl_command_queue queue, cl_event* event) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clEnqueueMarker", queue, event);
  return mock.Enqueue(queue, 0, nullptr, event);
}

cl_int CL_API_CALL LaunchRange(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                               const std::size_t* offset, const std::size_t* global, const std::size_t* local,
                               cl_uint count, const cl_event* list, cl_event* event) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clEnqueueNDRangeKernel", queue, kernel, dimensions, offset, global, local, count, list, event);
  MockRange range;
  range.dimensions = std::min(dimensions, 3U);
  range.has_local = local != nullptr;
  range.waits = count;
  range.has_event = event != nullptr;
  for (cl_uint i = 0; i < range.dimensions; ++i) {
    if (offset != nullptr) range.offset[i] = offset[i];
    if (global != nullptr) range.global[i] = global[i];
    if (local != nullptr) range.local[i] = local[i];
  }
  return mock.EnqueueRange(queue, range, list, event);
}

// Both run the program's function at once.
cl_int CL_API_CALL NativeKernel(cl_command_queue queue, void(CL_CALLBACK* function)(void*), void* arguments,
                                std::size_t size, cl_uint objects, const cl_mem* list, const void** places,
                                cl_uint count, const cl_event* waits, cl_event* event) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clEnqueueNativeKernel", queue, function, arguments, size, objects, list, places, count, waits,
              event);
  const cl_int status = mock.Enqueue(queue, count, waits, event);
  if (status != CL_SUCCESS || function == nullptr) return status;
  for (cl_uint i = 0; i < objects; ++i) {
    std::memcpy(const_cast<void*>(places[i]), &list[i], sizeof list[i]);
  }
  function(arguments);
  return status;
}
cl_int CL_API_CALL SvmFree(cl_command_queue queue, cl_uint pointers, void** list,
                           void(CL_CALLBACK* function)(cl_command_queue, cl_uint, void**, void*), void* data,
                           cl_uint count, const cl_event* waits, cl_event* event) {
  MockDriver& mock = MockDriver::Get();
  mock.Record("clEnqueueSVMFree", queue, pointers, list, function, data, count, waits, event);
  const cl_int status = mock.Enqueue(queue, count, waits, event);
  if (status == CL_SUCCESS && function != nullptr) function(queue, pointers, list, data);
  return status;
}

void* CL_API_CALL ExtensionFunction(const char* name) {
  if (std::strcmp(name, "clCreateCommandQueueWithPropertiesKHR") == 0)
    return reinterpret_cast<void*>(&CreateQueueWith);
  if (std::strcmp(name, "clKnownToTheDriver") == 0) return reinterpret_cast<void*>(&Flush);
  return MockExtension(name);
}
void* CL_API_CALL ExtensionFunctionFor(cl_platform_id, const char* name) { return ExtensionFunction(name); }

// Any function that no test expects: a call through it must not come from the layer.
void Unexpected() { std::abort(); }

}  // namespace

MockDriver& MockDriver::Get() {
  static auto* mock = new MockDriver;
  return *mock;
}

#define MORTAR_MOCK_SUBMIT(name) dispatch_.name = Recorded<#name, decltype(dispatch_.name)>::Submit
#define MORTAR_MOCK_CALL(name) dispatch_.name = Recorded<#name, decltype(dispatch_.name)>::Call

MockDriver::MockDriver() {
  auto* words = reinterpret_cast<void (**)()>(&dispatch_);
  std::fill_n(words, kTableSize, &Unexpected);
  MORTAR_MOCK_SUBMIT(clEnqueueTask);
  MORTAR_MOCK_SUBMIT(clEnqueueReadBufferRect);
  MORTAR_MOCK_SUBMIT(clEnqueueWriteBufferRect);
  MORTAR_MOCK_SUBMIT(clEnqueueCopyBufferRect);
  MORTAR_MOCK_SUBMIT(clEnqueueFillBuffer);
  MORTAR_MOCK_SUBMIT(clEnqueueUnmapMemObject);
  MORTAR_MOCK_SUBMIT(clEnqueueReadImage);
  MORTAR_MOCK_SUBMIT(clEnqueueWriteImage);
  MORTAR_MOCK_SUBMIT(clEnqueueCopyImage);
  MORTAR_MOCK_SUBMIT(clEnqueueCopyImageToBuffer);
  MORTAR_MOCK_SUBMIT(clEnqueueCopyBufferToImage);
  MORTAR_MOCK_SUBMIT(clEnqueueFillImage);
  MORTAR_MOCK_SUBMIT(clEnqueueMigrateMemObjects);
  MORTAR_MOCK_SUBMIT(clEnqueueSVMMemcpy);
  MORTAR_MOCK_SUBMIT(clEnqueueSVMMemFill);
  MORTAR_MOCK_SUBMIT(clEnqueueSVMMap);
  MORTAR_MOCK_SUBMIT(clEnqueueSVMUnmap);
  MORTAR_MOCK_SUBMIT(clEnqueueSVMMigrateMem);
  MORTAR_MOCK_SUBMIT(clEnqueueAcquireGLObjects);
  MORTAR_MOCK_SUBMIT(clEnqueueReleaseGLObjects);
  MORTAR_MOCK_SUBMIT(clEnqueueAcquireEGLObjectsKHR);
  MORTAR_MOCK_SUBMIT(clEnqueueReleaseEGLObjectsKHR);
  MORTAR_MOCK_SUBMIT(clEnqueueMarkerWithWaitList);
  MORTAR_MOCK_SUBMIT(clEnqueueBarrierWithWaitList);
  MORTAR_MOCK_CALL(clSetKernelArg);
  MORTAR_MOCK_CALL(clEnqueueBarrier);
  MORTAR_MOCK_CALL(clEnqueueWaitForEvents);
  dispatch_.clEnqueueNDRangeKernel = LaunchRange;
  InstallMockPrograms(&dispatch_);
  InstallMockCopies(&dispatch_);
  dispatch_.clEnqueueMapBuffer = MapBuffer;
  dispatch_.clEnqueueMapImage = MapImage;
  dispatch_.clEnqueueMarker = Marker;
  dispatch_.clEnqueueNativeKernel = NativeKernel;
  dispatch_.clEnqueueSVMFree = SvmFree;
  dispatch_.clGetContextInfo = GetContextInfo;
  dispatch_.clSetCommandQueueProperty = SetQueueProperty;
  dispatch_.clGetPlatformIDs = GetPlatformIDs;
  dispatch_.clGetPlatformInfo = GetPlatformInfo;
  dispatch_.clGetDeviceIDs = GetDeviceIDs;
  dispatch_.clGetDeviceInfo = GetDeviceInfo;
  dispatch_.clCreateCommandQueue = CreateQueue;
  dispatch_.clCreateCommandQueueWithProperties = CreateQueueWith;
  dispatch_.clGetCommandQueueInfo = GetQueueInfo;
  dispatch_.clCreateKernel = CreateKernel;
  dispatch_.clCreateKernelsInProgram = CreateKernels;
  dispatch_.clCloneKernel = CloneKernel;
  dispatch_.clGetKernelInfo = GetKernelInfo;
  dispatch_.clCreateUserEvent = CreateUserEvent;
  dispatch_.clSetUserEventStatus = SetUserEventStatus;
  dispatch_.clRetainEvent = RetainEvent;
  dispatch_.clReleaseEvent = ReleaseEvent;
  dispatch_.clGetEventInfo = GetEventInfo;
  dispatch_.clGetEventProfilingInfo = GetProfilingInfo;
  dispatch_.clSetEventCallback = SetEventCallback;
  dispatch_.clSetMemObjectDestructorCallback = SetDestructorCallback;
  dispatch_.clWaitForEvents = WaitForEvents;
  dispatch_.clFinish = Finish;
  dispatch_.clFlush = Flush;
  dispatch_.clGetExtensionFunctionAddress = ExtensionFunction;
  dispatch_.clGetExtensionFunctionAddressForPlatform = ExtensionFunctionFor;
}

void MockDriver::Clear() {
  recorded_.store(0);
  flushes.store(0);
  enqueues.store(0);
  answer.store(CL_SUCCESS);
  refuse_profiling.store(CL_SUCCESS);
  has_properties_array.store(true);
  duration_ns.store(0);
  ns_per_item.store(0);
  kernels_left.store(-1);
  ns_per_kib.store(0);
  copies_left.store(-1);
  parent.store(nullptr);
  ranges_made_.store(0);
}

cl_event MockDriver::NewEvent() {
  // Slots come round again after kEvents: long after a test has let go of them.
  _cl_event& event = events_[events_made_.fetch_add(1) % kEvents];
  event.references.store(1);
  event.status.store(CL_QUEUED);
  event.user = false;
  event.queue = nullptr;
  event.waits = {};
  event.callback = nullptr;
  alive.fetch_add(1);
  return &event;
}

cl_event MockDriver::MakeUserEvent() {
  cl_event event = NewEvent();
  event->user = true;
  event->status.store(CL_SUBMITTED);
  return event;
}

void MockDriver::Release(cl_event event) {
  event->references.fetch_sub(1);
  Get().alive.fetch_sub(1);
}

cl_int MockDriver::EnqueueRange(cl_command_queue queue, const MockRange& range, const cl_event* list,
                                cl_event* event) {
  ranges_[ranges_made_.fetch_add(1) % kCalls] = range;
  std::int64_t length = ns_per_item.load();
  for (cl_uint i = 0; i < range.dimensions; ++i) length *= static_cast<std::int64_t>(range.global[i]);
  if (length == 0) length = duration_ns.load();
  if (kernels_left.load() == 0) return CL_OUT_OF_RESOURCES;
  if (kernels_left.load() > 0) kernels_left.fetch_sub(1);
  return Enqueue(queue, range.waits, list, event, length);
}

cl_int MockDriver::Enqueue(cl_command_queue queue, cl_uint count, const cl_event* list, cl_event* event,
                           std::int64_t length) {
  enqueues.fetch_add(1);
  if (const cl_int refused = answer.load(); refused != CL_SUCCESS) return refused;
  // Nobody could see this command's time.
  if (event == nullptr && length == 0 && count == 0) return CL_SUCCESS;
  const std::lock_guard lock(mutex_);
  cl_event made = NewEvent();
  made->queue = queue;
  made->queued_ns = base::MonotonicNs();
  device_free_ns_ = std::max(device_free_ns_, made->queued_ns) + length;
  made->end_ns = device_free_ns_;
  made->duration_ns = length;
  for (cl_uint i = 0; list != nullptr && i < std::min(count, 3U); ++i) made->waits[i] = list[i];
  const bool ordered = queue != nullptr && (queue->properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0;
  if (ordered && queue->last != nullptr && !IsComplete(queue->last)) made->waits[3] = queue->last;
  if (queue != nullptr) queue->last = made;
  if (event != nullptr) {
    *event = made;
  } else {
    Release(made);
  }
  return CL_SUCCESS;
}

bool MockDriver::IsComplete(cl_event event) {
  if (event->user) return event->status.load() <= CL_COMPLETE;
  if (event->status.load() == CL_COMPLETE) return true;
  for (cl_event wait : event->waits) {
    if (wait != nullptr && !IsComplete(wait)) return false;
  }
  if (event->duration_ns > 0 && base::MonotonicNs() < event->end_ns) return false;
  event->status.store(CL_COMPLETE);
  return true;
}

void MockDriver::CompleteUserEvent(cl_event event, cl_int status) {
  event->status.store(status);
  RunCallbacks();
}

void MockDriver::RunCallbacks() {
  const std::size_t made = std::min(events_made_.load(), kEvents);
  for (std::size_t i = 0; i < made; ++i) {
    _cl_event& event = events_[i];
    if (event.callback == nullptr || !IsComplete(&event)) continue;
    const auto callback = event.callback;
    event.callback = nullptr;
    callback(&event, CL_COMPLETE, event.callback_data);
  }
}

cl_kernel MockDriver::MakeKernel(const char* name) {
  cl_kernel kernel = reuse_kernel_.exchange(nullptr);
  if (kernel == nullptr) kernel = new _cl_kernel;
  kernel->name = name;
  return kernel;
}

}  // namespace mortar::opencl
