// Orders, several queues, contexts, devices and threads.
#include <thread>

#include "conformance.h"

namespace mortar::conformance {
namespace {

constexpr std::size_t kInts = 128;

cl_int EnqueueTwice(const Host& host, cl_command_queue queue, cl_mem buffer, std::vector<cl_event> waits,
                    cl_event* event) {
  cl_kernel kernel = host.Kernel("twice");
  clSetKernelArg(kernel, 0, sizeof buffer, &buffer);
  const cl_int error =
      clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &kInts, nullptr, static_cast<cl_uint>(waits.size()),
                             waits.empty() ? nullptr : waits.data(), event);
  clReleaseKernel(kernel);
  return error;
}

void Worker(const Host* host, cl_command_queue queue, cl_mem buffer, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    cl_event event;
    EnqueueAdd(*host, queue, buffer, kInts, i, {}, &event);
    if (i % 4 == 0) clWaitForEvents(1, &event);
    if (i % 7 == 0) clFlush(queue);
    clReleaseEvent(event);
  }
  clFinish(queue);
}

}  // namespace

void Order(const Host& host) {
  // In order: ((1 + 1) * 2 + 1) * 2 …, nothing waits for anything by name.
  cl_command_queue in_order = host.Queue();
  cl_mem buffer = host.Buffer(kInts, 1);
  for (int i = 0; i < 8; ++i) {
    EnqueueAdd(host, in_order, buffer, kInts, 1);
    EnqueueTwice(host, in_order, buffer, {}, nullptr);
  }
  Say("in order: %s", Contents(in_order, buffer, kInts).c_str());

  // Out of order: the same chain by events.
  cl_command_queue any_order = host.Queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
  cl_mem chained = host.Buffer(kInts, 1);
  std::vector<cl_event> events;
  for (int i = 0; i < 16; ++i) {
    cl_event event;
    const std::vector<cl_event> waits = events.empty() ? events : std::vector<cl_event>{events.back()};
    const cl_int error = i % 2 == 0 ? EnqueueAdd(host, any_order, chained, kInts, 1, waits, &event)
                                    : EnqueueTwice(host, any_order, chained, waits, &event);
    if (error != CL_SUCCESS) SayError("chain", error);
    events.push_back(event);
  }
  SayError("finish", clFinish(any_order));
  Say("out of order: %s", Contents(any_order, chained, kInts).c_str());
  for (cl_event event : events) clReleaseEvent(event);

  // Out of order: a held command holds up nobody but those that name it.
  cl_event user = clCreateUserEvent(host.context, nullptr);
  cl_event held;
  cl_event free;
  cl_mem other = host.Buffer(kInts, 0);
  EnqueueAdd(host, any_order, chained, kInts, 1, {user}, &held);
  EnqueueAdd(host, any_order, other, kInts, 1, {}, &free);
  SayError("the free one", clWaitForEvents(1, &free));
  Say("free %s, held complete %d", StatusName(ExecutionStatus(free)), ExecutionStatus(held) == CL_COMPLETE);
  clSetUserEventStatus(user, CL_COMPLETE);
  SayError("finish", clFinish(any_order));
  Say("held %s", StatusName(ExecutionStatus(held)));
  for (cl_event event : {user, held, free}) clReleaseEvent(event);
  for (cl_mem each : {buffer, chained, other}) clReleaseMemObject(each);
  clReleaseCommandQueue(in_order);
  clReleaseCommandQueue(any_order);
}

