// A program that uses OpenCL in every way Mortar has to keep intact, and prints what it sees: results, error
// codes, answers of events. No times, no addresses: two runs print the same, and so must a run under any of
// Mortar's layers.
//
// Each section is a function that prints lines through Say. Sections build on nothing but the Host.
#pragma once

#include <CL/cl.h>

#include <cstdio>
#include <string>
#include <vector>

namespace mortar::conformance {

// What every section needs: the first device, one context, the kernels of Source().
struct Host {
  cl_platform_id platform = nullptr;
  std::vector<cl_device_id> devices;
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  cl_program program = nullptr;
  std::string self;  // path of this program

  cl_kernel Kernel(const char* name) const;
  cl_command_queue Queue(cl_command_queue_properties properties = 0) const;
  cl_mem Buffer(std::size_t ints, int value) const;
};

// Returns false, having said why on stderr, if there is no device.
bool OpenHost(Host* host);
void CloseHost(Host* host);
const char* Source();

// printf and a newline, prefixed with the running section's name.
__attribute__((format(printf, 1, 2))) void Say(const char* format, ...);
const char* ErrorName(cl_int error);
const char* StatusName(cl_int status);
// "what: CL_…"
void SayError(const char* what, cl_int error);
// Any value of OpenCL's Get…Info functions.
template <typename T, typename Function, typename Handle>
T Ask(Function function, Handle handle, cl_uint name) {
  T value{};
  function(handle, name, sizeof value, &value, nullptr);
  return value;
}
cl_int ExecutionStatus(cl_event event);

// Sum and alternating sum of a buffer's numbers, read through `queue` with a blocking read.
std::string Contents(cl_command_queue queue, cl_mem buffer, std::size_t ints);
// Enqueues "add" on `buffer`: each number grows by `amount`.
cl_int EnqueueAdd(const Host& host, cl_command_queue queue, cl_mem buffer, std::size_t ints, int amount,
                  std::vector<cl_event> waits = {}, cl_event* event = nullptr);

using Section = void (*)(const Host& host);
void Kernels(const Host& host);
void Copies(const Host& host);
void LongCopies(const Host& host);
void RectCopies(const Host& host);
void Maps(const Host& host);
void Waits(const Host& host);
void Events(const Host& host);
void References(const Host& host);
void MarkersAndBarriers(const Host& host);
void Callbacks(const Host& host);
void UserEvents(const Host& host);
void Profiling(const Host& host);
void QueueProperties(const Host& host);
void KernelErrors(const Host& host);
void TransferErrors(const Host& host);
void WaitErrors(const Host& host);
void Order(const Host& host);
void SeveralQueues(const Host& host);
void SeveralContexts(const Host& host);
void Threads(const Host& host);
void Extensions(const Host& host);
void Images(const Host& host);
void SharedMemory(const Host& host);
void NativeKernels(const Host& host);
void Partitions(const Host& host);
void CommandBuffers(const Host& host);
void Ranges(const Host& host);
void ForkAndExec(const Host& host);
// Forks before OpenCL was ever used; both sides then use it. REQUIRES: no other section has run.
int ForkBeforeUse(const std::string& self);

}  // namespace mortar::conformance
