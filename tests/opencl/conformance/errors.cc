// Calls that must fail, and with what; queue properties. Left out is what crashes PoCL 3.1 itself: a null
// kernel, a kernel's wait list that is null but counted.
#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kInts = 64;
constexpr std::size_t kBytes = kInts * sizeof(int);

}  // namespace

void QueueProperties(const Host& host) {
  const cl_command_queue_properties all[] = {
      0, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, CL_QUEUE_PROFILING_ENABLE,
      CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE};
  for (const auto properties : all) {
    cl_command_queue queue = host.Queue(properties);
    Say("asked %lx, has %lx", static_cast<unsigned long>(properties),
        static_cast<unsigned long>(
            Ask<cl_command_queue_properties>(clGetCommandQueueInfo, queue, CL_QUEUE_PROPERTIES)));
    cl_queue_properties list[8] = {};
    std::size_t size = 0;
    SayError("array", clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, sizeof list, list, &size));
    for (std::size_t i = 0; i < size / sizeof list[0]; ++i)
      Say("array %zu: %lx", i, static_cast<unsigned long>(list[i]));
    Say("device is ours %d, context is ours %d, references %u",
        Ask<cl_device_id>(clGetCommandQueueInfo, queue, CL_QUEUE_DEVICE) == host.device,
        Ask<cl_context>(clGetCommandQueueInfo, queue, CL_QUEUE_CONTEXT) == host.context,
        Ask<cl_uint>(clGetCommandQueueInfo, queue, CL_QUEUE_REFERENCE_COUNT));
    clReleaseCommandQueue(queue);
  }
  cl_int error = CL_SUCCESS;
  cl_command_queue old = clCreateCommandQueue(host.context, host.device, 0, &error);
  SayError("old call", error);
  Say("old has %lx", static_cast<unsigned long>(
                         Ask<cl_command_queue_properties>(clGetCommandQueueInfo, old, CL_QUEUE_PROPERTIES)));
  cl_queue_properties list[8] = {};
  std::size_t size = 99;
  SayError("array of the old call",
           clGetCommandQueueInfo(old, CL_QUEUE_PROPERTIES_ARRAY, sizeof list, list, &size));
  Say("size %zu", size);
  clReleaseCommandQueue(old);
  cl_command_queue plain = clCreateCommandQueueWithProperties(host.context, host.device, nullptr, &error);
  SayError("no properties", error);
  Say("has %lx", static_cast<unsigned long>(
                     Ask<cl_command_queue_properties>(clGetCommandQueueInfo, plain, CL_QUEUE_PROPERTIES)));
  SayError("array of none",
           clGetCommandQueueInfo(plain, CL_QUEUE_PROPERTIES_ARRAY, sizeof list, list, &size));
  Say("size %zu", size);
  clReleaseCommandQueue(plain);
  const cl_queue_properties bad[] = {0x7777, 1, 0};
  Say("bad property gives a queue %d",
      clCreateCommandQueueWithProperties(host.context, host.device, bad, &error) != nullptr);
  SayError("bad property", error);
  const cl_queue_properties bad_value[] = {CL_QUEUE_PROPERTIES, 0x8000, 0};
  clCreateCommandQueueWithProperties(host.context, host.device, bad_value, &error);
  SayError("bad value", error);
  clCreateCommandQueueWithProperties(nullptr, host.device, nullptr, &error);
  SayError("no context", error);
  clCreateCommandQueueWithProperties(host.context, nullptr, nullptr, &error);
  SayError("no device", error);
  SayError("no queue", clGetCommandQueueInfo(nullptr, CL_QUEUE_PROPERTIES, 8, &size, nullptr));
}

