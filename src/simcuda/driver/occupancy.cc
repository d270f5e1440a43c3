// How many blocks of a kernel fit: by threads, registers and shared memory of devices of compute capability 8
// and 9.
#include <algorithm>

#include "simcuda/driver/modules.h"

namespace mortar::simcuda {
namespace {

constexpr int kThreads = 2048;  // a multiprocessor's
constexpr int kRegisters = 65536;
constexpr int kBlocks = 32;
constexpr int kMostThreads = 1024;  // a block's

// A multiprocessor's, of the current device.
std::size_t SharedBytes() {
  return static_cast<std::size_t>(CurrentDevice().description.SharedPerMultiprocessor());
}

// `function`'s blocks on one multiprocessor.
int BlocksOf(const KernelImage& kernel, int block, std::size_t dynamic_bytes) {
  const std::size_t shared = kernel.shared_bytes + dynamic_bytes + kReservedShared;
  const int warps = (block + 31) / 32;
  const int registers = static_cast<int>(std::max(1U, kernel.registers)) * warps * 32;
  return std::min({kBlocks, kThreads / (warps * 32), kRegisters / registers,
                   static_cast<int>(std::min<std::size_t>(SharedBytes() / shared, kBlocks))});
}

CUresult Active(int* count, CUfunction handle, int block, std::size_t dynamic_bytes) {
  const SimFunction* function = FindFunction(handle);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (count == nullptr || block <= 0) return CUDA_ERROR_INVALID_VALUE;
  *count = block > kMostThreads ? 0 : BlocksOf(function->kernel, block, dynamic_bytes);
  return CUDA_SUCCESS;
}

CUresult Best(int* grid, int* block, CUfunction handle, void* size_of_block, std::size_t dynamic_bytes,
              int limit) {
  using SizeOfBlock = std::size_t (*)(int block);
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  const SimFunction* function = FindFunction(handle);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (grid == nullptr || block == nullptr || limit < 0) return CUDA_ERROR_INVALID_VALUE;
  const int most = limit == 0 ? kMostThreads : std::min(limit, kMostThreads);
  int best_threads = 0;
  for (int size = most; size > 0; size = size > 32 ? (size - 1) / 32 * 32 : 0) {
    const std::size_t bytes =
        size_of_block != nullptr ? reinterpret_cast<SizeOfBlock>(size_of_block)(size) : dynamic_bytes;
    const int blocks = BlocksOf(function->kernel, size, bytes);
    if (blocks * size <= best_threads) continue;
    best_threads = blocks * size;
    *block = size;
    *grid = blocks * context->device->description.multiprocessors;
  }
  return best_threads > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, CUfunction func,
                                                                           int blockSize,
                                                                           std::size_t dynamicSMemSize) {
  return Active(numBlocks, func, blockSize, dynamicSMemSize);
}
MORTAR_SIMCUDA_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int* numBlocks, CUfunction func, int blockSize, std::size_t dynamicSMemSize, unsigned int flags) {
  return flags > 1 ? CUDA_ERROR_INVALID_VALUE : Active(numBlocks, func, blockSize, dynamicSMemSize);
}
MORTAR_SIMCUDA_EXPORT CUresult cuOccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize,
                                                                CUfunction func,
                                                                void* blockSizeToDynamicSMemSize,
                                                                std::size_t dynamicSMemSize,
                                                                int blockSizeLimit) {
  return Best(minGridSize, blockSize, func, blockSizeToDynamicSMemSize, dynamicSMemSize, blockSizeLimit);
}
MORTAR_SIMCUDA_EXPORT CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(
    int* minGridSize, int* blockSize, CUfunction func, void* blockSizeToDynamicSMemSize,
    std::size_t dynamicSMemSize, int blockSizeLimit, unsigned int flags) {
  if (flags > 1) return CUDA_ERROR_INVALID_VALUE;
  return Best(minGridSize, blockSize, func, blockSizeToDynamicSMemSize, dynamicSMemSize, blockSizeLimit);
}
MORTAR_SIMCUDA_EXPORT CUresult cuOccupancyAvailableDynamicSMemPerBlock(std::size_t* dynamicSmemSize,
                                                                       CUfunction func, int numBlocks,
                                                                       int blockSize) {
  const SimFunction* function = FindFunction(func);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (dynamicSmemSize == nullptr || numBlocks <= 0 || numBlocks > kBlocks || blockSize <= 0 ||
      blockSize > kMostThreads || numBlocks * blockSize > kThreads)
    return CUDA_ERROR_INVALID_VALUE;
  const std::size_t each = SharedBytes() / static_cast<std::size_t>(numBlocks);
  const std::size_t taken = function->kernel.shared_bytes + kReservedShared;
  *dynamicSmemSize = each > taken ? each - taken : 0;
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
