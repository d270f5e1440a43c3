// Kernels, markers and barriers.
#include <CL/cl.h>

#include <algorithm>

#include "emulated/layer/functions.h"
#include "emulated/layer/submit.h"

namespace mortar::emulated {
namespace {

constexpr char kNativeKernel[] = "native";  // what the table calls a host function

void Learn(cl_kernel kernel) {
  State& state = Current();
  char name[1024];
  std::size_t size = 0;
  if (state.driver.clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, &size) != CL_SUCCESS)
    return;
  state.kernels.Learn(kernel, {name, std::min(size, sizeof name) - (size > 0 ? 1 : 0)});
}

// An invalid kernel has no length: the driver will refuse it.
Work KernelWork(cl_kernel kernel, std::uint64_t items) {
  State& state = Current();
  std::int64_t length_ns = state.kernels.NextNs(kernel, items);
  if (length_ns < 0 && kernel != nullptr) {
    Learn(kernel);
    length_ns = state.kernels.NextNs(kernel, items);
  }
  return {Kind::kDevice, std::max<std::int64_t>(length_ns, 0), state.table.launch_latency_ns};
}

std::uint64_t WorkItems(cl_uint dimensions, const std::size_t* sizes) {
  if (dimensions < 1 || dimensions > 3 || sizes == nullptr) return 0;
  std::uint64_t items = 1;
  for (cl_uint d = 0; d < dimensions; ++d) {
    if (__builtin_mul_overflow(items, sizes[d], &items)) return 0;
  }
  return items;
}

cl_int CL_API_CALL clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                          const std::size_t* offset, const std::size_t* global,
                                          const std::size_t* local, cl_uint count, const cl_event* list,
                                          cl_event* event) {
  Enqueue enqueue(queue, KernelWork(kernel, WorkItems(dimensions, global)), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global,
                                                                local, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueTask(cl_command_queue queue, cl_kernel kernel, cl_uint count,
                                 const cl_event* list, cl_event* event) {
  Enqueue enqueue(queue, KernelWork(kernel, 1), false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueTask(queue, kernel, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueNativeKernel(cl_command_queue queue, void(CL_CALLBACK* function)(void*),
                                         void* arguments, std::size_t size, cl_uint objects,
                                         const cl_mem* object_list, const void** locations, cl_uint count,
                                         const cl_event* list, cl_event* event) {
  const Table& table = Current().table;
  const Work work{Kind::kDevice, table.RuleFor(kNativeKernel).duration_ns, table.launch_latency_ns};
  Enqueue enqueue(queue, work, false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueNativeKernel(
      queue, function, arguments, size, objects, object_list, locations, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueMarker(cl_command_queue queue, cl_event* event) {
  Enqueue enqueue(queue, {Kind::kMarker}, false, {}, event);
  // Without an event to write to the call is an error, which it must remain.
  return enqueue.Finish(
      Current().driver.clEnqueueMarker(queue, event == nullptr ? nullptr : enqueue.event()));
}

cl_int CL_API_CALL clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint count, const cl_event* list,
                                               cl_event* event) {
  Enqueue enqueue(queue, {Kind::kMarker}, false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueMarkerWithWaitList(queue, count, list, enqueue.event()));
}

cl_int CL_API_CALL clEnqueueBarrierWithWaitList(cl_command_queue queue, cl_uint count, const cl_event* list,
                                                cl_event* event) {
  Enqueue enqueue(queue, {Kind::kBarrier}, false, {count, list}, event);
  return enqueue.Finish(Current().driver.clEnqueueBarrierWithWaitList(queue, count, list, enqueue.event()));
}

// The two calls of OpenCL 1.0 that make a barrier have no event that could tell when it is passed.
cl_int CL_API_CALL clEnqueueBarrier(cl_command_queue queue) {
  Enqueue enqueue(queue, {Kind::kBarrier}, false, {}, nullptr);
  return enqueue.FinishWithoutEvent(Current().driver.clEnqueueBarrier(queue));
}

cl_int CL_API_CALL clEnqueueWaitForEvents(cl_command_queue queue, cl_uint count, const cl_event* list) {
  Enqueue enqueue(queue, {Kind::kBarrier}, false, {count, list}, nullptr);
  return enqueue.FinishWithoutEvent(Current().driver.clEnqueueWaitForEvents(queue, count, list));
}

}  // namespace

void FillCommands(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch) {
  MORTAR_WRAP(clEnqueueNDRangeKernel);
  MORTAR_WRAP(clEnqueueTask);
  MORTAR_WRAP(clEnqueueNativeKernel);
  MORTAR_WRAP(clEnqueueMarker);
  MORTAR_WRAP(clEnqueueMarkerWithWaitList);
  MORTAR_WRAP(clEnqueueBarrierWithWaitList);
  MORTAR_WRAP(clEnqueueBarrier);
  MORTAR_WRAP(clEnqueueWaitForEvents);
}

}  // namespace mortar::emulated
