// Every other function of the runtime library's header: cudaErrorNotSupported, and one line on stderr.
#include <string>

#include "base/log.h"
#include "simcuda/runtime/runtime.h"

namespace mortar::cudart {
namespace {

cudaError_t Refuse(const char* name) {
  base::LogOnce(name,
                std::string("CUDA runtime of the simulated device: ") + name +
                    " is not there and answers cudaErrorNotSupported; what needs it must run on a real GPU");
  return Keep(cudaErrorNotSupported);
}

}  // namespace
}  // namespace mortar::cudart

// Callers clear their arguments away themselves: none is looked at.
#define MORTAR_CUDART_FUNCTION(name)                                                   \
  extern "C" __attribute__((visibility("default"), weak)) cudaError_t name() noexcept; \
  cudaError_t name() noexcept { return mortar::cudart::Refuse(#name); }
#include "cuda/generated/runtime.def"
#undef MORTAR_CUDART_FUNCTION
