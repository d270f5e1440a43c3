// Launches of kernels and graphs: identity (name, shape, small scalars where durations prove bimodal),
// and the gate.
#include "backend/cuda/functions.h"
#include "backend/cuda/submit.h"
#include "model/kernel_id.h"

namespace mortar::cuda {

constinit thread_local ThreadActivity thread_activity;

namespace {

struct KernelLaunch {
  CUfunction function;
  model::LaunchShape shape;
  CUstream stream;
  bool per_thread;
  void** arguments = nullptr;
  bool programmatic = false;  // may overlap the kernel before it: nothing may come between the two
};

// What was launched last by this thread on a stream, to be told that a programmatic launch followed.
struct LastLaunch {
  CUstream stream;
  Function* function;
};
__attribute__((tls_model("initial-exec"))) constinit thread_local LastLaunch last_launch = {};

// Of a kernel whose durations prove bimodal the arguments tell more.
[[gnu::noinline, gnu::cold]] predict::Kernel* IdentifyByArguments(client::Device* device, Function& function,
                                                                  const KernelLaunch& launch,
                                                                  const predict::Kernel& kernel) {
  const std::uint64_t arguments = HashArguments(function, launch.function, launch.arguments);
  return client::FindKernel(device, kernel, arguments);
}

inline predict::Kernel* Identify(client::Device* device, Function& function, const KernelLaunch& launch) {
  predict::Kernel* kernel =
      client::FindKernel(device, model::MakeKernelId(function.name_hash, launch.shape), function.text());
  if (kernel == nullptr || !kernel->split.load(std::memory_order_relaxed)) [[likely]]
    return kernel;
  return IdentifyByArguments(device, function, launch, *kernel);
}

// REQUIRES: caller has a lane, launch has a function.
template <typename Call>
inline CUresult Launch(const Caller& caller, const KernelLaunch& launch, Call&& call) noexcept {
  Function* function = FindFunction(launch.function);
  if (function == nullptr) [[unlikely]] {
    const CUresult status = Submit(caller, {}, call);
    if (status == CUDA_SUCCESS) LearnFunction(launch.function, nullptr);
    return status;
  }
  if (launch.programmatic && last_launch.function != nullptr && last_launch.stream == caller.stream) {
    last_launch.function->before_programmatic.store(true, std::memory_order_relaxed);
  }
  last_launch = {caller.stream, function};
  const bool may_sample =
      !launch.programmatic && !function->before_programmatic.load(std::memory_order_relaxed);
  return Submit(caller, {.kernel = Identify(caller.device, *function, launch), .may_sample = may_sample},
                call);
}

// A call that the driver will refuse goes straight to it.
inline Caller FindLauncher(CUfunction function, CUstream stream, bool per_thread) {
  return function != nullptr ? FindCaller(stream, per_thread) : Caller{};
}

// Without a lane: `call`, and nothing stored before it. Else as above.
template <typename Call>
inline CUresult Launch(const KernelLaunch& launch, Call&& call) noexcept {
  const Caller caller = FindLauncher(launch.function, launch.stream, launch.per_thread);
  return caller ? Launch(caller, launch, call) : call();
}

// What passes through takes no frame and stores nothing; everything else is out of its way in here.
template <Symbol kSymbol, typename... Rest>
[[gnu::noinline]] CUresult LaunchGated(const Caller& caller, const KernelLaunch& launch,
                                       Rest... rest) noexcept {
  return Launch(caller, launch, [&] {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned int>(n); };
    const auto& [grid, block, shared_bytes] = launch.shape;
    return Real<kSymbol>()(launch.function, number(grid[0]), number(grid[1]), number(grid[2]),
                           number(block[0]), number(block[1]), number(block[2]), number(shared_bytes),
                           launch.stream, launch.arguments, rest...);
  });
}

template <Symbol kSymbol, bool kPerThread>
inline CUresult LaunchShaped(CUfunction f, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                             unsigned int block_x, unsigned int block_y, unsigned int block_z,
                             unsigned int shared, CUstream stream, void** arguments, auto... rest) noexcept {
  const Caller caller = FindLauncher(f, stream, kPerThread);
  if (!caller) {
    return Real<kSymbol>()(f, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, arguments,
                           rest...);
  }
  return LaunchGated<kSymbol>(caller,
                              {.function = f,
                               .shape = {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared},
                               .stream = stream,
                               .per_thread = kPerThread,
                               .arguments = arguments},
                              rest...);
}

bool IsProgrammatic(const CUlaunchConfig& config) {
  for (unsigned int i = 0; config.attrs != nullptr && i < config.numAttrs; ++i) {
    const int id = config.attrs[i].id;
    const bool serialization = id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    if (id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT || (serialization && config.attrs[i].value.number != 0))
      return true;
  }
  return false;
}

template <Symbol kSymbol, bool kPerThread>
inline CUresult LaunchEx(const CUlaunchConfig* config, CUfunction f, void** arguments,
                         void** extra) noexcept {
  const auto call = [&] { return Real<kSymbol>()(config, f, arguments, extra); };
  if (config == nullptr) return call();
  return Launch({.function = f,
                 .shape = {{config->gridDimX, config->gridDimY, config->gridDimZ},
                           {config->blockDimX, config->blockDimY, config->blockDimZ},
                           config->sharedMemBytes},
                 .stream = config->hStream,
                 .per_thread = kPerThread,
                 .arguments = arguments,
                 .programmatic = IsProgrammatic(*config)},
                call);
}

template <Symbol kSymbol, bool kPerThread>
inline CUresult LaunchGraph(CUgraphExec graph, CUstream stream) noexcept {
  const auto call = [&] { return Real<kSymbol>()(graph, stream); };
  if (graph == nullptr) return call();
  const Caller caller = FindCaller(stream, kPerThread);
  const Function* known = caller ? FindGraph(graph) : nullptr;
  if (known == nullptr) return call();
  last_launch = {};
  predict::Kernel* kernel =
      client::FindKernel(caller.device, model::MakeKernelId(known->name_hash, {}), known->text());
  return Submit(caller, {.kernel = kernel}, call);
}

}  // namespace

