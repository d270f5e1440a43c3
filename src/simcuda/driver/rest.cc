// Every function of the driver's interface that no other file of this folder defines:
// CUDA_ERROR_NOT_SUPPORTED, counted by name (mortar_simcuda_refused), and said once on stderr.
#include <atomic>
#include <string>

#include "base/log.h"
#include "cuda/api/symbols.h"
#include "cuda/api/types.h"
#include "simcuda/driver/export.h"

namespace mortar::simcuda {
namespace {

constinit std::atomic<std::uint32_t> refused[cuda::kSymbols];

CUresult Refuse(cuda::Symbol symbol) {
  if (refused[cuda::Index(symbol)].fetch_add(1, std::memory_order_relaxed) == 0) {
    const char* name = cuda::NameOf(symbol);
    base::LogOnce(
        name,
        std::string("simulated CUDA device: ") + name +
            " is not simulated and answers CUDA_ERROR_NOT_SUPPORTED; what needs it must run on a real GPU");
  }
  return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace
}  // namespace mortar::simcuda

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments)                      \
  extern "C" __attribute__((visibility("default"), weak)) CUresult symbol parameters; \
  CUresult symbol parameters {                                                        \
    const auto ignore = [](auto...) {};                                               \
    ignore arguments;                                                                 \
    return mortar::simcuda::Refuse(mortar::cuda::Symbol::symbol);                     \
  }
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// The mark by which others know that this is no real driver (cuda/api/device_name.h).
MORTAR_SIMCUDA_EXPORT const int mortar_simulated_cuda;
const int mortar_simulated_cuda = 1;

// How often `name` was called and refused; of all functions, where it is null.
MORTAR_SIMCUDA_EXPORT std::uint64_t mortar_simcuda_refused(const char* name) {
  using mortar::simcuda::refused;
  if (name != nullptr) {
    const auto symbol = mortar::cuda::FindSymbol(name);
    return symbol == mortar::cuda::Symbol::kEnd ? 0 : refused[mortar::cuda::Index(symbol)].load();
  }
  std::uint64_t all = 0;
  for (const auto& count : refused) all += count.load();
  return all;
}
