// Command buffers, found as extension functions; nothing where the driver has none.
#include <CL/cl_ext.h>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kInts = 256;

template <typename Function>
Function Find(const Host& host, const char* name) {
  auto function = reinterpret_cast<Function>(clGetExtensionFunctionAddressForPlatform(host.platform, name));
  Say("%s: %s", name, function != nullptr ? "there" : "absent");
  return function;
}

}  // namespace

void CommandBuffers(const Host& host) {
  const auto create = Find<clCreateCommandBufferKHR_fn>(host, "clCreateCommandBufferKHR");
  const auto kernel = Find<clCommandNDRangeKernelKHR_fn>(host, "clCommandNDRangeKernelKHR");
  const auto copy = Find<clCommandCopyBufferKHR_fn>(host, "clCommandCopyBufferKHR");
  const auto finalize = Find<clFinalizeCommandBufferKHR_fn>(host, "clFinalizeCommandBufferKHR");
  const auto enqueue = Find<clEnqueueCommandBufferKHR_fn>(host, "clEnqueueCommandBufferKHR");
  const auto release = Find<clReleaseCommandBufferKHR_fn>(host, "clReleaseCommandBufferKHR");
  if (create == nullptr || kernel == nullptr || copy == nullptr || finalize == nullptr ||
      enqueue == nullptr || release == nullptr) {
    return;
  }
  cl_command_queue queue = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 1);
  cl_mem other = host.Buffer(kInts, 0);
  cl_int error = CL_SUCCESS;
  cl_command_buffer_khr commands = create(1, &queue, nullptr, &error);
  SayError("create", error);
  cl_kernel add = host.Kernel("add");
  const int amount = 4;
  clSetKernelArg(add, 0, sizeof buffer, &buffer);
  clSetKernelArg(add, 1, sizeof amount, &amount);
  SayError("record a kernel", kernel(commands, nullptr, nullptr, add, 1, nullptr, &kInts, nullptr, 0, nullptr,
                                     nullptr, nullptr));
  SayError("record a copy",
           copy(commands, nullptr, buffer, other, 0, 0, kInts * sizeof(int), 0, nullptr, nullptr, nullptr));
  SayError("too early", enqueue(0, nullptr, commands, 0, nullptr, nullptr));
  SayError("finalize", finalize(commands));
  SayError("too late", copy(commands, nullptr, buffer, other, 0, 0, 4, 0, nullptr, nullptr, nullptr));
  for (int i = 0; i < 3; ++i) {
    cl_event event = nullptr;
    const cl_int status = enqueue(0, nullptr, commands, 0, nullptr, &event);
    SayError("enqueue", status);
    if (status != CL_SUCCESS) continue;
    SayError("wait", clWaitForEvents(1, &event));
    Say("event: %s", StatusName(ExecutionStatus(event)));
    clReleaseEvent(event);
  }
  SayError("finish", clFinish(queue));
  Say("buffer %s, copy %s", Contents(queue, buffer, kInts).c_str(), Contents(queue, other, kInts).c_str());
  SayError("no buffer", enqueue(0, nullptr, nullptr, 0, nullptr, nullptr));
  SayError("release", release(commands));
  clReleaseKernel(add);
  for (cl_mem each : {buffer, other}) clReleaseMemObject(each);
  clReleaseCommandQueue(queue);
}

}  // namespace mortar::conformance
