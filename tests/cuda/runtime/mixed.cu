// The runtime and the driver in one program, as libraries mix them: contexts, streams, events and memory of the one used by
// the other. nvcc -cudart shared; the driver is opened as libraries do.
#include <cuda.h>
#include <cuda_runtime.h>

#include "say.h"

using body::Expect;
using body::Say;

extern "C" __global__ void double_all(int* data, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) data[i] *= 2;
}

namespace {

constexpr int kCount = 256;

void DoubleOnHost(const void* const* arguments, const unsigned*, const unsigned*) {
  int* data = *static_cast<int* const*>(arguments[0]);
  for (int i = 0; i < *static_cast<const int*>(arguments[1]); ++i) data[i] *= 2;
}

// A kernel of the driver's own module.
constexpr char kPtx[] = R"(.version 7.0
.target sm_70
.address_size 64
.visible .entry add_one(.param .u64 data, .param .u32 count) {
  .reg .b32 %r<5>; .reg .b64 %d<4>; .reg .pred %p;
  ld.param.u64 %d1, [data];
  ld.param.u32 %r1, [count];
  mov.u32 %r2, %tid.x;
  setp.ge.u32 %p, %r2, %r1;
  @%p ret;
  cvta.to.global.u64 %d1, %d1;
  mul.wide.u32 %d2, %r2, 4;
  add.u64 %d3, %d1, %d2;
  ld.global.u32 %r3, [%d3];
  add.u32 %r3, %r3, 1;
  st.global.u32 [%d3], %r3;
  ret;
}
)";
void AddOneOnHost(const void* const* arguments, const unsigned*, const unsigned*) {
  int* data = *static_cast<int* const*>(arguments[0]);
  for (int i = 0; i < *static_cast<const int*>(arguments[1]); ++i) ++data[i];
}

template <typename Function>
Function* Driver(const char* name) {
  static void* library = dlopen("libcuda.so.1", RTLD_NOW);
  return library != nullptr ? reinterpret_cast<Function*>(dlsym(library, name)) : nullptr;
}
#define DRIVER(name) Driver<decltype(name)>(#name)

}  // namespace

int main() {
  Say("init", DRIVER(cuInit)(0));
  CUcontext before = nullptr, current = nullptr, primary = nullptr;
  Say("current", DRIVER(cuCtxGetCurrent)(&before));
  Expect(before == nullptr, "none before the runtime is used");
  Say("runtime", cudaFree(nullptr));
  body::Tell("double_all", DoubleOnHost);
  body::Tell("add_one", AddOneOnHost);
  Say("current", DRIVER(cuCtxGetCurrent)(&current));
  Say("primary", DRIVER(cuDevicePrimaryCtxRetain)(&primary, 0));
  Expect(current != nullptr && current == primary, "the runtime's is the primary context");

  CUmodule module = nullptr;
  CUfunction add_one = nullptr;
  Say("module", DRIVER(cuModuleLoadData)(&module, kPtx));
  Say("function", DRIVER(cuModuleGetFunction)(&add_one, module, "add_one"));
  CUdeviceptr data = 0;
  cudaStream_t stream = nullptr;
  CUevent between = nullptr;
  Say("memory", Driver<CUresult(CUdeviceptr*, size_t)>("cuMemAlloc_v2")(&data, kCount * sizeof(int)));
  Say("stream", cudaStreamCreate(&stream));
  Say("event", DRIVER(cuEventCreate)(&between, CU_EVENT_DEFAULT));
  int* pointer = reinterpret_cast<int*>(data);
  Say("set", cudaMemsetAsync(pointer, 0, kCount * sizeof(int), stream));
  int count = kCount;
  void* arguments[] = {&data, &count};
  for (int i = 0; i < 10; ++i) {
    Say("driver's", DRIVER(cuLaunchKernel)(add_one, 1, 1, 1, kCount, 1, 1, 0, stream, arguments, nullptr));
    double_all<<<1, kCount, 0, stream>>>(pointer, kCount);
  }
  Say("runtime's", cudaGetLastError());
  Say("record", DRIVER(cuEventRecord)(between, stream));
  Say("wait", cudaEventSynchronize(between));
  int host[kCount] = {};
  Say("copy", Driver<CUresult(void*, CUdeviceptr, size_t)>("cuMemcpyDtoH_v2")(host, data, sizeof host));
  Expect(host[0] == 2046 && host[kCount - 1] == 2046, "result");  // ten times add one, then double: 2^11 - 2

  // A context of its own is pushed; the runtime's memory stays the primary one's.
  CUcontext own = nullptr;
  Say("another", DRIVER(cuDevicePrimaryCtxRetain)(&own, 0));
  Say("push", Driver<CUresult(CUcontext)>("cuCtxPushCurrent_v2")(own));
  Say("copy", cudaMemcpy(host, pointer, sizeof host, cudaMemcpyDeviceToHost));
  Say("pop", Driver<CUresult(CUcontext*)>("cuCtxPopCurrent_v2")(&own));
  Say("free", cudaFree(pointer));
  Say("free again", Driver<CUresult(CUdeviceptr)>("cuMemFree_v2")(data));
  Say("gone", cudaStreamDestroy(stream) | DRIVER(cuEventDestroy)(between) | DRIVER(cuModuleUnload)(module));
  Say("synchronised", cudaDeviceSynchronize());
  return body::End();
}