void KernelErrors(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_kernel kernel = host.Kernel("add");
  cl_event event = nullptr;
  const auto launch = [&](cl_command_queue where, cl_kernel what, cl_uint dimensions,
                          const std::size_t* global, const std::size_t* local) {
    return clEnqueueNDRangeKernel(where, what, dimensions, nullptr, global, local, 0, nullptr, &event);
  };
  SayError("arguments not set", launch(queue, kernel, 1, &kInts, nullptr));
  Say("event given %d", event != nullptr);
  const int amount = 1;
  SayError("bad index", clSetKernelArg(kernel, 9, sizeof amount, &amount));
  SayError("bad size", clSetKernelArg(kernel, 1, 1, &amount));
  clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  SayError("one not set", launch(queue, kernel, 1, &kInts, nullptr));
  clSetKernelArg(kernel, 1, sizeof amount, &amount);
  SayError("no dimensions", launch(queue, kernel, 0, &kInts, nullptr));
  SayError("four dimensions", launch(queue, kernel, 4, &kInts, nullptr));
  const std::size_t huge = std::size_t{1} << 40;
  SayError("group too large", launch(queue, kernel, 1, &huge, &huge));
  const std::size_t uneven = 7;
  SayError("uneven group", launch(queue, kernel, 1, &kInts, &uneven));
  SayError("no queue", launch(nullptr, kernel, 1, &kInts, nullptr));
  Say("event given %d", event != nullptr);
  SayError("no queue for a task", clEnqueueTask(nullptr, kernel, 0, nullptr, nullptr));
  SayError("good after all", launch(queue, kernel, 1, &kInts, nullptr));
  SayError("wait", clWaitForEvents(1, &event));
  clReleaseEvent(event);
  cl_int error = CL_SUCCESS;
  clCreateKernel(host.program, "absent", &error);
  SayError("no such kernel", error);
  // A kernel of another context.
  cl_context other = clCreateContext(nullptr, 1, &host.device, nullptr, nullptr, &error);
  cl_command_queue foreign = clCreateCommandQueueWithProperties(other, host.device, nullptr, &error);
  SayError("foreign queue",
           clEnqueueNDRangeKernel(foreign, kernel, 1, nullptr, &kInts, nullptr, 0, nullptr, nullptr));
  Say("bad calls left %s", Contents(queue, buffer, kInts).c_str());
  clReleaseCommandQueue(foreign);
  clReleaseContext(other);
  clReleaseKernel(kernel);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void TransferErrors(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_mem other = host.Buffer(kInts, 0);
  int data[kInts] = {};
  cl_event event = nullptr;
  for (const cl_bool blocking : {cl_bool{CL_FALSE}, cl_bool{CL_TRUE}}) {
    SayError("read too much",
             clEnqueueReadBuffer(queue, buffer, blocking, 4, kBytes, data, 0, nullptr, &event));
    SayError("read far",
             clEnqueueReadBuffer(queue, buffer, blocking, ~std::size_t{0}, 8, data, 0, nullptr, &event));
    SayError("read to nowhere",
             clEnqueueReadBuffer(queue, buffer, blocking, 0, 4, nullptr, 0, nullptr, &event));
    SayError("write too much",
             clEnqueueWriteBuffer(queue, buffer, blocking, 0, kBytes + 1, data, 0, nullptr, &event));
    SayError("write without a queue",
             clEnqueueWriteBuffer(nullptr, buffer, blocking, 0, 4, data, 0, nullptr, &event));
    SayError("no buffer", clEnqueueWriteBuffer(queue, nullptr, blocking, 0, 4, data, 0, nullptr, &event));
  }
  SayError("copy too much", clEnqueueCopyBuffer(queue, buffer, other, 0, 4, kBytes, 0, nullptr, &event));
  SayError("copy onto itself", clEnqueueCopyBuffer(queue, buffer, buffer, 0, 4, 16, 0, nullptr, &event));
  SayError("fill uneven", clEnqueueFillBuffer(queue, buffer, data, 4, 0, 6, 0, nullptr, &event));
  SayError("fill with 3 bytes", clEnqueueFillBuffer(queue, buffer, data, 3, 0, 6, 0, nullptr, &event));
  SayError("fill too much", clEnqueueFillBuffer(queue, buffer, data, 4, 0, kBytes + 4, 0, nullptr, &event));
  const std::size_t zero[3] = {0, 0, 0};
  const std::size_t far[3] = {kBytes, 9, 0};
  const std::size_t region[3] = {16, 2, 1};
  SayError("rectangle too far", clEnqueueReadBufferRect(queue, buffer, CL_TRUE, far, zero, region, 32, 0, 16,
                                                        0, data, 0, nullptr, &event));
  SayError("rectangle of nothing", clEnqueueReadBufferRect(queue, buffer, CL_TRUE, zero, zero, zero, 32, 0,
                                                           16, 0, data, 0, nullptr, &event));
  cl_int error = CL_SUCCESS;
  Say("map too much gives %d", clEnqueueMapBuffer(queue, buffer, CL_TRUE, CL_MAP_READ, 4, kBytes, 0, nullptr,
                                                  &event, &error) != nullptr);
  SayError("map too much", error);
  clEnqueueMapBuffer(nullptr, buffer, CL_TRUE, CL_MAP_READ, 0, 4, 0, nullptr, &event, &error);
  SayError("map without a queue", error);
  SayError("unmap what is not mapped", clEnqueueUnmapMemObject(queue, buffer, data, 0, nullptr, &event));
  Say("event given %d", event != nullptr);
  clCreateBuffer(host.context, CL_MEM_READ_WRITE, 0, nullptr, &error);
  SayError("empty buffer", error);
  SayError("finish", clFinish(queue));
  Say("bad calls left %s", Contents(queue, buffer, kInts).c_str());
  for (cl_mem each : {buffer, other}) clReleaseMemObject(each);
  clReleaseCommandQueue(queue);
}

void WaitErrors(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 0);
  cl_kernel kernel = host.Kernel("twice");
  clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  cl_event done;
  EnqueueAdd(host, queue, buffer, kInts, 1, {}, &done);
  cl_event null_event = nullptr;
  const auto launch = [&](cl_uint count, const cl_event* list) {
    return clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &kInts, nullptr, count, list, nullptr);
  };
  SayError("list without a count", launch(0, &done));
  SayError("list with no event in it", launch(1, &null_event));
  SayError("marker: count without a list", clEnqueueMarkerWithWaitList(queue, 2, nullptr, nullptr));
  SayError("barrier: list without a count", clEnqueueBarrierWithWaitList(queue, 0, &done, nullptr));
  SayError("read: count without a list",
           clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, 4, &null_event, 1, nullptr, nullptr));
  SayError("wait for nothing", clWaitForEvents(0, nullptr));
  SayError("wait for a list of none", clWaitForEvents(0, &done));
  SayError("wait without a list", clWaitForEvents(1, nullptr));
  SayError("wait for no event", clWaitForEvents(1, &null_event));
  cl_int error = CL_SUCCESS;
  cl_context other = clCreateContext(nullptr, 1, &host.device, nullptr, nullptr, &error);
  cl_event foreign = clCreateUserEvent(other, &error);
  const cl_event mixed[] = {done, foreign};
  SayError("event of another context", launch(1, &foreign));
  SayError("wait for two contexts", [&] {
    clSetUserEventStatus(foreign, CL_COMPLETE);
    return clWaitForEvents(2, mixed);
  }());
  SayError("flush without a queue", clFlush(nullptr));
  SayError("finish without a queue", clFinish(nullptr));
  SayError("user event without a context", [&] {
    clCreateUserEvent(nullptr, &error);
    return error;
  }());
  SayError("status of no event", clSetUserEventStatus(nullptr, CL_COMPLETE));
  SayError("finish", clFinish(queue));
  Say("bad calls left %s", Contents(queue, buffer, kInts).c_str());
  clReleaseEvent(foreign);
  clReleaseContext(other);
  clReleaseEvent(done);
  clReleaseKernel(kernel);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

}  // namespace mortar::conformance
