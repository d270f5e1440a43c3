// What compiled code registers before main: fat binaries, kernels by their host stubs, variables by their
// host shadows. Loaded on a device when something of them is first used there.
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "simcuda/runtime/runtime.h"

namespace mortar::cudart {
namespace {

constexpr int kFatBinaryMagic = 0x466243b1;
// What nvcc hands over: a header before the fat binary itself.
struct FatBinary {
  int magic;
  int version;
  const void* data;
  void* file_or_list;
};

struct Module {
  const void* image = nullptr;
  std::map<int, CUmodule> loaded;  // by device
  bool unregistered = false;
};
struct Kernel {
  Module* module = nullptr;
  std::string name;
  std::map<int, CUfunction> found;
};
struct Variable {
  Module* module = nullptr;
  std::string name;
  std::size_t bytes = 0;
  std::map<int, CUdeviceptr> found;
};

// Never destroyed: programs unregister when the process ends.
struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<Module>> modules;
  std::unordered_map<const void*, std::unique_ptr<Kernel>> kernels;  // by host stub
  std::unordered_map<const void*, Kernel*> handles;                  // by what __cudaGetKernel gave
  std::unordered_map<const void*, std::unique_ptr<Variable>> variables;
};
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

// REQUIRES: the registry's mutex held, a current context.
CUresult Load(Module& module, int device, CUmodule* out) {
  CUmodule& loaded = module.loaded[device];
  if (loaded == nullptr) {
    if (module.image == nullptr) return static_cast<CUresult>(cudaErrorInvalidKernelImage);
    const CUresult result = Call<Symbol::cuModuleLoadData>(&loaded, module.image);
    if (result != CUDA_SUCCESS) return result;
  }
  *out = loaded;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult FindFunction(const void* kernel, CUfunction* function) {
  if (const CUresult ready = EnsureContext(); ready != CUDA_SUCCESS) return ready;
  const int device = CurrentDevice();
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  Kernel* known = nullptr;
  if (const auto found = registry.kernels.find(kernel); found != registry.kernels.end())
    known = found->second.get();
  if (const auto found = registry.handles.find(kernel); found != registry.handles.end())
    known = found->second;
  if (known == nullptr) return static_cast<CUresult>(cudaErrorInvalidDeviceFunction);
  CUfunction& found = known->found[device];
  if (found == nullptr) {
    CUmodule module = nullptr;
    if (const CUresult loaded = Load(*known->module, device, &module); loaded != CUDA_SUCCESS) return loaded;
    const CUresult result = Call<Symbol::cuModuleGetFunction>(&found, module, known->name.c_str());
    if (result != CUDA_SUCCESS) return static_cast<CUresult>(cudaErrorInvalidDeviceFunction);
  }
  *function = found;
  return CUDA_SUCCESS;
}

CUresult FindVariable(const void* host_variable, CUdeviceptr* address, std::size_t* bytes) {
  if (const CUresult ready = EnsureContext(); ready != CUDA_SUCCESS) return ready;
  const int device = CurrentDevice();
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto known = registry.variables.find(host_variable);
  if (known == registry.variables.end()) return static_cast<CUresult>(cudaErrorInvalidSymbol);
  Variable& variable = *known->second;
  CUdeviceptr& found = variable.found[device];
  if (found == 0) {
    CUmodule module = nullptr;
    if (const CUresult loaded = Load(*variable.module, device, &module); loaded != CUDA_SUCCESS)
      return loaded;
    std::size_t size = 0;
    CUresult result = Call<Symbol::cuModuleGetGlobal_v2>(&found, &size, module, variable.name.c_str());
    // The simulated device reads kernels from images, not variables: kernels do not run there, so any memory
    // does.
    if (result == CUDA_ERROR_NOT_SUPPORTED || result == CUDA_ERROR_NOT_FOUND) {
      result = Call<Symbol::cuMemAlloc_v2>(&found, variable.bytes);
      if (result == CUDA_SUCCESS)
        result = Call<Symbol::cuMemsetD8_v2>(found, static_cast<unsigned char>(0), variable.bytes);
    }
    if (result != CUDA_SUCCESS) return result;
  }
  *address = found;
  *bytes = variable.bytes;
  return CUDA_SUCCESS;
}

void ForgetModules(int device) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  for (const auto& module : registry.modules) module->loaded.erase(device);
  for (const auto& [stub, kernel] : registry.kernels) kernel->found.erase(device);
  for (const auto& [shadow, variable] : registry.variables) variable->found.erase(device);
}

}  // namespace mortar::cudart

