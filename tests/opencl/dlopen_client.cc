// A program that does not link OpenCL but opens the loader itself, as many do: a preloaded library would not
// be seen by it, a layer is. Prints its result. Exit codes: 0, 77 no loader or no device.
#include <CL/cl.h>
#include <dlfcn.h>

#include <cstdio>

namespace {

template <typename Function>
Function* Find(void* loader, Function* /* for its type */, const char* name) {
  return reinterpret_cast<Function*>(dlsym(loader, name));
}
#define FIND(NAME) const auto NAME##_ = Find(loader, decltype(&(NAME)){nullptr}, #NAME)

constexpr char kSource[] = "__kernel void opened(__global int* data) { data[get_global_id(0)] += 41; }";

}  // namespace

int main() {
  void* loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (loader == nullptr) {
    std::fprintf(stderr, "dlopen_client: %s\n", dlerror());
    return 77;
  }
  FIND(clGetPlatformIDs);
  FIND(clGetDeviceIDs);
  FIND(clCreateContext);
  FIND(clCreateCommandQueueWithProperties);
  FIND(clCreateProgramWithSource);
  FIND(clBuildProgram);
  FIND(clCreateKernel);
  FIND(clCreateBuffer);
  FIND(clSetKernelArg);
  FIND(clEnqueueNDRangeKernel);
  FIND(clEnqueueReadBuffer);
  FIND(clReleaseMemObject);
  FIND(clReleaseKernel);
  FIND(clReleaseProgram);
  FIND(clReleaseCommandQueue);
  FIND(clReleaseContext);
  cl_platform_id platform;
  cl_device_id device;
  if (clGetPlatformIDs_(1, &platform, nullptr) != CL_SUCCESS ||
      clGetDeviceIDs_(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) != CL_SUCCESS) {
    std::fprintf(stderr, "dlopen_client: no OpenCL device: install pocl-opencl-icd\n");
    return 77;
  }
  cl_int error = CL_SUCCESS;
  cl_context context = clCreateContext_(nullptr, 1, &device, nullptr, nullptr, &error);
  cl_command_queue queue = clCreateCommandQueueWithProperties_(context, device, nullptr, &error);
  const char* source = kSource;
  cl_program program = clCreateProgramWithSource_(context, 1, &source, nullptr, &error);
  error = clBuildProgram_(program, 1, &device, "", nullptr, nullptr);
  cl_kernel kernel = clCreateKernel_(program, "opened", &error);
  int data[16] = {};
  cl_mem buffer =
      clCreateBuffer_(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof data, data, &error);
  clSetKernelArg_(kernel, 0, sizeof buffer, &buffer);
  const size_t items = 16;
  error = clEnqueueNDRangeKernel_(queue, kernel, 1, nullptr, &items, nullptr, 0, nullptr, nullptr);
  std::printf("enqueue %d\n", error);
  error = clEnqueueReadBuffer_(queue, buffer, CL_TRUE, 0, sizeof data, data, 0, nullptr, nullptr);
  std::printf("read %d, first %d, last %d\n", error, data[0], data[15]);
  clReleaseMemObject_(buffer);
  clReleaseKernel_(kernel);
  clReleaseProgram_(program);
  clReleaseCommandQueue_(queue);
  clReleaseContext_(context);
  return 0;
}
