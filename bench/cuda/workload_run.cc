#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <random>

#include "base/clock.h"
#include "bench/cuda/workload.h"
#include "bench/pulse.h"
#include "cuda/api/types.h"
#include "emulated/clock.h"

namespace mortar::cuda_workload {
namespace {

using base::MonotonicNs;
using base::Status;

constexpr std::int64_t kProgressEveryNs = 1'000'000;  // chosen
constexpr unsigned kNoTiming = 2;                     // CU_EVENT_DISABLE_TIMING

volatile std::sig_atomic_t stopped = 0;
void Stop(int) { stopped = 1; }

// The host's own work: asleep for most of it, so that it leaves its processor to others, but exact.
void ThinkUntil(std::int64_t instant_ns) {
  if (instant_ns - MonotonicNs() > emulated::kSpinNs) emulated::SleepUntil(instant_ns - emulated::kSpinNs);
  emulated::SpinUntil(instant_ns);
}

// The driver, opened as programs do.
struct Driver {
  void* library = nullptr;
  template <typename Function>
  Function* Find(const char* name) {
    return library != nullptr ? reinterpret_cast<Function*>(dlsym(library, name)) : nullptr;
  }
  CUresult (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     CUstream, void**, void**) = nullptr;
  CUresult (*wait)(CUstream) = nullptr;
  CUresult (*wait_event)(CUevent) = nullptr;
  CUresult (*record)(CUevent, CUstream) = nullptr;
};

class Program {
 public:
  explicit Program(const Options& options) : options_(options), steps_(Steps(options)) {}

  Status Prepare();
  Status OpenPulse();
  Status Check();
  std::string DeviceName();
  Status Holder(Measured* measured, int requests, bool at_random);
  Status Filler(Measured* measured, int iterations);

 private:
  static Status Fail(const char* call, CUresult error) {
    return base::Error{base::Code::kSystem, std::string(call) + " answers " + std::to_string(error)};
  }
  Status Launch(int kernel) {
    std::uint64_t ns =
        static_cast<std::uint64_t>(Lengths(options_.role)[static_cast<std::size_t>(kernel)]) * 1000;
    void* arguments[] = {&counter_, &ns};
    const CUresult error = driver_.launch(kernels_[static_cast<std::size_t>(kernel)], 1, 1, 1, 1, 1, 1, 0,
                                          stream_, arguments, nullptr);
    ++launched_;
    pulse_.Beat();
    return error == CUDA_SUCCESS ? Status() : Fail("cuLaunchKernel", error);
  }
  Status Finish() {
    const CUresult error = driver_.wait(stream_);
    return error == CUDA_SUCCESS ? Status() : Fail("cuStreamSynchronize", error);
  }
  Status Request(std::int64_t* last_wait_ns);
  Status Iteration(Measured* measured);
  // Device time of a request or an iteration.
  std::int64_t RoundNs() const {
    std::int64_t sum = 0;
    for (const Step& step : steps_)
      sum += std::int64_t{Lengths(options_.role)[static_cast<std::size_t>(step.kernel)]} * 1000;
    return sum;
  }
  bool IsOver(int done, int limit, std::int64_t start_ns) const {
    return stopped != 0 || (limit > 0 && done >= limit) ||
           (limit == 0 && options_.seconds > 0 &&
            static_cast<double>(MonotonicNs() - start_ns) >= options_.seconds * 1e9);
  }

