// A program as tests see it: OpenCL through Mortar's layer over the mock driver, whose commands take time.
//
// Usage: layer_program SCENARIO. Prints one line an event on stdout and ends with 0.
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "backend/opencl/layer.h"
#include "backend/opencl/mock_driver.h"

namespace {

using namespace mortar;
using opencl::MockDriver;

void Say(const std::string& line) {
  const std::string whole = line + "\n";
  [[maybe_unused]] const auto written = write(STDOUT_FILENO, whole.data(), whole.size());
}
void AwaitWord() {
  char byte = 0;
  [[maybe_unused]] const auto got = read(STDIN_FILENO, &byte, 1);
}

const cl_icd_dispatch& Layer() {
  static const cl_icd_dispatch* table = opencl::Install(MockDriver::Get().dispatch(), opencl::kTableSize);
  return *table;
}
cl_command_queue MakeQueue() {
  return Layer().clCreateCommandQueue(nullptr, MockDriver::Get().device(), 0, nullptr);
}
cl_kernel MakeKernel() { return Layer().clCreateKernel(nullptr, "kernel", nullptr); }
cl_int Launch(cl_command_queue queue, cl_kernel kernel, cl_uint waits = 0, const cl_event* list = nullptr,
              cl_event* event = nullptr) {
  const std::size_t global = 64;
  return Layer().clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &global, nullptr, waits, list, event);
}

// Enqueues on an event that it completes itself, after its next enqueues. Whatever waited for the first
// command would wait for ever.
int UserEvent() {
  cl_command_queue queue = MakeQueue();
  cl_kernel kernel = MakeKernel();
  MockDriver::Get().duration_ns.store(300'000);
  for (int round = 0; round < 10; ++round) {
    cl_event user = Layer().clCreateUserEvent(nullptr, nullptr);
    if (Launch(queue, kernel, 1, &user) != CL_SUCCESS) return 3;
    for (int i = 0; i < 5; ++i) {
      if (Launch(queue, kernel) != CL_SUCCESS) return 4;
    }
    Layer().clSetUserEventStatus(user, CL_COMPLETE);
    if (Layer().clFinish(queue) != CL_SUCCESS) return 5;
    Layer().clReleaseEvent(user);
  }
  Say("done");
  return 0;
}

// The same from two threads: one enqueues, the other completes the event once it has enqueued something too.
int TwoThreads() {
  cl_command_queue queue = MakeQueue();
  cl_kernel kernel = MakeKernel();
  for (int round = 0; round < 10; ++round) {
    cl_event user = Layer().clCreateUserEvent(nullptr, nullptr);
    cl_event last = nullptr;
    Launch(queue, kernel, 1, &user, &last);
    std::thread other([&] {
      Launch(MakeQueue(), kernel);
      Layer().clSetUserEventStatus(user, CL_COMPLETE);
    });
    Layer().clWaitForEvents(1, &last);
    other.join();
  }
  Say("done");
  return 0;
}

struct Chain {
  cl_command_queue queue;
  cl_kernel kernel;
  std::atomic<int> left;
};
void CL_CALLBACK Continue(cl_event, cl_int, void* data) {
  auto* chain = static_cast<Chain*>(data);
  if (chain->left.fetch_sub(1) <= 0) return;
  cl_event next = nullptr;
  Launch(chain->queue, chain->kernel, 0, nullptr, &next);
  Layer().clSetEventCallback(next, CL_COMPLETE, Continue, chain);
}

// Each callback enqueues the next command, while another thread is held.
int Callbacks() {
  static Chain chain{MakeQueue(), MakeKernel(), {20}};
  cl_event user = Layer().clCreateUserEvent(nullptr, nullptr);
  // From a callback's scope, so that it is not held itself.
  {
    const client::CallbackScope scope;
    cl_event first = nullptr;
    Launch(chain.queue, chain.kernel, 1, &user, &first);
    Layer().clSetEventCallback(first, CL_COMPLETE, Continue, &chain);
  }
  Say("slot");
  std::thread held([] { Launch(MakeQueue(), chain.kernel); });
  AwaitWord();
  Layer().clSetUserEventStatus(user, CL_COMPLETE);
  Say("callbacks left " + std::to_string(chain.left.load()));
  held.join();
  Say("done");
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::string scenario = count > 1 ? words[1] : "";
  const int status = scenario == "user-event"    ? UserEvent()
                     : scenario == "two-threads" ? TwoThreads()
                     : scenario == "callbacks"   ? Callbacks()
                                                 : 2;
  client::Shutdown();
  return status;
}
