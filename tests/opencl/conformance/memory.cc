// Kernels, copies, rectangles, fills, maps.
#include <cstring>
#include <numeric>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kInts = 256;

// 0, 1, 2 …
cl_mem Counting(const Host& host, cl_command_queue queue) {
  std::vector<int> content(kInts);
  std::iota(content.begin(), content.end(), 0);
  cl_mem buffer = host.Buffer(kInts, 0);
  clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, kInts * sizeof(int), content.data(), 0, nullptr, nullptr);
  return buffer;
}

}  // namespace

void Kernels(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem a = Counting(host, queue);
  cl_mem b = host.Buffer(kInts, 7);
  cl_mem out = host.Buffer(kInts, 0);
  cl_kernel sum = host.Kernel("sum");
  cl_mem arguments[] = {a, b, out};
  for (cl_uint i = 0; i < 3; ++i)
    SayError("set argument", clSetKernelArg(sum, i, sizeof(cl_mem), &arguments[i]));
  SayError("sum", clEnqueueNDRangeKernel(queue, sum, 1, nullptr, &kInts, nullptr, 0, nullptr, nullptr));
  Say("sum gives %s", Contents(queue, out, kInts).c_str());

  const std::size_t offset = 100;
  const std::size_t part = 56;
  cl_kernel twice = host.Kernel("twice");
  clSetKernelArg(twice, 0, sizeof out, &out);
  SayError("offset", clEnqueueNDRangeKernel(queue, twice, 1, &offset, &part, nullptr, 0, nullptr, nullptr));
  SayError("task", clEnqueueTask(queue, twice, 0, nullptr, nullptr));
  Say("offset and task give %s", Contents(queue, out, kInts).c_str());

  cl_kernel place = host.Kernel("place");
  clSetKernelArg(place, 0, sizeof out, &out);
  const std::size_t global[2] = {16, 16};
  const std::size_t local[2] = {4, 2};
  SayError("two dimensions",
           clEnqueueNDRangeKernel(queue, place, 2, nullptr, global, local, 0, nullptr, nullptr));
  Say("two dimensions give %s", Contents(queue, out, kInts).c_str());

  cl_kernel reduce = host.Kernel("reduce");
  const std::size_t group = 32;
  clSetKernelArg(reduce, 0, sizeof a, &a);
  clSetKernelArg(reduce, 1, sizeof out, &out);
  clSetKernelArg(reduce, 2, group * sizeof(int), nullptr);
  SayError("local memory",
           clEnqueueNDRangeKernel(queue, reduce, 1, nullptr, &kInts, &group, 0, nullptr, nullptr));
  Say("local memory gives %s", Contents(queue, out, kInts / group).c_str());

  // The arguments count as they were when the kernel was enqueued.
  cl_mem changing = host.Buffer(kInts, 0);
  cl_kernel add = host.Kernel("add");
  clSetKernelArg(add, 0, sizeof changing, &changing);
  for (int amount = 1; amount <= 10; ++amount) {
    clSetKernelArg(add, 1, sizeof amount, &amount);
    clEnqueueNDRangeKernel(queue, add, 1, nullptr, &kInts, nullptr, 0, nullptr, nullptr);
  }
  Say("arguments changed between launches give %s", Contents(queue, changing, kInts).c_str());
  char name[32] = {};
  clGetKernelInfo(add, CL_KERNEL_FUNCTION_NAME, sizeof name, name, nullptr);
  Say("kernel name %s, arguments %u", name, Ask<cl_uint>(clGetKernelInfo, add, CL_KERNEL_NUM_ARGS));
  for (cl_kernel kernel : {sum, twice, place, reduce, add}) clReleaseKernel(kernel);
  for (cl_mem buffer : {a, b, out, changing}) clReleaseMemObject(buffer);
  SayError("release queue", clReleaseCommandQueue(queue));
}