void SeveralQueues(const Host& host) {
  cl_command_queue queues[3] = {host.Queue(), host.Queue(CL_QUEUE_PROFILING_ENABLE),
                                host.Queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)};
  cl_mem buffer = host.Buffer(kInts, 1);
  // One chain that goes round the queues.
  cl_event last = nullptr;
  for (int i = 0; i < 12; ++i) {
    cl_event event;
    const std::vector<cl_event> waits =
        last == nullptr ? std::vector<cl_event>{} : std::vector<cl_event>{last};
    const cl_int error = i % 2 == 0 ? EnqueueAdd(host, queues[i % 3], buffer, kInts, 3, waits, &event)
                                    : EnqueueTwice(host, queues[i % 3], buffer, waits, &event);
    if (error != CL_SUCCESS) SayError("chain", error);
    clFlush(queues[i % 3]);
    if (last != nullptr) clReleaseEvent(last);
    last = event;
  }
  SayError("wait for the last", clWaitForEvents(1, &last));
  clReleaseEvent(last);
  Say("round the queues: %s", Contents(queues[0], buffer, kInts).c_str());
  for (cl_command_queue queue : queues) SayError("finish", clFinish(queue));
  for (cl_command_queue queue : queues) SayError("release", clReleaseCommandQueue(queue));
  // Queues come and go, with work in them.
  for (int i = 0; i < 20; ++i) {
    cl_command_queue brief = host.Queue(i % 2 == 0 ? 0 : CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    EnqueueAdd(host, brief, buffer, kInts, 1);
    clFinish(brief);
    clReleaseCommandQueue(brief);
  }
  cl_command_queue reader = host.Queue();
  Say("brief queues: %s", Contents(reader, buffer, kInts).c_str());
  clReleaseCommandQueue(reader);
  clReleaseMemObject(buffer);
}

void SeveralContexts(const Host& host) {
  Say("devices %zu", host.devices.size());
  for (std::size_t i = 0; i < host.devices.size() + 1; ++i) {
    Host other = host;
    other.device = host.devices[i % host.devices.size()];
    cl_int error = CL_SUCCESS;
    other.context = clCreateContext(nullptr, 1, &other.device, nullptr, nullptr, &error);
    SayError("context", error);
    const char* source = Source();
    other.program = clCreateProgramWithSource(other.context, 1, &source, nullptr, &error);
    SayError("build", clBuildProgram(other.program, 1, &other.device, "", nullptr, nullptr));
    cl_command_queue queue = other.Queue();
    cl_mem buffer = other.Buffer(kInts, static_cast<int>(i));
    SayError("add", EnqueueAdd(other, queue, buffer, kInts, 5));
    Say("context %zu: %s", i, Contents(queue, buffer, kInts).c_str());
    clReleaseMemObject(buffer);
    clReleaseCommandQueue(queue);
    clReleaseProgram(other.program);
    clReleaseContext(other.context);
  }
}

void Threads(const Host& host) {
  // Each its own queue.
  constexpr int kThreads = 4;
  cl_command_queue queues[kThreads];
  cl_mem buffers[kThreads];
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    queues[t] = host.Queue();
    buffers[t] = host.Buffer(kInts, t);
    threads.emplace_back(Worker, &host, queues[t], buffers[t], 40);
  }
  for (auto& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t)
    Say("own queue %d: %s", t, Contents(queues[t], buffers[t], kInts).c_str());
  // All the same queue.
  threads.clear();
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(Worker, &host, queues[0], buffers[0], 40);
  for (auto& thread : threads) thread.join();
  Say("one queue: %s", Contents(queues[0], buffers[0], kInts).c_str());
  // One thread enqueues behind a user event that another sets after a wait of its own.
  cl_event user = clCreateUserEvent(host.context, nullptr);
  cl_event held;
  EnqueueAdd(host, queues[1], buffers[1], kInts, 1, {user}, &held);
  clFlush(queues[1]);
  std::thread setter([&] {
    EnqueueAdd(host, queues[2], buffers[2], kInts, 1);
    clFinish(queues[2]);
    clSetUserEventStatus(user, CL_COMPLETE);
  });
  SayError("wait for what the other lets go", clWaitForEvents(1, &held));
  setter.join();
  Say("let go: %s", Contents(queues[1], buffers[1], kInts).c_str());
  clReleaseEvent(user);
  clReleaseEvent(held);
  for (cl_mem buffer : buffers) clReleaseMemObject(buffer);
  for (cl_command_queue queue : queues) clReleaseCommandQueue(queue);
}

}  // namespace mortar::conformance
