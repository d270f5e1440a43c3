// Every function of the driver that stub_driver.cc does not define: succeeds, and touches nothing.
#include "cuda/api/types.h"

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments)                      \
  extern "C" __attribute__((visibility("default"), weak)) CUresult symbol parameters; \
  CUresult symbol parameters {                                                        \
    const auto ignore = [](auto...) {};                                               \
    ignore arguments;                                                                 \
    return CUDA_SUCCESS;                                                              \
  }
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
