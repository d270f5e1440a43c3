// Launches of kernels, and what they compute where a host function stands for the kernel.
#include "simcuda/driver/launches.h"

#include <algorithm>
#include <cstring>

#include "simcuda/driver/captures.h"
#include "simcuda/driver/host_kernels.h"
#include "simcuda/driver/modules.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kMaxThreads = 1024;
constexpr unsigned int kMostBlocksPerMultiprocessor = 32;
constexpr unsigned int kThreadsPerMultiprocessor = 2048;

constinit std::mutex host_kernels_mutex;
// Guarded by host_kernels_mutex; never destroyed.
std::map<std::string, MortarHostKernel, std::less<>>& HostKernels() {
  static auto* kernels = new std::map<std::string, MortarHostKernel, std::less<>>;
  return *kernels;
}

// Names `extra` by its marks: 1 buffer, 2 pointer to its size, 0 the end. Null: it has no buffer.
const char* BufferOf(void** extra, std::size_t* bytes) {
  const char* buffer = nullptr;
  *bytes = 0;
  for (std::size_t i = 0; extra[i] != nullptr; i += 2) {
    const auto mark = reinterpret_cast<std::uintptr_t>(extra[i]);
    if (mark == 1) buffer = static_cast<const char*>(extra[i + 1]);
    if (mark == 2) *bytes = *static_cast<const std::size_t*>(extra[i + 1]);
    if (mark > 2) return nullptr;
  }
  return buffer;
}

// The arguments' bytes: they run later.
bool CopyArguments(const KernelImage& kernel, void** parameters, void** extra,
                   std::vector<std::vector<char>>* copies) {
  std::size_t buffer_bytes = 0;
  const char* buffer = extra != nullptr ? BufferOf(extra, &buffer_bytes) : nullptr;
  if (extra != nullptr && buffer == nullptr) return false;
  copies->reserve(kernel.parameters.size());
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const KernelParameter& parameter = kernel.parameters[i];
    if (buffer != nullptr && parameter.offset + parameter.bytes > buffer_bytes) return false;
    const char* bytes =
        buffer != nullptr ? buffer + parameter.offset : static_cast<const char*>(parameters[i]);
    if (bytes == nullptr) return false;
    copies->emplace_back(bytes, bytes + parameter.bytes);
  }
  return true;
}

std::function<void()> HostRun(MortarHostKernel host, const Launch& launch,
                              std::vector<std::vector<char>> arguments) {
  return [host, launch, arguments = std::move(arguments)] {
    std::vector<const void*> pointers;
    pointers.reserve(arguments.size());
    for (const auto& argument : arguments) pointers.push_back(argument.data());
    host(pointers.data(), launch.grid.data(), launch.block.data());
  };
}

std::shared_ptr<const KernelCall> Remember(CUfunction function, const Launch& launch,
                                           const std::vector<std::vector<char>>& arguments) {
  auto call = std::make_shared<KernelCall>();
  call->function = function;
  call->launch = launch;
  call->arguments = arguments;
  for (auto& argument : call->arguments) call->pointers.push_back(argument.data());
  return call;
}

// All of a cooperative launch's blocks must be on the device at once.
bool FitsTogether(const SimDevice& device, const Launch& launch) {
  const unsigned int threads = launch.block[0] * launch.block[1] * launch.block[2];
  const std::uint64_t together = std::min(kMostBlocksPerMultiprocessor, kThreadsPerMultiprocessor / threads);
  const std::uint64_t blocks = std::uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  return blocks <= together * static_cast<std::uint64_t>(device.description.multiprocessors);
}

CUresult Check(const SimDevice& device, const Launch& launch) {
  std::uint64_t threads = 1;
  for (std::size_t i = 0; i < 3; ++i) {
    if (launch.grid[i] == 0 || launch.block[i] == 0) return CUDA_ERROR_INVALID_VALUE;
    threads *= std::min<std::uint64_t>(launch.block[i], 1U << 20);
  }
  constexpr unsigned int kMostGridX = 2147483647;
  constexpr unsigned int kMostGridYz = 65535;
  if (threads > kMaxThreads || launch.block[2] > 64 || launch.grid[0] > kMostGridX ||
      launch.grid[1] > kMostGridYz || launch.grid[2] > kMostGridYz)
    return CUDA_ERROR_INVALID_VALUE;
  if (launch.cooperative && !FitsTogether(device, launch)) return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
  return CUDA_SUCCESS;
}

// As much dynamic shared memory as the function's attribute says: what its own leaves of 48 KiB, unless set.
bool MayHave(const SimFunction& function, const SimDevice& device, unsigned int shared_bytes) {
  int most = 0;
  return shared_bytes == 0 ||
         (GetFunctionAttribute(function, kMaxDynamicShared, device, &most) == CUDA_SUCCESS &&
          std::int64_t{shared_bytes} <= most);
}