  const Options& options_;
  std::vector<Step> steps_;
  Driver driver_;
  CUstream stream_ = nullptr;
  CUdeviceptr counter_ = 0;
  std::vector<CUfunction> kernels_;
  std::vector<CUevent> events_;
  std::int64_t launched_ = 0;
  bench::Pulse pulse_;
};

// What each kernel does besides taking time, where the simulated device is to compute it too.
void CountOnHost(const void* const* arguments, const unsigned*, const unsigned*) {
  ++**static_cast<unsigned* const*>(arguments[0]);
}

Status Program::OpenPulse() {
  return options_.pulse_file.empty() ? Status() : pulse_.Open(options_.pulse_file);
}

Status Program::Prepare() {
  driver_.library = dlopen("libcuda.so.1", RTLD_NOW);
  if (driver_.library == nullptr)
    return base::Error{
        base::Code::kNotFound,
        "no libcuda.so.1: run it with mortar run --sim-device FILE.toml, or where there is a GPU"};
  driver_.launch = driver_.Find<std::remove_pointer_t<decltype(driver_.launch)>>("cuLaunchKernel");
  driver_.wait = driver_.Find<CUresult(CUstream)>("cuStreamSynchronize");
  driver_.wait_event = driver_.Find<CUresult(CUevent)>("cuEventSynchronize");
  driver_.record = driver_.Find<CUresult(CUevent, CUstream)>("cuEventRecord");
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  const std::string ptx = PtxText(options_.role);
  CUresult error = driver_.Find<CUresult(unsigned)>("cuInit")(0);
  if (error != CUDA_SUCCESS) return Fail("cuInit", error);
  error = driver_.Find<CUresult(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0);
  if (error == CUDA_SUCCESS) error = driver_.Find<CUresult(CUcontext)>("cuCtxSetCurrent")(context);
  if (error != CUDA_SUCCESS) return Fail("cuDevicePrimaryCtxRetain", error);
  error = driver_.Find<CUresult(CUmodule*, const void*)>("cuModuleLoadData")(&module, ptx.c_str());
  if (error != CUDA_SUCCESS) return Fail("cuModuleLoadData", error);
  using Register = void(const char*, void (*)(const void* const*, const unsigned*, const unsigned*));
  auto* tell = options_.check != 0 ? driver_.Find<Register>("mortar_simcuda_register") : nullptr;
  for (const int length : Lengths(options_.role)) {
    const std::string name = KernelName(options_.role, length);
    if (tell != nullptr) tell(name.c_str(), CountOnHost);
    error = driver_.Find<CUresult(CUfunction*, CUmodule, const char*)>("cuModuleGetFunction")(
        &kernels_.emplace_back(), module, name.c_str());
    if (error != CUDA_SUCCESS) return Fail("cuModuleGetFunction", error);
  }
  error = driver_.Find<CUresult(CUstream*, unsigned)>("cuStreamCreate")(&stream_, 1);
  if (error != CUDA_SUCCESS) return Fail("cuStreamCreate", error);
  error = driver_.Find<CUresult(CUdeviceptr*, std::size_t)>("cuMemAlloc_v2")(&counter_, 4096);
  if (error == CUDA_SUCCESS)
    error = driver_.Find<CUresult(CUdeviceptr, unsigned, std::size_t)>("cuMemsetD32_v2")(counter_, 0, 1024);
  if (error != CUDA_SUCCESS) return Fail("cuMemAlloc", error);
  for (int i = 0; i < options_.depth; ++i) {
    error = driver_.Find<CUresult(CUevent*, unsigned)>("cuEventCreate")(&events_.emplace_back(), kNoTiming);
    if (error != CUDA_SUCCESS) return Fail("cuEventCreate", error);
  }
  return {};
}

std::string Program::DeviceName() {
  char name[128] = "?";
  driver_.Find<CUresult(char*, int, CUdevice)>("cuDeviceGetName")(name, sizeof name, 0);
  return name;
}

// Every kernel has counted itself; on the simulated device only where it was told to.
Status Program::Check() {
  unsigned counted = 0;
  const CUresult error = driver_.Find<CUresult(void*, CUdeviceptr, std::size_t)>("cuMemcpyDtoH_v2")(
      &counted, counter_, sizeof counted);
  if (error != CUDA_SUCCESS) return Fail("cuMemcpyDtoH", error);
  if ((counted == 0 && options_.check == 0) || counted == static_cast<unsigned>(launched_)) return {};
  return base::Error{base::Code::kSystem, "wrong result: " + std::to_string(launched_) +
                                              " kernels launched, " + std::to_string(counted) + " counted"};
}

// One request: each kernel is followed by the host's work. Blocking: the host waits, then works.
// Asynchronous: it works for as long as kernel and gap together last, and waits once at the end.
Status Program::Request(std::int64_t* last_wait_ns) {
  const bool is_blocking = options_.mode == Mode::kBlocking;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const bool is_last = i + 1 == steps_.size();
    if (auto status = Launch(step.kernel); !status) return status;
    if (is_blocking || is_last) {
      if (auto status = Finish(); !status) return status;
    }
    const std::int64_t now = MonotonicNs();
    if (is_last) *last_wait_ns = now;
    const std::int64_t kernel_ns =
        std::int64_t{Lengths(options_.role)[static_cast<std::size_t>(step.kernel)]} * 1000;
    if (is_last && options_.rate > 0) return {};
    const std::int64_t rest_ns = is_last ? std::int64_t{options_.rest_us} * 1000 : step.gap_ns;
    ThinkUntil(now + rest_ns + (is_blocking || is_last ? 0 : kernel_ns));
  }
  return {};
}

Status Program::Holder(Measured* measured, int requests, bool at_random) {
  measured->start_ns = MonotonicNs();
  std::minstd_rand random(options_.seed + 77);
  std::exponential_distribution<double> apart(options_.rate > 0 ? options_.rate : 1);
  std::int64_t comes_ns = measured->start_ns;
  for (int request = 0; !IsOver(request, requests, measured->start_ns); ++request) {
    if (at_random) {
      comes_ns += static_cast<std::int64_t>(apart(random) * 1e9);
      ThinkUntil(comes_ns);
    }
    const std::int64_t started_ns = at_random ? comes_ns : MonotonicNs();
    std::int64_t last_wait_ns = 0;
    if (auto status = Request(&last_wait_ns); !status) return status;
    if (!pulse_.open_here()) {
      measured->request_start_ns.push_back(started_ns);
      measured->latency_ns.push_back(last_wait_ns - started_ns);
    }
    measured->kernels += options_.kernels;
    measured->device_ns += RoundNs();
  }
  measured->end_ns = MonotonicNs();
  return {};
}

// A ring of events bounds how far ahead the launches run, if anything does.
Status Program::Iteration(Measured* measured) {
  const auto depth = static_cast<std::size_t>(options_.depth);
  const std::int64_t before = measured->kernels;
  const auto done = [&](std::size_t kernels) {
    measured->kernels = before + static_cast<std::int64_t>(kernels);
    const std::int64_t now_ns = MonotonicNs();
    if (pulse_.open_here()) return;
    if (measured->progress.empty() || now_ns - measured->progress.back().first >= kProgressEveryNs)
      measured->progress.emplace_back(now_ns, measured->kernels);
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (i >= depth) {
      const CUresult error = driver_.wait_event(events_[i % depth]);
      if (error != CUDA_SUCCESS) return Fail("cuEventSynchronize", error);
      done(i - depth + 1);
    }
    if (auto status = Launch(steps_[i].kernel); !status) return status;
    if (depth >= steps_.size()) continue;
    const CUresult error = driver_.record(events_[i % depth], stream_);
    if (error != CUDA_SUCCESS) return Fail("cuEventRecord", error);
  }
  if (auto status = Finish(); !status) return status;
  done(steps_.size());
  measured->device_ns += RoundNs();
  return {};
}

Status Program::Filler(Measured* measured, int iterations) {
  measured->start_ns = MonotonicNs();
  for (int i = 0; !IsOver(i, iterations, measured->start_ns); ++i) {
    if (auto status = Iteration(measured); !status) return status;
  }
  measured->end_ns = MonotonicNs();
  return {};
}

}  // namespace

base::Result<Measured> Run(const Options& options) {
  std::signal(SIGTERM, Stop);
  Program program(options);
  if (auto status = program.Prepare(); !status) return status.error();
  if (auto status = program.OpenPulse(); !status) return status.error();
  const auto run = [&](Measured* measured, int count, bool at_random) {
    return options.role == Role::kHolder ? program.Holder(measured, count, at_random)
                                         : program.Filler(measured, count);
  };
  Measured warming;
  if (options.warm_up > 0) {
    if (auto status = run(&warming, options.warm_up, false); !status) return status.error();
  }
  if (!options.ready_file.empty())
    close(open(options.ready_file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  if (options.wait != 0) {
    std::fprintf(stderr, "cuda_workload: ready on %s\n", program.DeviceName().c_str());
    for (char byte = 0; byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1;) continue;
  }
  Measured measured;
  measured.device = program.DeviceName();
  if (auto status = run(&measured, options.requests, options.rate > 0); !status) return status.error();
  if (auto status = program.Check(); !status) return status.error();
  return measured;
}

}  // namespace mortar::cuda_workload
