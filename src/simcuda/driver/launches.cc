// Modules, functions and launches.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"
#include "simcuda/driver/host_kernels.h"
#include "simcuda/driver/world.h"
#include "simcuda/image/image.h"

namespace mortar::simcuda {
namespace {

// Never freed: a launch may be looking at one while another thread unloads its module.
struct SimFunction {
  KernelImage kernel;
  std::map<Grid, KernelRule> rules;  // by grid, as they are asked for; guarded by modules_mutex
};

struct SimModule {
  std::vector<SimFunction*> functions;
};

constinit std::mutex modules_mutex;

// All three guarded by modules_mutex; never destroyed.
struct Known {
  std::unordered_set<SimModule*> modules;
  std::unordered_set<const SimFunction*> functions;
  std::map<std::string, MortarHostKernel, std::less<>> host_kernels;
};
Known& TheKnown() {
  static auto* known = new Known;
  return *known;
}

CUresult Load(CUmodule* module, const void* image) {
  if (Current() == nullptr)
    return TheWorld() == nullptr ? CUDA_ERROR_NOT_INITIALIZED : CUDA_ERROR_INVALID_CONTEXT;
  if (module == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const char* text = static_cast<const char*>(image);
  // A cubin or fatbin is told by its first bytes; only text ends with a NUL.
  if (std::memcmp(text,
                  "\x7f"
                  "ELF",
                  4) == 0 ||
      std::memcmp(text, "\x50\xed\x55\xba", 4) == 0) {
    base::LogOnce("simcuda image", "simulated CUDA device: cannot load a cubin or fatbin; give PTX");
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  if (!LooksLikePtx(text)) return CUDA_ERROR_INVALID_IMAGE;
  auto kernels = ReadPtx(text);
  if (!kernels) {
    base::Log("simulated CUDA device: " + kernels.error().message);
    return CUDA_ERROR_INVALID_PTX;
  }
  auto* made = new SimModule;
  const std::lock_guard lock(modules_mutex);
  for (KernelImage& kernel : *kernels) {
    made->functions.push_back(new SimFunction{std::move(kernel), {}});
    TheKnown().functions.insert(made->functions.back());
  }
  TheKnown().modules.insert(made);
  *module = reinterpret_cast<CUmodule>(made);
  return CUDA_SUCCESS;
}

struct Launch {
  Grid grid{};
  std::array<unsigned int, 3> block{};
  unsigned int shared_bytes = 0;
};

// The arguments' bytes, for the host kernel, which runs later.
std::vector<std::vector<char>> CopyArguments(const KernelImage& kernel, void** parameters) {
  std::vector<std::vector<char>> copies;
  for (std::size_t i = 0; parameters != nullptr && i < kernel.parameter_bytes.size(); ++i) {
    const char* bytes = static_cast<const char*>(parameters[i]);
    copies.emplace_back(bytes, bytes + kernel.parameter_bytes[i]);
  }
  return copies;
}

std::function<void()> HostRun(const KernelImage& kernel, const Launch& launch, void** parameters) {
  const MortarHostKernel host = FindHostKernel(kernel.name.c_str());
  if (host == nullptr) return nullptr;
  return [host, launch, arguments = CopyArguments(kernel, parameters)] {
    std::vector<const void*> pointers;
    pointers.reserve(arguments.size());
    for (const auto& argument : arguments) pointers.push_back(argument.data());
    host(pointers.data(), launch.grid.data(), launch.block.data());
  };
}

const KernelRule* RuleOf(SimFunction& function, const Grid& grid) {
  const std::lock_guard lock(modules_mutex);
  if (!TheKnown().functions.contains(&function)) return nullptr;
  auto found = function.rules.find(grid);
  if (found == function.rules.end()) {
    const KernelRule& rule = TheWorld()->description.RuleFor(function.kernel.name, grid);
    found = function.rules.emplace(grid, rule).first;
  }
  return &found->second;
}

bool IsSane(const Launch& launch) {
  std::uint64_t threads = 1;
  for (int i = 0; i < 3; ++i) {
    if (launch.grid[static_cast<std::size_t>(i)] == 0 || launch.block[static_cast<std::size_t>(i)] == 0)
      return false;
    threads *= std::min<std::uint64_t>(launch.block[static_cast<std::size_t>(i)], 1U << 20);
  }
  return threads <= 1024 && launch.grid[0] <= 2147483647U && launch.grid[1] <= 65535 &&
         launch.grid[2] <= 65535;
}

CUresult Run(CUfunction handle, const Launch& launch, CUstream stream_handle, bool per_thread,
             void** parameters, void** extra) {
  const SimStream* stream = FindStream(stream_handle, per_thread);
  if (stream == nullptr) return Current() == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_ERROR_INVALID_HANDLE;
  if (handle == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!IsSane(launch) || (parameters != nullptr && extra != nullptr)) return CUDA_ERROR_INVALID_VALUE;
  auto& function = *reinterpret_cast<SimFunction*>(handle);
  const KernelRule* rule = RuleOf(function, launch.grid);
  if (rule == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (parameters == nullptr && extra == nullptr && !function.kernel.parameter_bytes.empty()) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  Work work;
  work.kind = WorkKind::kKernel;
  work.duration_ns = KernelNs(*rule, launch.grid);
  work.latency_ns = TheWorld()->description.launch_latency_ns;
  work.occupancy = rule->occupancy_permille;
  SubmitWork(*stream, work, HostRun(function.kernel, launch, parameters));
  return CUDA_SUCCESS;
}

CUresult RunEx(const CUlaunchConfig* config, CUfunction function, bool per_thread, void** parameters,
               void** extra) {
  if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Launch launch{{config->gridDimX, config->gridDimY, config->gridDimZ},
                      {config->blockDimX, config->blockDimY, config->blockDimZ},
                      config->sharedMemBytes};
  return Run(function, launch, config->hStream, per_thread, parameters, extra);
}

}  // namespace

MortarHostKernel FindHostKernel(const char* name) {
  const std::lock_guard lock(modules_mutex);
  const auto found = TheKnown().host_kernels.find(std::string_view(name));
  return found == TheKnown().host_kernels.end() ? nullptr : found->second;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT void mortar_simcuda_register(const char* name, MortarHostKernel kernel) {
  const std::lock_guard lock(modules_mutex);
  if (name != nullptr) TheKnown().host_kernels[name] = kernel;
}

MORTAR_SIMCUDA_EXPORT CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return Load(module, image);
}
// Options steer a compiler that is not there.
MORTAR_SIMCUDA_EXPORT CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned int, int*,
                                                  void**) {
  return Load(module, image);
}

MORTAR_SIMCUDA_EXPORT CUresult cuModuleUnload(CUmodule hmod) {
  const std::lock_guard lock(modules_mutex);
  auto* module = reinterpret_cast<SimModule*>(hmod);
  if (TheKnown().modules.erase(module) == 0) return CUDA_ERROR_INVALID_HANDLE;
  for (const SimFunction* function : module->functions) TheKnown().functions.erase(function);
  delete module;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuModuleGetFunction(CUfunction* hfunc, CUmodule hmod, const char* name) {
  if (hfunc == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(modules_mutex);
  auto* module = reinterpret_cast<SimModule*>(hmod);
  if (!TheKnown().modules.contains(module)) return CUDA_ERROR_INVALID_HANDLE;
  for (SimFunction* function : module->functions) {
    if (function->kernel.name != name) continue;
    *hfunc = reinterpret_cast<CUfunction>(function);
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_NOT_FOUND;
}

MORTAR_SIMCUDA_EXPORT CUresult cuFuncGetName(const char** name, CUfunction hfunc) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(modules_mutex);
  const auto* function = reinterpret_cast<const SimFunction*>(hfunc);
  if (!TheKnown().functions.contains(function)) return CUDA_ERROR_INVALID_HANDLE;
  *name = function->kernel.name.c_str();
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
                                              unsigned int gridDimZ, unsigned int blockDimX,
                                              unsigned int blockDimY, unsigned int blockDimZ,
                                              unsigned int sharedMemBytes, CUstream hStream,
                                              void** kernelParams, void** extra) {
  const Launch launch{{gridDimX, gridDimY, gridDimZ}, {blockDimX, blockDimY, blockDimZ}, sharedMemBytes};
  return Run(f, launch, hStream, false, kernelParams, extra);
}
MORTAR_SIMCUDA_EXPORT CUresult cuLaunchKernel_ptsz(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
                                                   unsigned int gridDimZ, unsigned int blockDimX,
                                                   unsigned int blockDimY, unsigned int blockDimZ,
                                                   unsigned int sharedMemBytes, CUstream hStream,
                                                   void** kernelParams, void** extra) {
  const Launch launch{{gridDimX, gridDimY, gridDimZ}, {blockDimX, blockDimY, blockDimZ}, sharedMemBytes};
  return Run(f, launch, hStream, true, kernelParams, extra);
}
MORTAR_SIMCUDA_EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction f,
                                                void** kernelParams, void** extra) {
  return RunEx(config, f, false, kernelParams, extra);
}
MORTAR_SIMCUDA_EXPORT CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig* config, CUfunction f,
                                                     void** kernelParams, void** extra) {
  return RunEx(config, f, true, kernelParams, extra);
}
// NOLINTEND(readability-identifier-naming)
