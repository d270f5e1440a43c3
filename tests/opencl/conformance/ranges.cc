// Kernels over ranges of every form, with offsets and ragged ends: what a filler's long kernels are cut from.
// Each work-item writes a number of its own, so that one left out, done twice or told another id is seen.
#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kSide = 64;
constexpr std::size_t kInts = kSide * kSide * 8;

const char kSource[] = R"(
#define AT(x, y, z) (((z) * 64 + (y)) * 64 + (x))
int number(int x, int y, int z) { return 1 + x * 3 + y * 1000 + z * 100000; }
__kernel void visit(__global int* out) {
  const int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);
  out[AT(x, y, z)] = out[AT(x, y, z)] * 3 + number(x, y, z);
}
__kernel void exchange(__global int* out, __local int* scratch) {
  const size_t l = get_local_id(0), n = get_local_size(0);
  scratch[l] = out[get_global_id(0)];
  barrier(CLK_LOCAL_MEM_FENCE);
  out[get_global_id(0)] = scratch[n - 1 - l] * 5 + (int)l;
}
__kernel void count(__global int* out) { atomic_add(&out[get_global_id(0) % 7], 1); }
__kernel void grouped(__global int* out) { out[get_global_id(0)] += (int)get_group_id(0); }
)";

struct Case {
  cl_uint dimensions;
  std::size_t offset[3], global[3], local[3];  // local[0] 0: the driver's choice
};

cl_kernel KernelWith(cl_program program, const char* name, cl_mem buffer) {
  cl_kernel kernel = clCreateKernel(program, name, nullptr);
  clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  return kernel;
}

void SayTimes(cl_event event) {
  cl_ulong times[4] = {};
  const cl_profiling_info what[4] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
                                     CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};
  bool ordered = true;
  for (int i = 0; i < 4; ++i) {
    SayError("profiling", clGetEventProfilingInfo(event, what[i], sizeof times[i], &times[i], nullptr));
    ordered = ordered && (i == 0 || times[i - 1] <= times[i]);
  }
  Say("times are in order: %d", ordered ? 1 : 0);
}

}  // namespace

void Ranges(const Host& host) {
  const Case cases[] = {
      {1, {0, 0, 0}, {4096, 1, 1}, {16, 1, 1}}, {1, {5, 0, 0}, {4000, 1, 1}, {0, 0, 0}},
      {1, {7, 0, 0}, {1000, 1, 1}, {8, 1, 1}},  {1, {0, 0, 0}, {1001, 1, 1}, {8, 1, 1}},
      {2, {1, 2, 0}, {48, 60, 1}, {4, 2, 1}},   {2, {0, 0, 0}, {64, 64, 1}, {0, 0, 0}},
      {3, {0, 3, 1}, {32, 32, 6}, {4, 4, 1}},   {3, {0, 0, 0}, {64, 64, 8}, {8, 8, 2}},
      {1, {0, 0, 0}, {0, 1, 1}, {0, 0, 0}},     {2, {0, 0, 0}, {64, 63, 1}, {8, 8, 1}},
  };
  cl_int error = CL_SUCCESS;
  const char* source = kSource;
  cl_program program = clCreateProgramWithSource(host.context, 1, &source, nullptr, &error);
  SayError("build", clBuildProgram(program, 1, &host.device, "-cl-std=CL1.2 -DUNUSED=1", nullptr, nullptr));
  cl_command_queue queue = host.Queue(CL_QUEUE_PROFILING_ENABLE);
  cl_mem buffer = host.Buffer(kInts, 1);
  cl_kernel visit = KernelWith(program, "visit", buffer);
  cl_event last = nullptr;
  for (const Case& each : cases) {
    for (int repeat = 0; repeat < 3; ++repeat) {
      cl_event event = nullptr;
      const cl_int status = clEnqueueNDRangeKernel(
          queue, visit, each.dimensions, each.offset, each.global, each.local[0] != 0 ? each.local : nullptr,
          last != nullptr ? 1 : 0, last != nullptr ? &last : nullptr, &event);
      SayError("visit", status);
      if (status != CL_SUCCESS) continue;
      if (last != nullptr) clReleaseEvent(last);
      last = event;
    }
    Say("after %u dimensions: %s", each.dimensions, Contents(queue, buffer, kInts).c_str());
  }
  SayTimes(last);
  clReleaseEvent(last);
  const std::size_t items = 4096;
  const std::size_t group = 16;
  cl_kernel exchange = KernelWith(program, "exchange", buffer);
  SayError("without local memory",
           clEnqueueNDRangeKernel(queue, exchange, 1, nullptr, &items, &group, 0, nullptr, nullptr));
  clSetKernelArg(exchange, 1, group * sizeof(int), nullptr);
  for (const char* name : {"exchange", "count", "grouped"}) {
    cl_kernel kernel = name[0] == 'e' ? exchange : KernelWith(program, name, buffer);
    for (int repeat = 0; repeat < 3; ++repeat) {
      SayError(name, clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &items, &group, 0, nullptr, nullptr));
    }
    Say("%s: %s", name, Contents(queue, buffer, kInts).c_str());
    clReleaseKernel(kernel);
  }
  cl_event user = clCreateUserEvent(host.context, nullptr);
  cl_event held = nullptr;
  SayError("behind a user event",
           clEnqueueNDRangeKernel(queue, visit, 1, nullptr, &items, &group, 1, &user, &held));
  Say("held: %s", ExecutionStatus(held) > CL_COMPLETE ? "not complete" : "complete");
  clSetUserEventStatus(user, CL_COMPLETE);
  SayError("wait", clWaitForEvents(1, &held));
  Say("let go: %s", Contents(queue, buffer, kInts).c_str());
  for (cl_event event : {user, held}) clReleaseEvent(event);
  clReleaseKernel(visit);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
  clReleaseProgram(program);
}

}  // namespace mortar::conformance