using namespace mortar::cudart;

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the interface's names
MORTAR_CUDART_EXPORT void** __cudaRegisterFatBinary(void* given) {
  const auto* binary = static_cast<const FatBinary*>(given);
  auto module = std::make_unique<Module>();
  if (binary != nullptr && binary->magic == kFatBinaryMagic) {
    module->image = binary->data;
  } else {
    mortar::base::LogOnce(
        "cudart fat binary",
        "CUDA runtime of the simulated device: this is no fat binary of nvcc's; its kernels are "
        "not known");
  }
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.modules.push_back(std::move(module));
  return reinterpret_cast<void**>(registry.modules.back().get());
}
MORTAR_CUDART_EXPORT void __cudaRegisterFatBinaryEnd(void**) {}
MORTAR_CUDART_EXPORT char __cudaInitModule(void**) { return 1; }

// Called when the process ends, or a library is unloaded. The driver clears up after processes itself.
MORTAR_CUDART_EXPORT void __cudaUnregisterFatBinary(void** handle) {
  auto* module = reinterpret_cast<Module*>(handle);
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  if (module == nullptr) return;
  module->unregistered = true;
  module->image = nullptr;
  std::erase_if(registry.handles, [&](const auto& entry) { return entry.second->module == module; });
  std::erase_if(registry.kernels, [&](const auto& entry) { return entry.second->module == module; });
  std::erase_if(registry.variables, [&](const auto& entry) { return entry.second->module == module; });
}

MORTAR_CUDART_EXPORT void __cudaRegisterFunction(void** handle, const char* stub, char*, const char* name,
                                                 int, void*, void*, void*, void*, int*) {
  if (handle == nullptr || name == nullptr) return;
  auto kernel = std::make_unique<Kernel>();
  kernel->module = reinterpret_cast<Module*>(handle);
  kernel->name = name;
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.handles[kernel.get()] = kernel.get();
  registry.kernels[stub] = std::move(kernel);
}

MORTAR_CUDART_EXPORT void __cudaRegisterVar(void** handle, char* shadow, char*, const char* name, int,
                                            std::size_t bytes, int, int) {
  if (handle == nullptr || name == nullptr) return;
  auto variable = std::make_unique<Variable>();
  variable->module = reinterpret_cast<Module*>(handle);
  variable->name = name;
  variable->bytes = bytes;
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.variables[shadow] = std::move(variable);
}

MORTAR_CUDART_EXPORT void __cudaRegisterManagedVar(void**, void**, char*, const char* name, int, std::size_t,
                                                   int, int) {
  mortar::base::LogOnce("cudart managed",
                        std::string("CUDA runtime of the simulated device: managed variable ") +
                            (name != nullptr ? name : "") +
                            ": there is no managed memory; run this program on a real GPU");
}

MORTAR_CUDART_EXPORT cudaError_t __cudaGetKernel(const void** kernel, const void* stub) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto known = registry.kernels.find(stub);
  if (known == registry.kernels.end()) return Keep(cudaErrorInvalidDeviceFunction);
  *kernel = known->second.get();
  return cudaSuccess;
}
MORTAR_CUDART_EXPORT cudaError_t cudaGetKernel(const void** kernel, const void* stub) {
  if (kernel == nullptr) return Keep(cudaErrorInvalidValue);
  return __cudaGetKernel(kernel, stub);
}

MORTAR_CUDART_EXPORT cudaError_t cudaGetFuncBySymbol(CUfunction* function, const void* stub) {
  if (function == nullptr) return Keep(cudaErrorInvalidValue);
  return Keep(FindFunction(stub, function));
}
MORTAR_CUDART_EXPORT cudaError_t cudaGetSymbolAddress(void** address, const void* shadow) {
  std::size_t bytes = 0;
  if (address == nullptr) return Keep(cudaErrorInvalidValue);
  return Keep(FindVariable(shadow, AddressOf(address), &bytes));
}
MORTAR_CUDART_EXPORT cudaError_t cudaGetSymbolSize(std::size_t* bytes, const void* shadow) {
  CUdeviceptr address = 0;
  if (bytes == nullptr) return Keep(cudaErrorInvalidValue);
  return Keep(FindVariable(shadow, &address, bytes));
}
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)
