// How this folder exports functions of the driver's interface, and the few of its own. Every function is
// declared as the interface has it, so that a definition that differs does not compile.
#pragma once

#include "cuda/api/types.h"

#define MORTAR_SIMCUDA_EXPORT extern "C" __attribute__((visibility("default")))

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) \
  extern "C" __attribute__((visibility("default"))) CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// Both forms of a function, as programs with the legacy default stream call it and as those with a default
// stream for each thread do: `call` reads kPerThread.
#define MORTAR_SIMCUDA_BOTH(name, suffix, parameters, call) \
  MORTAR_SIMCUDA_EXPORT CUresult name parameters {          \
    constexpr bool kPerThread = false;                      \
    return call;                                            \
  }                                                         \
  MORTAR_SIMCUDA_EXPORT CUresult name##suffix parameters {  \
    constexpr bool kPerThread = true;                       \
    return call;                                            \
  }
#define MORTAR_SIMCUDA_PTSZ(name, parameters, call) MORTAR_SIMCUDA_BOTH(name, _ptsz, parameters, call)
#define MORTAR_SIMCUDA_PTDS(name, parameters, call) MORTAR_SIMCUDA_BOTH(name, _ptds, parameters, call)
