// Launches: <<<…>>> pushes a configuration that the kernel's stub takes up again.
#include <algorithm>
#include <climits>
#include <vector>

#include "simcuda/runtime/runtime.h"

namespace mortar::cudart {
namespace {

struct Configuration {
  dim3 grid, block;
  std::size_t shared_bytes;
  CUstream stream;
};
std::vector<Configuration>& Pushed() {
  static thread_local std::vector<Configuration> pushed;
  return pushed;
}

bool AreWithin(dim3 size, dim3 most) {
  return size.x > 0 && size.y > 0 && size.z > 0 && size.x <= most.x && size.y <= most.y && size.z <= most.z;
}

// The runtime has a name of its own for a grid or block that no device takes.
CUresult Named(CUresult result, dim3 grid, dim3 block) {
  constexpr dim3 kMostGrid{2147483647, 65535, 65535};
  constexpr dim3 kMostBlock{1024, 1024, 64};
  constexpr std::size_t kMostThreads = 1024;
  const bool takes = AreWithin(grid, kMostGrid) && AreWithin(block, kMostBlock) &&
                     std::size_t{block.x} * block.y * block.z <= kMostThreads;
  return result == CUDA_ERROR_INVALID_VALUE && !takes ? static_cast<CUresult>(cudaErrorInvalidConfiguration)
                                                      : result;
}

// What does not fit the driver's type is too much as well.
unsigned int Narrowed(std::size_t bytes) {
  return static_cast<unsigned int>(std::min<std::size_t>(bytes, UINT_MAX));
}

template <Symbol kSymbol, typename... Rest>
cudaError_t Launch(const void* kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes,
                   CUstream stream, Rest... rest) {
  return Run([&] {
    CUfunction function = nullptr;
    if (const CUresult found = FindFunction(kernel, &function); found != CUDA_SUCCESS) return found;
    return Named(Call<kSymbol>(function, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                               Narrowed(shared_bytes), stream, arguments, rest...),
                 grid, block);
  });
}

template <Symbol kSymbol>
cudaError_t LaunchConfigured(const cudaLaunchConfig_t* config, const void* kernel, void** arguments) {
  if (config == nullptr) return Keep(cudaErrorInvalidValue);
  return Run([&] {
    CUfunction function = nullptr;
    if (const CUresult found = FindFunction(kernel, &function); found != CUDA_SUCCESS) return found;
    const CUlaunchConfig lowered{config->gridDim.x,
                                 config->gridDim.y,
                                 config->gridDim.z,
                                 config->blockDim.x,
                                 config->blockDim.y,
                                 config->blockDim.z,
                                 Narrowed(config->dynamicSmemBytes),
                                 config->stream,
                                 config->attrs,
                                 config->numAttrs};
    return Named(Call<kSymbol>(&lowered, function, arguments, static_cast<void**>(nullptr)), config->gridDim,
                 config->blockDim);
  });
}

template <typename Ask>
cudaError_t OfFunction(const void* kernel, Ask&& ask) {
  return Run([&] {
    CUfunction function = nullptr;
    const CUresult found = FindFunction(kernel, &function);
    return found != CUDA_SUCCESS ? found : ask(function);
  });
}

}  // namespace
}  // namespace mortar::cudart

using namespace mortar::cudart;

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the interface's names
MORTAR_CUDART_EXPORT unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared_bytes,
                                                          CUstream stream) {
  Pushed().push_back({grid, block, shared_bytes, stream});
  return 0;
}
MORTAR_CUDART_EXPORT cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block,
                                                            std::size_t* shared_bytes, void* stream) {
  if (Pushed().empty()) return Keep(cudaErrorMissingConfiguration);
  const Configuration last = Pushed().back();
  Pushed().pop_back();
  *grid = last.grid;
  *block = last.block;
  *shared_bytes = last.shared_bytes;
  *static_cast<CUstream*>(stream) = last.stream;
  return cudaSuccess;
}

