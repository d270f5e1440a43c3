// What the OpenCL layer adds to an enqueue, on a dispatch that returns at once.
//
// BM_OpenClLayer_Direct       the dispatch itself: subtract it.
// BM_OpenClLayer_PassThrough  through the layer while Mortar cannot work (no board can be opened).
// BM_OpenClLayer_Gated        through the layer and the gate, as holder, another client being on the board.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cstring>
#include <string>

#include "backend/opencl/layer.h"
#include "board/board.h"

namespace mortar::opencl {
namespace {

cl_int CL_API_CALL FakeEnqueue(cl_command_queue, cl_kernel, cl_uint, const std::size_t*, const std::size_t*,
                               const std::size_t*, cl_uint, const cl_event*, cl_event*) {
  return CL_SUCCESS;
}
cl_int CL_API_CALL FakeQueueInfo(cl_command_queue, cl_command_queue_info what, std::size_t, void* out,
                                 std::size_t*) {
  if (what == CL_QUEUE_DEVICE) *static_cast<cl_device_id*>(out) = reinterpret_cast<cl_device_id>(0x1000);
  if (what == CL_QUEUE_PROPERTIES) *static_cast<cl_command_queue_properties*>(out) = 0;
  return CL_SUCCESS;
}
cl_int CL_API_CALL FakeDeviceInfo(cl_device_id, cl_device_info what, std::size_t, void* out, std::size_t*) {
  if (what == 0x410F) {  // PCI address
    std::memset(out, 0, 16);
    return CL_SUCCESS;
  }
  return CL_INVALID_VALUE;
}
cl_int CL_API_CALL FakeKernelInfo(cl_kernel, cl_kernel_info, std::size_t, void* out, std::size_t*) {
  std::strcpy(static_cast<char*>(out), "kernel");
  return CL_SUCCESS;
}

cl_icd_dispatch FakeDispatch() {
  cl_icd_dispatch fake = {};
  fake.clEnqueueNDRangeKernel = FakeEnqueue;
  fake.clGetCommandQueueInfo = FakeQueueInfo;
  fake.clGetDeviceInfo = FakeDeviceInfo;
  fake.clGetKernelInfo = FakeKernelInfo;
  return fake;
}

const cl_icd_dispatch& Layered() {
  static const cl_icd_dispatch* table = Install(FakeDispatch(), sizeof(cl_icd_dispatch) / sizeof(void*));
  return *table;
}

void Enqueue(benchmark::State& state, const cl_icd_dispatch& table, std::uintptr_t queue_handle) {
  const auto queue = reinterpret_cast<cl_command_queue>(queue_handle);
  const auto kernel = reinterpret_cast<cl_kernel>(0x3000);
  const std::size_t global = 1024;
  auto* enqueue = table.clEnqueueNDRangeKernel;
  for (auto _ : state) {
    benchmark::DoNotOptimize(enqueue(queue, kernel, 1, nullptr, &global, nullptr, 0, nullptr, nullptr));
  }
}

void BM_OpenClLayer_Direct(benchmark::State& state) {
  const cl_icd_dispatch fake = FakeDispatch();
  Enqueue(state, fake, 0x2000);
}
BENCHMARK(BM_OpenClLayer_Direct);

void BM_OpenClLayer_PassThrough(benchmark::State& state) {
  setenv("MORTAR_DIR", "/nonexistent", 1);
  setenv("MORTAR_PROFILES", "", 1);
  Enqueue(state, Layered(), 0x2000);
}
BENCHMARK(BM_OpenClLayer_PassThrough);

void BM_OpenClLayer_Gated(benchmark::State& state) {
  char path[] = "/dev/shm/mortar-bench-XXXXXX";
  const std::string directory = mkdtemp(path);
  setenv("MORTAR_DIR", directory.c_str(), 1);
  auto other = board::Board::Open(directory, "0000:00:00.0", true);
  if (other.ok()) (void)other->Join({.name = "filler", .priority = 9}).ok();
  // The refusal of the benchmark before is remembered for a second.
  struct timespec rest = {1, 100'000'000};
  nanosleep(&rest, nullptr);
  setenv("MORTAR_PRIORITY", "0", 1);
  Enqueue(state, Layered(), 0x2000);
  [[maybe_unused]] const int status = system(("rm -rf " + directory).c_str());
}
BENCHMARK(BM_OpenClLayer_Gated);

}  // namespace
}  // namespace mortar::opencl
