// Enqueues kernels on a profiled queue and prints when each ran, as the events tell: "start end" in ns, one a
// line. Usage: timeline_probe KERNELS. Also asserts what holds whatever the machine's speed: a wait never
// returns before its command's end, and a status is never complete before it. Exit codes: 0, 1 an assertion
// failed, 77 no device.
#include <CL/cl.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr char kSource[] = R"(
__kernel void first(__global int* data) { data[get_global_id(0)] += 1; }
__kernel void second(__global int* data) { data[get_global_id(0)] += 1; }
)";

cl_ulong NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<cl_ulong>(now.tv_sec) * 1'000'000'000 + static_cast<cl_ulong>(now.tv_nsec);
}

cl_ulong Profile(cl_event event, cl_profiling_info name) {
  cl_ulong value = 0;
  const cl_int error = clGetEventProfilingInfo(event, name, sizeof value, &value, nullptr);
  if (error != CL_SUCCESS) {
    std::fprintf(stderr, "timeline_probe: profiling info fails with %d\n", error);
    std::exit(1);
  }
  return value;
}

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "timeline_probe: %s\n", what);
  std::exit(1);
}

}  // namespace

int main(int count, char** words) {
  const int kernels = count > 1 ? std::atoi(words[1]) : 10;
  cl_platform_id platform;
  cl_device_id device;
  if (clGetPlatformIDs(1, &platform, nullptr) != CL_SUCCESS ||
      clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) != CL_SUCCESS) {
    return 77;
  }
  cl_int error = CL_SUCCESS;
  cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &error);
  const cl_queue_properties properties[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
  cl_command_queue queue = clCreateCommandQueueWithProperties(context, device, properties, &error);
  const char* source = kSource;
  cl_program program = clCreateProgramWithSource(context, 1, &source, nullptr, &error);
  clBuildProgram(program, 1, &device, "", nullptr, nullptr);
  cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, 256, nullptr, &error);
  cl_kernel both[2] = {clCreateKernel(program, "first", &error), clCreateKernel(program, "second", &error)};
  for (cl_kernel kernel : both) clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  const size_t items = 64;
  std::vector<cl_event> events(static_cast<std::size_t>(kernels));
  for (int i = 0; i < kernels; ++i) {
    cl_event* event = &events[static_cast<std::size_t>(i)];
    error = clEnqueueNDRangeKernel(queue, both[i % 2], 1, nullptr, &items, nullptr, 0, nullptr, event);
    Expect(error == CL_SUCCESS, "an enqueue fails");
    if (i % 5 == 4) {
      clWaitForEvents(1, event);
      Expect(NowNs() >= Profile(*event, CL_PROFILING_COMMAND_END), "a wait returned before the end");
    }
    if (i % 7 == 6) {
      cl_int status = CL_QUEUED;
      while (status != CL_COMPLETE) {
        clGetEventInfo(*event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr);
      }
      Expect(NowNs() >= Profile(*event, CL_PROFILING_COMMAND_END), "a status was complete before the end");
    }
  }
  clFinish(queue);
  Expect(NowNs() >= Profile(events.back(), CL_PROFILING_COMMAND_END), "a finish returned before the end");
  for (cl_event event : events) {
    std::printf("%llu %llu\n", static_cast<unsigned long long>(Profile(event, CL_PROFILING_COMMAND_START)),
                static_cast<unsigned long long>(Profile(event, CL_PROFILING_COMMAND_END)));
    clReleaseEvent(event);
  }
  for (cl_kernel kernel : both) clReleaseKernel(kernel);
  clReleaseMemObject(buffer);
  clReleaseProgram(program);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  return 0;
}