void Copies(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem from = Counting(host, queue);
  cl_mem to = host.Buffer(kInts, -1);
  SayError("copy", clEnqueueCopyBuffer(queue, from, to, 64, 128, 256, 0, nullptr, nullptr));
  Say("copy gives %s", Contents(queue, to, kInts).c_str());

  const int pattern[2] = {5, 9};
  SayError("fill", clEnqueueFillBuffer(queue, to, pattern, sizeof pattern, 16, 64, 0, nullptr, nullptr));
  Say("fill gives %s", Contents(queue, to, kInts).c_str());

  std::vector<int> host_data(kInts, 3);
  cl_event events[3];
  SayError("write without waiting",
           clEnqueueWriteBuffer(queue, to, CL_FALSE, 0, 512, host_data.data(), 0, nullptr, &events[0]));
  SayError("copy behind it", clEnqueueCopyBuffer(queue, to, from, 0, 0, 512, 1, &events[0], &events[1]));
  std::vector<int> back(kInts, 0);
  SayError("read without waiting", clEnqueueReadBuffer(queue, from, CL_FALSE, 0, kInts * sizeof(int),
                                                       back.data(), 2, events, &events[2]));
  SayError("wait for the read", clWaitForEvents(1, &events[2]));
  Say("read gives sum %d", std::accumulate(back.begin(), back.end(), 0));
  for (cl_event event : events) {
    Say("command %x status %s", Ask<cl_command_type>(clGetEventInfo, event, CL_EVENT_COMMAND_TYPE),
        StatusName(ExecutionStatus(event)));
    clReleaseEvent(event);
  }
  SayError("migrate", clEnqueueMigrateMemObjects(queue, 1, &to, 0, 0, nullptr, nullptr));
  Say("migrated %s", Contents(queue, to, kInts).c_str());
  const cl_buffer_region region = {0, 256};
  cl_int error = CL_SUCCESS;
  cl_mem part = clCreateSubBuffer(to, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
  SayError("sub-buffer", error);
  SayError("add to a part", EnqueueAdd(host, queue, part, 64, 1000));
  Say("the whole has %s", Contents(queue, to, kInts).c_str());
  for (cl_mem buffer : {part, from, to}) clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void RectCopies(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem from = Counting(host, queue);
  cl_mem to = host.Buffer(kInts, 0);
  // Rows of 16 numbers; a block of 4 × 5 of them.
  const std::size_t row = 16 * sizeof(int);
  const std::size_t from_origin[3] = {2 * sizeof(int), 3, 0};
  const std::size_t to_origin[3] = {8 * sizeof(int), 1, 0};
  const std::size_t region[3] = {4 * sizeof(int), 5, 1};
  const std::size_t zero[3] = {0, 0, 0};
  SayError("copy", clEnqueueCopyBufferRect(queue, from, to, from_origin, to_origin, region, row, 0, row, 0, 0,
                                           nullptr, nullptr));
  Say("copy gives %s", Contents(queue, to, kInts).c_str());
  int block[20] = {};
  SayError("read", clEnqueueReadBufferRect(queue, from, CL_TRUE, from_origin, zero, region, row, 0, region[0],
                                           0, block, 0, nullptr, nullptr));
  Say("read gives first %d last %d sum %d", block[0], block[19], std::accumulate(block, block + 20, 0));
  for (int& number : block) number = -number;
  cl_event event;
  SayError("write", clEnqueueWriteBufferRect(queue, to, CL_FALSE, to_origin, zero, region, row, 0, region[0],
                                             0, block, 0, nullptr, &event));
  SayError("wait", clWaitForEvents(1, &event));
  Say("write gives %s", Contents(queue, to, kInts).c_str());
  clReleaseEvent(event);
  for (cl_mem buffer : {from, to}) clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

void Maps(const Host& host) {
  cl_command_queue queue = host.Queue();
  cl_mem buffer = Counting(host, queue);
  const std::size_t bytes = kInts * sizeof(int);
  cl_int error = CL_SUCCESS;
  auto* mapped = static_cast<int*>(clEnqueueMapBuffer(queue, buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                                      bytes, 0, nullptr, nullptr, &error));
  SayError("map", error);
  Say("mapped sum %d", std::accumulate(mapped, mapped + kInts, 0));
  for (std::size_t i = 0; i < kInts; ++i) mapped[i] += 1;
  SayError("unmap", clEnqueueUnmapMemObject(queue, buffer, mapped, 0, nullptr, nullptr));
  Say("after unmap %s", Contents(queue, buffer, kInts).c_str());

  cl_event event;
  mapped = static_cast<int*>(clEnqueueMapBuffer(queue, buffer, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, 64,
                                                256, 0, nullptr, &event, &error));
  SayError("map without waiting", error);
  SayError("wait for the map", clWaitForEvents(1, &event));
  Say("map is command %x, status %s", Ask<cl_command_type>(clGetEventInfo, event, CL_EVENT_COMMAND_TYPE),
      StatusName(ExecutionStatus(event)));
  clReleaseEvent(event);
  for (int i = 0; i < 64; ++i) mapped[i] = 2;
  SayError("unmap", clEnqueueUnmapMemObject(queue, buffer, mapped, 0, nullptr, &event));
  SayError("add behind the unmap", EnqueueAdd(host, queue, buffer, kInts, 1, {event}));
  Say("after both %s", Contents(queue, buffer, kInts).c_str());
  Say("maps left %u", Ask<cl_uint>(clGetMemObjectInfo, buffer, CL_MEM_MAP_COUNT));
  clReleaseEvent(event);
  clReleaseMemObject(buffer);
  clReleaseCommandQueue(queue);
}

}  // namespace mortar::conformance
