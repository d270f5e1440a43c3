// Images, shared virtual memory, native kernels, parts of devices.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kSide = 16;
constexpr std::size_t kPixels = kSide * kSide;
using Pixels = std::vector<cl_uint>;

cl_mem MakeImage(const Host& host) {
  const cl_image_format format = {CL_R, CL_UNSIGNED_INT32};
  cl_image_desc shape = {};
  shape.image_type = CL_MEM_OBJECT_IMAGE2D;
  shape.image_width = kSide;
  shape.image_height = kSide;
  cl_int error = CL_SUCCESS;
  cl_mem image = clCreateImage(host.context, CL_MEM_READ_WRITE, &format, &shape, nullptr, &error);
  if (error != CL_SUCCESS) SayError("clCreateImage", error);
  return image;
}

unsigned Sum(const Pixels& pixels) { return std::accumulate(pixels.begin(), pixels.end(), 0U); }

struct NativeArguments {
  int* counter;
  int amount;
};
void CL_CALLBACK AddNative(void* data) {
  const auto* arguments = static_cast<NativeArguments*>(data);
  *arguments->counter += arguments->amount;
}

void CL_CALLBACK OnFreed(cl_command_queue, cl_uint count, void** pointers, void* data) {
  auto* host = static_cast<const Host*>(data);
  for (cl_uint i = 0; i < count; ++i) clSVMFree(host->context, pointers[i]);
}

}  // namespace

void Images(const Host& host) {
  if (Ask<cl_bool>(clGetDeviceInfo, host.device, CL_DEVICE_IMAGE_SUPPORT) == CL_FALSE) return;
  cl_command_queue queue = host.Queue();
  cl_mem image = MakeImage(host);
  cl_mem copy = MakeImage(host);
  cl_mem buffer = host.Buffer(kPixels, 0);
  Pixels pixels(kPixels);
  std::iota(pixels.begin(), pixels.end(), 1);
  const std::size_t origin[3] = {0, 0, 0};
  const std::size_t whole[3] = {kSide, kSide, 1};
  const std::size_t part[3] = {kSide / 2, kSide / 2, 1};
  SayError("write", clEnqueueWriteImage(queue, image, CL_TRUE, origin, whole, 0, 0, pixels.data(), 0, nullptr,
                                        nullptr));
  const cl_uint color[4] = {7, 0, 0, 0};
  SayError("fill", clEnqueueFillImage(queue, copy, color, origin, whole, 0, nullptr, nullptr));
  cl_event event = nullptr;
  SayError("copy", clEnqueueCopyImage(queue, image, copy, origin, origin, part, 0, nullptr, &event));
  SayError("to buffer",
           clEnqueueCopyImageToBuffer(queue, copy, buffer, origin, whole, 0, 1, &event, nullptr));
  clReleaseEvent(event);
  SayError("from buffer",
           clEnqueueCopyBufferToImage(queue, buffer, image, 0, origin, part, 0, nullptr, nullptr));
  SayError("migrate", clEnqueueMigrateMemObjects(queue, 1, &image, 0, 0, nullptr, nullptr));
  Pixels read(kPixels);
  SayError("read",
           clEnqueueReadImage(queue, copy, CL_TRUE, origin, whole, 0, 0, read.data(), 0, nullptr, nullptr));
  Say("copy holds %u, buffer %s", Sum(read), Contents(queue, buffer, kPixels).c_str());
  std::size_t row = 0;
  cl_int error = CL_SUCCESS;
  auto* mapped =
      static_cast<cl_uint*>(clEnqueueMapImage(queue, image, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, origin,
                                              whole, &row, nullptr, 0, nullptr, nullptr, &error));
  SayError("map", error);
  if (mapped != nullptr)
    Say("mapped: row of %zu bytes, first %u, last %u", row, mapped[0], mapped[kPixels - 1]);
  SayError("unmap", clEnqueueUnmapMemObject(queue, image, mapped, 0, nullptr, nullptr));
  SayError("finish", clFinish(queue));
  SayError("read from nowhere", clEnqueueReadImage(queue, nullptr, CL_TRUE, origin, whole, 0, 0, read.data(),
                                                   0, nullptr, nullptr));
  SayError("wait list without events",
           clEnqueueFillImage(queue, image, color, origin, whole, 1, nullptr, nullptr));
  for (cl_mem object : {image, copy, buffer}) clReleaseMemObject(object);
  clReleaseCommandQueue(queue);
}

