// A CUDA driver whose functions return at once: what the shim adds to them is measured on it.
#include <cstring>

#include "cuda/api/types.h"

#define STUB_EXPORT extern "C" __attribute__((visibility("default")))

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) STUB_EXPORT CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

namespace {

// What the shim must be told; everything else only succeeds (stub_rest.cc).
template <typename Handle>
CUresult Give(Handle* out, std::uintptr_t value) {
  *out = reinterpret_cast<Handle>(value);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuDriverGetVersion(int* out) {
  *out = 13000;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* out) {
  *out = 1;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetPCIBusId(char* out, int, CUdevice) {
  std::strcpy(out, "0000:00:00.0");
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* out, int, CUdevice) {
  std::strcpy(out, "Stub");
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext* out) { return Give(out, 0x1000); }
CUresult cuCtxGetDevice(CUdevice* out) {
  *out = 0;
  return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction* out, CUmodule, const char*) { return Give(out, 0x3000); }
CUresult cuEventCreate(CUevent* out, unsigned) {
  static std::uintptr_t next = 0x4000;
  return Give(out, next += 16);
}
CUresult cuEventElapsedTime(float* out, CUevent, CUevent) {
  *out = 0.05F;
  return CUDA_SUCCESS;
}
