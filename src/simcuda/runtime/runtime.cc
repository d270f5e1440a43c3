#include "simcuda/runtime/runtime.h"

#include <dlfcn.h>

#include <mutex>
#include <string_view>

#include "base/log.h"

namespace mortar::cudart {
namespace {

struct Thread {
  int device = 0;
  cudaError_t last_error = cudaSuccess;
};
thread_local Thread thread;

constexpr int kMostDevices = 64;
struct Primary {
  std::mutex mutex;
  CUcontext context = nullptr;
};
Primary& PrimaryOf(int device) {
  static Primary primaries[kMostDevices];
  return primaries[device];
}

auto* LookUp() {
  using Type = Signature<Symbol::cuGetProcAddress_v2>::Type;
  static auto* const found = [] {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    void* function = library != nullptr ? dlsym(library, "cuGetProcAddress_v2") : nullptr;
    if (function == nullptr) {
      const char* why = library == nullptr ? dlerror() : "it is older than CUDA 12.0";
      base::LogOnce("cudart", std::string("CUDA runtime of the simulated device: open libcuda.so.1: ") +
                                  (why != nullptr ? why : "unknown error") +
                                  "; run the program with: mortar run --sim-device FILE.toml -- PROGRAM");
    }
    return reinterpret_cast<Type*>(function);
  }();
  return found;
}

// "cuMemAlloc_v2" → "cuMemAlloc": what the driver is asked for, next to a version.
std::string Base(std::string_view name, bool* per_thread) {
  *per_thread = name.ends_with("_ptsz") || name.ends_with("_ptds");
  if (*per_thread) name.remove_suffix(5);
  if (name.size() > 3 && name.substr(name.size() - 3, 2) == "_v") name.remove_suffix(3);
  return std::string(name);
}

}  // namespace

void* FindInDriver(Symbol symbol) {
  auto* look_up = LookUp();
  if (look_up == nullptr) return nullptr;
  bool per_thread = false;
  const std::string name = Base(cuda::NameOf(symbol), &per_thread);
  const unsigned long long flags = per_thread ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : 0U;
  void* found = nullptr;
  const int version = cuda::VersionOf(symbol);
  if (look_up(name.c_str(), &found, version != 0 ? version : cuda::kTableVersion, flags, nullptr) !=
      CUDA_SUCCESS)
    return nullptr;
  return found;
}

CUresult Initialise() {
  static const CUresult result = Call<Symbol::cuInit>(0U);
  return result;
}

CUresult EnsureContext() {
  if (const CUresult ready = Initialise(); ready != CUDA_SUCCESS) return ready;
  CUcontext now = nullptr;
  if (const CUresult asked = Call<Symbol::cuCtxGetCurrent>(&now); asked != CUDA_SUCCESS) return asked;
  if (now != nullptr) return CUDA_SUCCESS;
  Primary& primary = PrimaryOf(thread.device);
  CUcontext context = nullptr;
  {
    const std::lock_guard lock(primary.mutex);
    if (primary.context == nullptr) {
      const CUresult made = Call<Symbol::cuDevicePrimaryCtxRetain>(&primary.context, thread.device);
      if (made != CUDA_SUCCESS) return made;
    }
    context = primary.context;
  }
  return Call<Symbol::cuCtxSetCurrent>(context);
}

int CurrentDevice() {
  CUdevice device = 0;
  CUcontext now = nullptr;
  if (Initialise() == CUDA_SUCCESS && Call<Symbol::cuCtxGetCurrent>(&now) == CUDA_SUCCESS && now != nullptr &&
      Call<Symbol::cuCtxGetDevice>(&device) == CUDA_SUCCESS)
    return device;
  return thread.device;
}

CUresult SetCurrentDevice(int device) {
  if (const CUresult ready = Initialise(); ready != CUDA_SUCCESS) return ready;
  int count = 0;
  if (const CUresult asked = Call<Symbol::cuDeviceGetCount>(&count); asked != CUDA_SUCCESS) return asked;
  if (device < 0 || device >= count || device >= kMostDevices) return CUDA_ERROR_INVALID_DEVICE;
  thread.device = device;
  Call<Symbol::cuCtxSetCurrent>(CUcontext{nullptr});
  return EnsureContext();
}

cudaError_t Keep(cudaError_t error) {
  if (error != cudaSuccess) thread.last_error = error;
  return error;
}
cudaError_t TakeLastError() { return std::exchange(thread.last_error, cudaSuccess); }
cudaError_t PeekLastError() { return thread.last_error; }

}  // namespace mortar::cudart

using namespace mortar::cudart;

// Everything that the program has on the device goes, also what others who retained the context have there.
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceReset() {
  if (const CUresult ready = Initialise(); ready != CUDA_SUCCESS) return Keep(ready);
  const int device = CurrentDevice();
  Primary& primary = PrimaryOf(device);
  const std::lock_guard lock(primary.mutex);
  if (primary.context == nullptr) return cudaSuccess;
  ForgetModules(device);
  primary.context = nullptr;
  Call<Symbol::cuCtxSetCurrent>(CUcontext{nullptr});
  return Keep(Call<Symbol::cuDevicePrimaryCtxReset_v2>(device));
}
