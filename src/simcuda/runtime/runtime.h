// What the runtime library's functions have in common: the driver's functions, the calling thread's device
// and context, its last error, and what compiled code has registered.
//
// Any thread. Only documented functions of the driver are called; it is opened as libcuda.so.1 at the first
// call that needs it, so that whoever stands before it (Mortar's shim) is found. Nothing is called while
// programs register their kernels, which happens before main.
#pragma once

#include <utility>

#include "cuda/api/symbols.h"
#include "simcuda/runtime/types.h"

#define MORTAR_CUDART_EXPORT extern "C" __attribute__((visibility("default")))

namespace mortar::cudart {

using cuda::Symbol;

template <Symbol kSymbol>
struct Signature;
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) \
  template <>                                                    \
  struct Signature<Symbol::symbol> {                             \
    using Type = CUresult parameters;                            \
  };
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

// The driver's function as cuGetProcAddress answers for it; null: there is no driver, or it lacks that one.
void* FindInDriver(Symbol symbol);

// Calls the driver. Where it lacks the function: CUDA_ERROR_NOT_SUPPORTED; where there is none at all:
// cudaErrorInsufficientDriver.
template <Symbol kSymbol, typename... Arguments>
CUresult Call(Arguments... arguments) {
  static void* const found = FindInDriver(kSymbol);
  if (found == nullptr)
    return FindInDriver(Symbol::cuInit) != nullptr ? CUDA_ERROR_NOT_SUPPORTED
                                                   : static_cast<CUresult>(cudaErrorInsufficientDriver);
  return reinterpret_cast<typename Signature<kSymbol>::Type*>(found)(arguments...);
}

// Initialises the driver, once; what that answered.
CUresult Initialise();
// The calling thread has a context afterwards: its own, or its device's primary one, made at the first call.
CUresult EnsureContext();

// The calling thread's device, as cudaSetDevice chose it, or of the context that the program made current.
int CurrentDevice();
CUresult SetCurrentDevice(int device);

// The thread's last error; both numberings agree but for what only the runtime has.
cudaError_t Keep(cudaError_t error);
cudaError_t TakeLastError();
cudaError_t PeekLastError();
inline cudaError_t Keep(CUresult result) { return Keep(static_cast<cudaError_t>(static_cast<int>(result))); }

// The shape of nearly every function: a context, the driver's call, the last error.
template <typename Body>
cudaError_t Run(Body&& body) {
  const CUresult ready = EnsureContext();
  return Keep(ready != CUDA_SUCCESS ? ready : body());
}

inline CUdeviceptr Address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }
inline CUdeviceptr* AddressOf(void** pointer) { return reinterpret_cast<CUdeviceptr*>(pointer); }

// The driver's function behind a kernel's host stub, or behind what __cudaGetKernel gave for it; loads its
// module on the current device at the first call.
CUresult FindFunction(const void* kernel, CUfunction* function);
// Where a __device__ or __constant__ variable lies on the current device, and how large it is.
CUresult FindVariable(const void* host_variable, CUdeviceptr* address, std::size_t* bytes);
// The primary context of `device` is gone, and all modules with it.
void ForgetModules(int device);

}  // namespace mortar::cudart
