// What a call of cuLaunchKernel takes, and a launch with a wait for it, on whatever libcuda.so.1 the program
// finds: the driver's own, or Mortar's in front of it. Kernels are empty. Prints one JSON line.
//
//   gpu_launch_cost [LAUNCHES]      60 launches a request, then a wait that is not timed
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/clock.h"
#include "cuda/api/types.h"

namespace {

constexpr char kPtx[] = R"(.version 7.0
.target sm_70
.address_size 64
.visible .entry empty(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 d, .param .u32 e) { ret; }
)";
constexpr int kARequest = 60;

void* library = nullptr;
template <typename Function>
Function* Find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

double Quantile(std::vector<std::int64_t>& values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return static_cast<double>(values[static_cast<std::size_t>(at)]);
}

}  // namespace

int main(int count, char** words) {
  using mortar::base::MonotonicNs;
  const int launches = count > 1 ? std::max(600, std::atoi(words[1])) : 60'000;
  library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "gpu_launch_cost: %s\n", dlerror());
    return 1;
  }
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  CUfunction kernel = nullptr;
  CUstream stream = nullptr;
  int failed = Find<CUresult(unsigned)>("cuInit")(0);
  if (failed == 0) failed = Find<CUresult(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0);
  if (failed == 0) failed = Find<CUresult(CUcontext)>("cuCtxSetCurrent")(context);
  if (failed == 0) failed = Find<CUresult(CUmodule*, const void*)>("cuModuleLoadData")(&module, kPtx);
  if (failed == 0)
    failed =
        Find<CUresult(CUfunction*, CUmodule, const char*)>("cuModuleGetFunction")(&kernel, module, "empty");
  if (failed == 0) failed = Find<CUresult(CUstream*, unsigned)>("cuStreamCreate")(&stream, 1);
  if (failed != 0) {
    std::fprintf(stderr, "gpu_launch_cost: the driver answers %d\n", failed);
    return 1;
  }
  auto* launch = Find<CUresult(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                               unsigned, CUstream, void**, void**)>("cuLaunchKernel");
  auto* wait = Find<CUresult(CUstream)>("cuStreamSynchronize");
  std::uint64_t a = 0, b = 0, c = 0;
  std::uint32_t d = 0, e = 0;
  void* arguments[] = {&a, &b, &c, &d, &e};
  const auto once = [&] { return launch(kernel, 1, 1, 1, 32, 1, 1, 0, stream, arguments, nullptr); };
  std::vector<std::int64_t> calls;
  std::vector<std::int64_t> whole;
  // The first half warms up: Mortar samples new kernels often at first.
  for (int i = 0; i < 2 * launches; ++i) {
    const std::int64_t before = MonotonicNs();
    if (once() != CUDA_SUCCESS) return 1;
    if (i >= launches) calls.push_back(MonotonicNs() - before);
    if (i % kARequest == kARequest - 1) wait(stream);
  }
  for (int i = 0; i < 2 * launches / 10; ++i) {
    const std::int64_t before = MonotonicNs();
    once();
    wait(stream);
    if (i >= launches / 10) whole.push_back(MonotonicNs() - before);
  }
  std::printf(
      "{\"launch_p50_ns\": %.0f, \"launch_p99_ns\": %.0f, \"launch_sync_p50_ns\": %.0f, "
      "\"launch_sync_p99_ns\": %.0f, \"launches\": %d}\n",
      Quantile(calls, 0.5), Quantile(calls, 0.99), Quantile(whole, 0.5), Quantile(whole, 0.99), launches);
  return 0;
}