MORTAR_CUDA_HANDLER(cuLaunchKernel)
(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
 unsigned int bz, unsigned int shared, CUstream stream, void** arguments, void** extra) noexcept {
  return LaunchShaped<Symbol::cuLaunchKernel, false>(f, gx, gy, gz, bx, by, bz, shared, stream, arguments,
                                                     extra);
}

MORTAR_CUDA_HANDLER(cuLaunchKernel_ptsz)
(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
 unsigned int bz, unsigned int shared, CUstream stream, void** arguments, void** extra) noexcept {
  return LaunchShaped<Symbol::cuLaunchKernel_ptsz, true>(f, gx, gy, gz, bx, by, bz, shared, stream, arguments,
                                                         extra);
}

MORTAR_CUDA_HANDLER(cuLaunchCooperativeKernel)
(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
 unsigned int bz, unsigned int shared, CUstream stream, void** arguments) noexcept {
  return LaunchShaped<Symbol::cuLaunchCooperativeKernel, false>(f, gx, gy, gz, bx, by, bz, shared, stream,
                                                                arguments);
}

MORTAR_CUDA_HANDLER(cuLaunchCooperativeKernel_ptsz)
(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
 unsigned int bz, unsigned int shared, CUstream stream, void** arguments) noexcept {
  return LaunchShaped<Symbol::cuLaunchCooperativeKernel_ptsz, true>(f, gx, gy, gz, bx, by, bz, shared, stream,
                                                                    arguments);
}

MORTAR_CUDA_HANDLER(cuLaunchKernelEx)
(const CUlaunchConfig* config, CUfunction f, void** arguments, void** extra) noexcept {
  return LaunchEx<Symbol::cuLaunchKernelEx, false>(config, f, arguments, extra);
}

MORTAR_CUDA_HANDLER(cuLaunchKernelEx_ptsz)
(const CUlaunchConfig* config, CUfunction f, void** arguments, void** extra) noexcept {
  return LaunchEx<Symbol::cuLaunchKernelEx_ptsz, true>(config, f, arguments, extra);
}

// One kernel on several devices: it is the first one's that is identified and held; the driver
// starts them together.
MORTAR_CUDA_HANDLER(cuLaunchCooperativeKernelMultiDevice)
(CUDA_LAUNCH_PARAMS* list, unsigned int count, unsigned int flags) noexcept {
  const auto call = [&] { return Real<Symbol::cuLaunchCooperativeKernelMultiDevice>()(list, count, flags); };
  if (list == nullptr || count == 0) return call();
  const CUDA_LAUNCH_PARAMS& first = list[0];
  return Launch({.function = first.function,
                 .shape = {{first.gridDimX, first.gridDimY, first.gridDimZ},
                           {first.blockDimX, first.blockDimY, first.blockDimZ},
                           first.sharedMemBytes},
                 .stream = first.hStream,
                 .per_thread = false,
                 .arguments = first.kernelParams},
                call);
}

MORTAR_CUDA_HANDLER(cuLaunch)(CUfunction f) noexcept {
  return Launch({.function = f, .shape = {}, .stream = nullptr, .per_thread = false},
                [&] { return Real<Symbol::cuLaunch>()(f); });
}

MORTAR_CUDA_HANDLER(cuLaunchGrid)(CUfunction f, int width, int height) noexcept {
  return Launch({.function = f,
                 .shape = {{static_cast<unsigned>(width), static_cast<unsigned>(height), 1}},
                 .stream = nullptr,
                 .per_thread = false},
                [&] { return Real<Symbol::cuLaunchGrid>()(f, width, height); });
}

MORTAR_CUDA_HANDLER(cuLaunchGridAsync)(CUfunction f, int width, int height, CUstream stream) noexcept {
  return Launch({.function = f,
                 .shape = {{static_cast<unsigned>(width), static_cast<unsigned>(height), 1}},
                 .stream = stream,
                 .per_thread = false},
                [&] { return Real<Symbol::cuLaunchGridAsync>()(f, width, height, stream); });
}

MORTAR_CUDA_HANDLER(cuGraphLaunch)(CUgraphExec graph, CUstream stream) noexcept {
  return LaunchGraph<Symbol::cuGraphLaunch, false>(graph, stream);
}

MORTAR_CUDA_HANDLER(cuGraphLaunch_ptsz)(CUgraphExec graph, CUstream stream) noexcept {
  return LaunchGraph<Symbol::cuGraphLaunch_ptsz, true>(graph, stream);
}

}  // namespace mortar::cuda
