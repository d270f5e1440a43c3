// How late a program sees the end of a kernel: from the instant at which the model ends it to the return of
// the wait. One kernel of a known length a round, on an idle device; its end by the model is what events say.
#include <benchmark/benchmark.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "cuda/api/types.h"

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) extern "C" CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

namespace {

constexpr double kLaunchLatencyUs = 4;

double NowUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

// A device of its own for this process, where kernels called "us_N" take N µs.
bool Prepare(CUmodule* module) {
  static char folder[] = "/dev/shm/mortar-completion-XXXXXX";
  if (mkdtemp(folder) == nullptr) return false;
  const std::string file = std::string(folder) + "/gpu.toml";
  std::ofstream out(file);
  std::string ptx = ".version 8.0\n.target sm_80\n.address_size 64\n";
  out << "[time]\nlaunch_latency_us = " << kLaunchLatencyUs << "\n";
  for (const int us : {10, 100, 1000}) {
    out << "[[kernel]]\nname = \"us_" << us << "\"\nus = " << us << "\n";
    ptx += ".visible .entry us_" + std::to_string(us) + "() { ret; }\n";
  }
  out.close();
  setenv("MORTAR_DIR", folder, 1);
  setenv("MORTAR_SIM_DEVICE", file.c_str(), 1);
  CUcontext context = nullptr;
  const bool made = cuInit(0) == CUDA_SUCCESS && cuCtxCreate_v2(&context, 0, 0) == CUDA_SUCCESS &&
                    cuModuleLoadData(module, ptx.c_str()) == CUDA_SUCCESS;
  unlink(file.c_str());
  unlink((std::string(folder) + "/simcuda/0000:01:00.0.device").c_str());
  rmdir((std::string(folder) + "/simcuda").c_str());
  rmdir(folder);
  return made;
}

// Null: the device cannot be used.
CUfunction FindKernel(const std::string& name) {
  static CUmodule module = nullptr;
  static const bool ready = Prepare(&module);
  CUfunction function = nullptr;
  return ready && cuModuleGetFunction(&function, module, name.c_str()) == CUDA_SUCCESS ? function : nullptr;
}

// The wait's return, less the launch's call, less latency and length: what the program sees too much, with
// the time in the launch call itself.
void BM_SimulatedCompletion(benchmark::State& state) {
  const auto us = static_cast<double>(state.range(0));
  CUfunction function = FindKernel("us_" + std::to_string(state.range(0)));
  if (function == nullptr) {
    state.SkipWithError("the simulated device cannot be used");
    return;
  }
  std::vector<double> late;
  for (auto _ : state) {
    const double before = NowUs();
    cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
    cuStreamSynchronize(nullptr);
    late.push_back(NowUs() - before - kLaunchLatencyUs - us);
  }
  std::sort(late.begin(), late.end());
  state.counters["late_median_us"] = late[late.size() / 2];
  state.counters["late_p99_us"] = late[late.size() * 99 / 100];
}
BENCHMARK(BM_SimulatedCompletion)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime();

// What a launch's call costs the program.
void BM_SimulatedLaunch(benchmark::State& state) {
  CUfunction function = FindKernel("us_10");
  if (function == nullptr) {
    state.SkipWithError("the simulated device cannot be used");
    return;
  }
  int queued = 0;
  for (auto _ : state) {
    cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
    if (++queued < 500) continue;
    state.PauseTiming();
    cuStreamSynchronize(nullptr);
    queued = 0;
    state.ResumeTiming();
  }
  cuStreamSynchronize(nullptr);
}
BENCHMARK(BM_SimulatedLaunch);

}  // namespace
