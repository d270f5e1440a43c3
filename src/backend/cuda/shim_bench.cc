// What the CUDA shim adds to a call, as programs load it, over a driver that returns at once.
//
// Requests of 60 calls, then a wait that is not timed (LaunchSync: none).
//
// BM_CudaShim_Direct          the driver itself: subtract it.
// BM_CudaShim_Forwarded       a function that is only forwarded.
// BM_CudaShim_PassThrough     cuLaunchKernel through the shim while Mortar cannot work: no board can be
// opened. BM_CudaShim_HolderSubmit    cuLaunchKernel with 5 arguments through the gate, as holder, another
// client being on
//                             the board, sampling at its steady rate.
// BM_CudaShim_LaunchSync…     a launch and a wait for it, directly and as holder.
//
// The time of an iteration is a request's; median_ns is that of a call in the median request, single_… are of
// single calls by the processor's counter (steps of 10 ns on some processors), less what reading it takes.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "board/board.h"
#include "cuda/api/types.h"

extern "C" {
CUresult cuInit(unsigned int flags);
CUresult cuCtxSetCurrent(CUcontext context);
CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name);
CUresult cuLaunchKernel(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                        unsigned int by, unsigned int bz, unsigned int shared, CUstream stream,
                        void** arguments, void** extra);
CUresult cuStreamSynchronize(CUstream stream);
}

namespace mortar::cuda {
namespace {

auto* const kStream = reinterpret_cast<CUstream>(0x5000);
constexpr int kSingles = 240'000;
constexpr int kARequest = 60;  // calls, as the holder of bench/cuda

struct Functions {
  decltype(&cuLaunchKernel) launch;
  decltype(&cuStreamSynchronize) wait;
  decltype(&cuCtxSetCurrent) forwarded;
};

Functions OfTheDriver() {
  static void* driver = dlopen(STUB_DRIVER, RTLD_NOW | RTLD_LOCAL);
  return {reinterpret_cast<decltype(&cuLaunchKernel)>(dlsym(driver, "cuLaunchKernel")),
          reinterpret_cast<decltype(&cuStreamSynchronize)>(dlsym(driver, "cuStreamSynchronize")),
          reinterpret_cast<decltype(&cuCtxSetCurrent)>(dlsym(driver, "cuCtxSetCurrent"))};
}

Functions OfTheShim() { return {&cuLaunchKernel, &cuStreamSynchronize, &cuCtxSetCurrent}; }

CUfunction Kernel() {
  static CUfunction kernel = [] {
    CUfunction made = nullptr;
    cuModuleGetFunction(&made, nullptr, "kernel");
    return made;
  }();
  return kernel;
}

struct Launch {
  explicit Launch(const Functions& functions) : call(functions.launch) {
    for (std::size_t i = 0; i < arguments.size(); ++i) arguments[i] = &values[i];
  }
  CUresult operator()() { return call(kernel, 64, 1, 1, 256, 1, 1, 0, kStream, arguments.data(), nullptr); }
  decltype(&cuLaunchKernel) call;
  CUfunction kernel = Kernel();
  std::array<std::uint64_t, 5> values{};
  std::array<void*, 5> arguments{};
};

double Quantile(std::vector<std::uint64_t>& ticks, double q) {
  const auto at = static_cast<std::size_t>(q * static_cast<double>(ticks.size() - 1));
  std::nth_element(ticks.begin(), ticks.begin() + static_cast<std::ptrdiff_t>(at), ticks.end());
  return static_cast<double>(ticks[at]);
}

// The clock that single calls are timed by; without a counter there are no figures of single calls.
class Ticks {
 public:
  double Ns(double ticks) const {
    return static_cast<double>(scale_.ToNs(scale_.base + static_cast<std::uint64_t>(ticks))) - first_;
  }
  bool usable() const { return scale_.kind == base::ClockKind::kCounter; }