#define MORTAR_CUDART_LAUNCH(name, symbol, ...)                                                      \
  MORTAR_CUDART_EXPORT cudaError_t name(const void* kernel, dim3 grid, dim3 block, void** arguments, \
                                        std::size_t shared_bytes, CUstream stream) {                 \
    return Launch<Symbol::symbol>(kernel, grid, block, arguments, shared_bytes,                      \
                                  stream __VA_OPT__(, ) __VA_ARGS__);                                \
  }
MORTAR_CUDART_LAUNCH(cudaLaunchKernel, cuLaunchKernel, static_cast<void**>(nullptr))
MORTAR_CUDART_LAUNCH(cudaLaunchKernel_ptsz, cuLaunchKernel_ptsz, static_cast<void**>(nullptr))
MORTAR_CUDART_LAUNCH(__cudaLaunchKernel, cuLaunchKernel, static_cast<void**>(nullptr))
MORTAR_CUDART_LAUNCH(__cudaLaunchKernel_ptsz, cuLaunchKernel_ptsz, static_cast<void**>(nullptr))
MORTAR_CUDART_LAUNCH(cudaLaunchCooperativeKernel, cuLaunchCooperativeKernel)
MORTAR_CUDART_LAUNCH(cudaLaunchCooperativeKernel_ptsz, cuLaunchCooperativeKernel_ptsz)

MORTAR_CUDART_EXPORT cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                                     void** arguments) {
  return LaunchConfigured<Symbol::cuLaunchKernelEx>(config, kernel, arguments);
}
MORTAR_CUDART_EXPORT cudaError_t cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t* config,
                                                          const void* kernel, void** arguments) {
  return LaunchConfigured<Symbol::cuLaunchKernelEx_ptsz>(config, kernel, arguments);
}

MORTAR_CUDART_EXPORT cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* kernel) {
  if (out == nullptr) return Keep(cudaErrorInvalidValue);
  *out = {};
  return OfFunction(kernel, [&](CUfunction function) {
    // In the driver's order of CUfunction_attribute.
    int values[10] = {1024, 0, 0, 0, 32, 90, 90, 0, 49152, -1};
    for (int i = 0; i < 10; ++i) {
      const CUresult asked = Call<Symbol::cuFuncGetAttribute>(&values[i], i, function);
      if (asked != CUDA_SUCCESS && asked != CUDA_ERROR_NOT_SUPPORTED) return asked;
    }
    out->maxThreadsPerBlock = values[0];
    out->sharedSizeBytes = static_cast<std::size_t>(values[1]);
    out->constSizeBytes = static_cast<std::size_t>(values[2]);
    out->localSizeBytes = static_cast<std::size_t>(values[3]);
    out->numRegs = values[4];
    out->ptxVersion = values[5];
    out->binaryVersion = values[6];
    out->cacheModeCA = values[7];
    out->maxDynamicSharedSizeBytes = values[8];
    return CUDA_SUCCESS;
  });
}
MORTAR_CUDART_EXPORT cudaError_t cudaFuncSetAttribute(const void* kernel, int attribute, int value) {
  return OfFunction(kernel, [&](CUfunction function) {
    return Call<Symbol::cuFuncSetAttribute>(function, attribute, value);
  });
}
MORTAR_CUDART_EXPORT cudaError_t cudaFuncSetCacheConfig(const void* kernel, int config) {
  return OfFunction(
      kernel, [&](CUfunction function) { return Call<Symbol::cuFuncSetCacheConfig>(function, config); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  return OfFunction(kernel, [&](CUfunction function) { return Call<Symbol::cuFuncGetName>(name, function); });
}

MORTAR_CUDART_EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int* blocks, const void* kernel, int block_size, std::size_t shared_bytes, unsigned int flags) {
  return OfFunction(kernel, [&](CUfunction function) {
    return Call<Symbol::cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags>(blocks, function, block_size,
                                                                              shared_bytes, flags);
  });
}
MORTAR_CUDART_EXPORT cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks,
                                                                               const void* kernel,
                                                                               int block_size,
                                                                               std::size_t shared_bytes) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, kernel, block_size, shared_bytes, 0);
}
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)