// An asynchronous error, as the description has it: sticks to the context when the kernel ends.
std::function<void()> Failing(SimContext* context, int error) {
  return [context, error] { context->error.store(static_cast<CUresult>(error)); };
}

CUresult Run(CUfunction function, const Launch& launch, CUstream handle, bool per_thread, void** parameters,
             void** extra) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  Operation operation;
  const SimDevice& device = *stream->context->device;
  const CUresult made = MakeLaunch(device, function, launch, parameters, extra, CapturesOpen(), &operation);
  return made != CUDA_SUCCESS ? made : Enqueue(*stream, operation);
}

CUresult RunEx(const CUlaunchConfig* config, CUfunction function, bool per_thread, void** parameters,
               void** extra) {
  constexpr int kLaunchCompletionEvent = 12;
  if (config == nullptr || (config->attrs == nullptr && config->numAttrs > 0))
    return CUDA_ERROR_INVALID_VALUE;
  Launch launch{{config->gridDimX, config->gridDimY, config->gridDimZ},
                {config->blockDimX, config->blockDimY, config->blockDimZ},
                config->sharedMemBytes};
  CUevent event = nullptr;
  for (unsigned int i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute& attribute = config->attrs[i];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) launch.cooperative = attribute.value.number != 0;
    // Kernels do not overlap within a stream here: such an event is recorded when the kernel has ended.
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT || attribute.id == kLaunchCompletionEvent)
      event = static_cast<CUevent>(attribute.value.pointer);
  }
  const CUresult run = Run(function, launch, config->hStream, per_thread, parameters, extra);
  if (run != CUDA_SUCCESS || event == nullptr) return run;
  return per_thread ? cuEventRecord_ptsz(event, config->hStream) : cuEventRecord(event, config->hStream);
}

}  // namespace

MortarHostKernel FindHostKernel(const char* name) {
  const std::lock_guard lock(host_kernels_mutex);
  const auto found = HostKernels().find(std::string_view(name));
  return found == HostKernels().end() ? nullptr : found->second;
}

CUresult MakeLaunch(const SimDevice& device, CUfunction handle, const Launch& launch, void** parameters,
                    void** extra, bool remember, Operation* operation) {
  if (handle == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (const CUresult checked = Check(device, launch); checked != CUDA_SUCCESS) return checked;
  KernelRule rule;
  const SimFunction* function = FindFunction(handle, &device, &launch.grid, &rule);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!MayHave(*function, device, launch.shared_bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (parameters != nullptr && extra != nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool needs = !function->kernel.parameters.empty();
  if (needs && parameters == nullptr && extra == nullptr) return CUDA_ERROR_INVALID_VALUE;
  operation->type = NodeType::kKernel;
  operation->work.kind = WorkKind::kKernel;
  operation->work.duration_ns = KernelNs(rule, launch.grid);
  operation->work.latency_ns = device.description.launch_latency_ns;
  operation->work.occupancy = rule.occupancy_permille;
  const MortarHostKernel host = FindHostKernel(function->kernel.name.c_str());
  std::vector<std::vector<char>> arguments;
  if (needs && (remember || host != nullptr) &&
      !CopyArguments(function->kernel, parameters, extra, &arguments))
    return CUDA_ERROR_INVALID_VALUE;
  if (remember) operation->parameters = Remember(handle, launch, arguments);
  if (host != nullptr) operation->run = HostRun(host, launch, std::move(arguments));
  if (rule.error != 0) {
    SimContext* context = Current();
    if (context != nullptr) operation->run = Failing(context, rule.error);
  }
  return CUDA_SUCCESS;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT void mortar_simcuda_register(const char* name, MortarHostKernel kernel) {
  const std::lock_guard lock(host_kernels_mutex);
  if (name != nullptr) HostKernels()[name] = kernel;
}

#define MORTAR_SHAPE                                                                           \
  unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX, \
      unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream
MORTAR_SIMCUDA_PTSZ(
    cuLaunchKernel, (CUfunction f, MORTAR_SHAPE, void** kernelParams, void** extra),
    Run(f, {{gridDimX, gridDimY, gridDimZ}, {blockDimX, blockDimY, blockDimZ}, sharedMemBytes, false},
        hStream, kPerThread, kernelParams, extra))
MORTAR_SIMCUDA_PTSZ(
    cuLaunchCooperativeKernel, (CUfunction f, MORTAR_SHAPE, void** kernelParams),
    Run(f, {{gridDimX, gridDimY, gridDimZ}, {blockDimX, blockDimY, blockDimZ}, sharedMemBytes, true}, hStream,
        kPerThread, kernelParams, nullptr))
MORTAR_SIMCUDA_PTSZ(cuLaunchKernelEx,
                    (const CUlaunchConfig* config, CUfunction f, void** kernelParams, void** extra),
                    RunEx(config, f, kPerThread, kernelParams, extra))
// NOLINTEND(readability-identifier-naming)
