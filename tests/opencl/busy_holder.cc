// An OpenCL program that never ends: short kernels, each waited for, with a little host work between. It runs
// beside the conformance program, as the holder of the device that the other fills.
#include <CL/cl.h>
#include <time.h>

#include <cstdio>

namespace {

constexpr char kSource[] = "__kernel void busy(__global int* data) { data[get_global_id(0)] += 1; }";

}  // namespace

int main() {
  cl_platform_id platform;
  cl_device_id device;
  if (clGetPlatformIDs(1, &platform, nullptr) != CL_SUCCESS ||
      clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) != CL_SUCCESS) {
    std::fprintf(stderr, "busy_holder: no OpenCL device: install pocl-opencl-icd\n");
    return 77;
  }
  cl_int error = CL_SUCCESS;
  cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &error);
  cl_command_queue queue = clCreateCommandQueueWithProperties(context, device, nullptr, &error);
  const char* source = kSource;
  cl_program program = clCreateProgramWithSource(context, 1, &source, nullptr, &error);
  clBuildProgram(program, 1, &device, "", nullptr, nullptr);
  cl_kernel kernel = clCreateKernel(program, "busy", &error);
  cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, 256, nullptr, &error);
  clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  const size_t items = 64;
  for (;;) {
    if (clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &items, nullptr, 0, nullptr, nullptr) !=
            CL_SUCCESS ||
        clFinish(queue) != CL_SUCCESS) {
      std::fprintf(stderr, "busy_holder: OpenCL failed\n");
      return 1;
    }
    const timespec pause{0, 300'000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
  }
}
