#include <cstdarg>
#include <cstring>

#include "conformance.h"

namespace mortar::conformance {

const char* current_section = "";

const char* Source() {
  return R"(
__kernel void add(__global int* data, int amount) { data[get_global_id(0)] += amount; }
__kernel void twice(__global int* data) { data[get_global_id(0)] *= 2; }
__kernel void sum(__global const int* a, __global const int* b, __global int* out) {
  const size_t i = get_global_id(0);
  out[i] = a[i] + b[i];
}
__kernel void place(__global int* out) {
  out[get_global_id(1) * get_global_size(0) + get_global_id(0)] =
      (int)(get_group_id(0) * 1000 + get_local_id(0) * 100 + get_global_id(1));
}
__kernel void reduce(__global const int* in, __global int* out, __local int* scratch) {
  const size_t l = get_local_id(0);
  scratch[l] = in[get_global_id(0)];
  barrier(CLK_LOCAL_MEM_FENCE);
  if (l == 0) {
    int total = 0;
    for (size_t i = 0; i < get_local_size(0); ++i) total += scratch[i];
    out[get_group_id(0)] = total;
  }
}
__kernel void slow(__global int* data, int rounds) {
  int x = data[get_global_id(0)];
  for (int i = 0; i < rounds; ++i) x = x * 1103515245 + 12345;
  data[get_global_id(0)] = x;
}
)";
}

bool OpenHost(Host* host) {
  cl_int error = clGetPlatformIDs(1, &host->platform, nullptr);
  cl_uint count = 0;
  if (error == CL_SUCCESS) error = clGetDeviceIDs(host->platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count);
  if (error != CL_SUCCESS || count == 0) {
    std::fprintf(stderr, "conformance: no OpenCL device (%s): install pocl-opencl-icd\n", ErrorName(error));
    return false;
  }
  host->devices.resize(count);
  clGetDeviceIDs(host->platform, CL_DEVICE_TYPE_ALL, count, host->devices.data(), nullptr);
  host->device = host->devices[0];
  host->context = clCreateContext(nullptr, 1, &host->device, nullptr, nullptr, &error);
  const char* source = Source();
  host->program = clCreateProgramWithSource(host->context, 1, &source, nullptr, &error);
  error = clBuildProgram(host->program, 1, &host->device, "", nullptr, nullptr);
  if (error != CL_SUCCESS) std::fprintf(stderr, "conformance: kernels do not build: %s\n", ErrorName(error));
  return error == CL_SUCCESS;
}

void CloseHost(Host* host) {
  clReleaseProgram(host->program);
  clReleaseContext(host->context);
}

cl_kernel Host::Kernel(const char* name) const {
  cl_int error = CL_SUCCESS;
  cl_kernel kernel = clCreateKernel(program, name, &error);
  if (error != CL_SUCCESS) SayError(name, error);
  return kernel;
}

cl_command_queue Host::Queue(cl_command_queue_properties properties) const {
  const cl_queue_properties list[] = {CL_QUEUE_PROPERTIES, properties, 0};
  cl_int error = CL_SUCCESS;
  cl_command_queue queue = clCreateCommandQueueWithProperties(context, device, list, &error);
  if (error != CL_SUCCESS) SayError("clCreateCommandQueueWithProperties", error);
  return queue;
}

cl_mem Host::Buffer(std::size_t ints, int value) const {
  std::vector<int> content(ints, value);
  cl_int error = CL_SUCCESS;
  cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, ints * sizeof(int),
                                 content.data(), &error);
  if (error != CL_SUCCESS) SayError("clCreateBuffer", error);
  return buffer;
}

void Say(const char* format, ...) {
  std::printf("%s: ", current_section);
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
}

const char* ErrorName(cl_int error) {
  static const struct {
    cl_int error;
    const char* name;
  } names[] = {
#define NAMED(NAME) {NAME, #NAME}
      NAMED(CL_SUCCESS),
      NAMED(CL_DEVICE_NOT_FOUND),
      NAMED(CL_OUT_OF_RESOURCES),
      NAMED(CL_OUT_OF_HOST_MEMORY),
      NAMED(CL_PROFILING_INFO_NOT_AVAILABLE),
      NAMED(CL_MEM_COPY_OVERLAP),
      NAMED(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
      NAMED(CL_INVALID_VALUE),
      NAMED(CL_INVALID_PLATFORM),
      NAMED(CL_INVALID_DEVICE),
      NAMED(CL_INVALID_CONTEXT),
      NAMED(CL_INVALID_QUEUE_PROPERTIES),
      NAMED(CL_INVALID_COMMAND_QUEUE),
      NAMED(CL_INVALID_MEM_OBJECT),
      NAMED(CL_INVALID_PROGRAM_EXECUTABLE),
      NAMED(CL_INVALID_KERNEL_NAME),
      NAMED(CL_INVALID_KERNEL),
      NAMED(CL_INVALID_ARG_INDEX),
      NAMED(CL_INVALID_ARG_VALUE),
      NAMED(CL_INVALID_ARG_SIZE),
      NAMED(CL_INVALID_KERNEL_ARGS),
      NAMED(CL_INVALID_WORK_DIMENSION),
      NAMED(CL_INVALID_WORK_GROUP_SIZE),
      NAMED(CL_INVALID_WORK_ITEM_SIZE),
      NAMED(CL_INVALID_GLOBAL_OFFSET),
      NAMED(CL_INVALID_EVENT_WAIT_LIST),
      NAMED(CL_INVALID_EVENT),
      NAMED(CL_INVALID_OPERATION),
      NAMED(CL_INVALID_BUFFER_SIZE),
      NAMED(CL_INVALID_GLOBAL_WORK_SIZE),
      NAMED(CL_INVALID_PROPERTY),
#undef NAMED
  };
  for (const auto& entry : names) {
    if (entry.error == error) return entry.name;
  }
  static thread_local char number[32];
  std::snprintf(number, sizeof number, "error %d", error);
  return number;
}

const char* StatusName(cl_int status) {
  if (status == CL_COMPLETE) return "CL_COMPLETE";
  if (status == CL_RUNNING) return "CL_RUNNING";
  if (status == CL_SUBMITTED) return "CL_SUBMITTED";
  if (status == CL_QUEUED) return "CL_QUEUED";
  return ErrorName(status);
}

void SayError(const char* what, cl_int error) { Say("%s: %s", what, ErrorName(error)); }

cl_int ExecutionStatus(cl_event event) {
  return Ask<cl_int>(clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS);
}

std::string Contents(cl_command_queue queue, cl_mem buffer, std::size_t ints) {
  std::vector<int> content(ints, -1);
  const cl_int error =
      clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, ints * sizeof(int), content.data(), 0, nullptr, nullptr);
  if (error != CL_SUCCESS) return ErrorName(error);
  long sum = 0;
  long alternating = 0;
  for (std::size_t i = 0; i < ints; ++i) {
    sum += content[i];
    alternating += i % 2 == 0 ? content[i] : -content[i];
  }
  return "sum " + std::to_string(sum) + " alternating " + std::to_string(alternating);
}

cl_int EnqueueAdd(const Host& host, cl_command_queue queue, cl_mem buffer, std::size_t ints, int amount,
                  std::vector<cl_event> waits, cl_event* event) {
  cl_kernel kernel = host.Kernel("add");
  clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  clSetKernelArg(kernel, 1, sizeof amount, &amount);
  const cl_int error =
      clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &ints, nullptr, static_cast<cl_uint>(waits.size()),
                             waits.empty() ? nullptr : waits.data(), event);
  clReleaseKernel(kernel);
  return error;
}

}  // namespace mortar::conformance