void SharedMemory(const Host& host) {
  const auto can = Ask<cl_device_svm_capabilities>(clGetDeviceInfo, host.device, CL_DEVICE_SVM_CAPABILITIES);
  Say("coarse grain: %d", (can & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER) != 0 ? 1 : 0);
  if ((can & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER) == 0) return;
  constexpr std::size_t kInts = 128;
  constexpr std::size_t kBytes = kInts * sizeof(int);
  cl_command_queue queue = host.Queue();
  auto* a = static_cast<int*>(clSVMAlloc(host.context, CL_MEM_READ_WRITE, kBytes, 0));
  auto* b = static_cast<int*>(clSVMAlloc(host.context, CL_MEM_READ_WRITE, kBytes, 0));
  const int pattern = 3;
  SayError("fill", clEnqueueSVMMemFill(queue, a, &pattern, sizeof pattern, kBytes, 0, nullptr, nullptr));
  cl_kernel twice = host.Kernel("twice");
  SayError("argument", clSetKernelArgSVMPointer(twice, 0, a));
  SayError("kernel", clEnqueueNDRangeKernel(queue, twice, 1, nullptr, &kInts, nullptr, 0, nullptr, nullptr));
  SayError("copy", clEnqueueSVMMemcpy(queue, CL_TRUE, b, a, kBytes, 0, nullptr, nullptr));
  SayError("map", clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, b, kBytes, 0, nullptr, nullptr));
  Say("copy holds %d … %d", b[0], b[kInts - 1]);
  SayError("unmap", clEnqueueSVMUnmap(queue, b, 0, nullptr, nullptr));
  SayError("map nothing", clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, nullptr, kBytes, 0, nullptr, nullptr));
  SayError("copy from nowhere", clEnqueueSVMMemcpy(queue, CL_TRUE, b, nullptr, kBytes, 0, nullptr, nullptr));
  void* both[2] = {a, b};
  cl_event freed = nullptr;
  SayError("free", clEnqueueSVMFree(queue, 2, both, OnFreed, const_cast<Host*>(&host), 0, nullptr, &freed));
  SayError("wait for the free", clWaitForEvents(1, &freed));
  Say("freed: %s", StatusName(ExecutionStatus(freed)));
  clReleaseEvent(freed);
  clReleaseKernel(twice);
  clReleaseCommandQueue(queue);
}

void NativeKernels(const Host& host) {
  const auto can =
      Ask<cl_device_exec_capabilities>(clGetDeviceInfo, host.device, CL_DEVICE_EXECUTION_CAPABILITIES);
  Say("native kernels: %d", (can & CL_EXEC_NATIVE_KERNEL) != 0 ? 1 : 0);
  if ((can & CL_EXEC_NATIVE_KERNEL) == 0) return;
  cl_command_queue queue = host.Queue();
  int counter = 1;
  NativeArguments arguments = {&counter, 40};
  SayError("native", clEnqueueNativeKernel(queue, AddNative, &arguments, sizeof arguments, 0, nullptr,
                                           nullptr, 0, nullptr, nullptr));
  arguments.amount = 1'000'000;  // the driver has taken a copy
  SayError("finish", clFinish(queue));
  Say("counter %d", counter);
  SayError("no function", clEnqueueNativeKernel(queue, nullptr, &arguments, sizeof arguments, 0, nullptr,
                                                nullptr, 0, nullptr, nullptr));
  SayError("size without arguments",
           clEnqueueNativeKernel(queue, AddNative, nullptr, 8, 0, nullptr, nullptr, 0, nullptr, nullptr));
  clReleaseCommandQueue(queue);
}

void Partitions(const Host& host) {
  const auto units = Ask<cl_uint>(clGetDeviceInfo, host.device, CL_DEVICE_MAX_COMPUTE_UNITS);
  const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
  cl_device_id parts[8] = {};
  cl_uint count = 0;
  const cl_int error = clCreateSubDevices(host.device, equally, std::min(units, 8U), parts, &count);
  SayError("partition", error);
  if (error != CL_SUCCESS) return;
  Host part = host;
  part.device = parts[0];
  cl_int made = CL_SUCCESS;
  part.context = clCreateContext(nullptr, 1, &part.device, nullptr, nullptr, &made);
  const char* source = Source();
  part.program = clCreateProgramWithSource(part.context, 1, &source, nullptr, &made);
  SayError("build", clBuildProgram(part.program, 1, &part.device, "", nullptr, nullptr));
  cl_command_queue queue = part.Queue();
  cl_mem buffer = part.Buffer(64, 5);
  SayError("add", EnqueueAdd(part, queue, buffer, 64, 6));
  const cl_buffer_region region = {128, 64};
  cl_mem piece = clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &made);
  SayError("sub-buffer", made);
  SayError("add to it", EnqueueAdd(part, queue, piece, 16, 100));
  Say("part of a device: %s", Contents(queue, buffer, 64).c_str());
  clReleaseMemObject(piece);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
  CloseHost(&part);
  // The part that was used stays: PoCL 3.1 lets its worker read it after the last release, and crashed in 30
  // of 160 bare runs on busy processors.
  for (cl_uint i = 1; i < count && i < 8; ++i) clReleaseDevice(parts[i]);
}

}  // namespace mortar::conformance