 private:
  base::ClockScale scale_ = base::MeasureClock();
  double first_ = static_cast<double>(scale_.ToNs(scale_.base));
};

template <typename Body>
std::uint64_t Timed(Body&& body) {
  const std::uint64_t before = base::ReadCounter();
  body();
  return base::ReadCounter() - before;
}

// Requests of kARequest calls of `body`, then `between`, untimed. Reports the time of a call in the median
// request, and the 99th percentile of single calls.
template <typename Body, typename Between>
void Measure(benchmark::State& state, Body&& body, Between&& between) {
  const Ticks clock;
  std::vector<std::uint64_t> requests;
  for (auto _ : state) {
    const std::int64_t before = base::MonotonicNs();
    requests.push_back(Timed([&] {
      for (int i = 0; i < kARequest; ++i) benchmark::DoNotOptimize(body());
    }));
    state.SetIterationTime(static_cast<double>(base::MonotonicNs() - before) * 1e-9);
    between();
  }
  if (!clock.usable()) return;
  state.counters["median_ns"] = clock.Ns(Quantile(requests, 0.5)) / kARequest;
  std::vector<std::uint64_t> nothing(kSingles);
  for (std::uint64_t& one : nothing) one = Timed([] { benchmark::ClobberMemory(); });
  std::vector<std::uint64_t> singles(kSingles);
  for (int i = 0; i < kSingles; ++i) {
    singles[static_cast<std::size_t>(i)] = Timed([&] { benchmark::DoNotOptimize(body()); });
    if (i % kARequest == kARequest - 1) between();
  }
  const double reading = Quantile(nothing, 0.5);
  state.counters["single_median_ns"] = clock.Ns(std::max(0.0, Quantile(singles, 0.5) - reading));
  state.counters["single_p99_ns"] = clock.Ns(std::max(0.0, Quantile(singles, 0.99) - reading));
}

// The process loads the stub as its driver; without a board until WithBoard.
void Prepare() {
  setenv("MORTAR_CUDA_DRIVER", STUB_DRIVER, 1);
  setenv("MORTAR_PROFILES", "", 1);
  setenv("MORTAR_PRIORITY", "0", 1);
  static const bool once = [] {
    setenv("MORTAR_DIR", "/nonexistent", 1);
    return cuInit(0) == CUDA_SUCCESS;
  }();
  benchmark::DoNotOptimize(once);
}

// A board with another client, below this one. Once per process: later benchmarks find it.
void WithBoard() {
  static const std::string directory = [] {
    char path[] = "/dev/shm/mortar-bench-XXXXXX";
    std::string made = mkdtemp(path);
    setenv("MORTAR_DIR", made.c_str(), 1);
    static board::Board other;
    auto opened = board::Board::Open(made, "0000:00:00.0", true);
    if (opened.ok()) {
      other = std::move(*opened);
      (void)other.Join({.name = "filler", .priority = 9}).ok();
    }
    // The refusal of before is remembered for a second.
    const timespec rest = {1, 100'000'000};
    nanosleep(&rest, nullptr);
    atexit([] {
      std::error_code ignored;
      std::filesystem::remove_all(getenv("MORTAR_DIR"), ignored);
    });
    return made;
  }();
  // Past what is remembered as skipped, and past the often sampled beginning.
  Launch launch(OfTheShim());
  for (int i = 0; i < 20'000; ++i) {
    launch();
    if (i % 50 == 0) cuStreamSynchronize(kStream);
  }
}

void Launches(benchmark::State& state, const Functions& functions) {
  Launch launch(functions);
  Measure(state, launch, [&] { functions.wait(kStream); });
}

void BM_CudaShim_Direct(benchmark::State& state) {
  Prepare();
  Launches(state, OfTheDriver());
}
BENCHMARK(BM_CudaShim_Direct)->UseManualTime();

void BM_CudaShim_Forwarded(benchmark::State& state) {
  Prepare();
  auto* call = OfTheShim().forwarded;
  Measure(
      state, [&] { return call(nullptr); }, [] {});
}
BENCHMARK(BM_CudaShim_Forwarded)->UseManualTime();

void BM_CudaShim_PassThrough(benchmark::State& state) {
  Prepare();
  Launches(state, OfTheShim());
}
BENCHMARK(BM_CudaShim_PassThrough)->UseManualTime();

void BM_CudaShim_HolderSubmit(benchmark::State& state) {
  Prepare();
  WithBoard();
  Launches(state, OfTheShim());
}
BENCHMARK(BM_CudaShim_HolderSubmit)->UseManualTime();

void LaunchSync(benchmark::State& state, const Functions& functions) {
  Launch launch(functions);
  Measure(
      state,
      [&] {
        launch();
        return functions.wait(kStream);
      },
      [] {});
}

void BM_CudaShim_LaunchSyncDirect(benchmark::State& state) {
  Prepare();
  LaunchSync(state, OfTheDriver());
}
BENCHMARK(BM_CudaShim_LaunchSyncDirect)->UseManualTime();

void BM_CudaShim_LaunchSync(benchmark::State& state) {
  Prepare();
  WithBoard();
  LaunchSync(state, OfTheShim());
}
BENCHMARK(BM_CudaShim_LaunchSync)->UseManualTime();

}  // namespace
}  // namespace mortar::cuda
