// The interface of modules, libraries, functions and kernels.
#include <algorithm>

#include "simcuda/driver/modules.h"

namespace mortar::simcuda {
namespace {

// `load` makes a module, which `out` gets the handle of.
template <typename Handle, typename Load>
CUresult Loaded(Handle* out, Load load) {
  SimModule* module = nullptr;
  if (out == nullptr) return TheWorld() == nullptr ? CUDA_ERROR_NOT_INITIALIZED : CUDA_ERROR_INVALID_VALUE;
  const CUresult result = load(&module);
  if (result == CUDA_SUCCESS) *out = HandleOf<Handle>(module);
  return result;
}

CUresult Load(CUmodule* out, const void* image) {
  return Loaded(out, [=](SimModule** module) { return LoadModule(image, false, module); });
}

template <typename Handle>
CUresult ByName(const std::vector<SimFunction*>& functions, const char* name, Handle* out) {
  if (out == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SimFunction* found = FindByName(functions, name);
  if (found == nullptr) return CUDA_ERROR_NOT_FOUND;
  *out = HandleOf<Handle>(found);
  return CUDA_SUCCESS;
}

template <typename Handle>
CUresult Enumerate(const std::vector<SimFunction*>& functions, Handle* out, unsigned int most) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (std::size_t i = 0; i < std::min<std::size_t>(most, functions.size()); ++i)
    out[i] = HandleOf<Handle>(functions[i]);
  return CUDA_SUCCESS;
}

SimModule* ModuleOf(CUmodule handle) {
  // The module of a library is the library itself.
  SimModule* module = FindModule(handle, false);
  return module != nullptr ? module : FindModule(handle, true);
}

const SimDevice& DeviceOf(CUdevice device) {
  const SimDevice* found = FindDevice(device);
  return found != nullptr ? *found : *FindDevice(0);
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return Load(module, image);
}
// Options steer a compiler that is not there.
MORTAR_SIMCUDA_EXPORT CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned int, int*,
                                                  void**) {
  return Load(module, image);
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleLoadFatBinary(CUmodule* module, const void* fatCubin) {
  return Load(module, fatCubin);
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleLoad(CUmodule* module, const char* fname) {
  return Loaded(module, [=](SimModule** made) { return LoadModuleFile(fname, false, made); });
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleUnload(CUmodule hmod) {
  return UnloadModule(reinterpret_cast<SimModule*>(hmod), false) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleGetFunction(CUfunction* hfunc, CUmodule hmod, const char* name) {
  const SimModule* module = ModuleOf(hmod);
  return module == nullptr ? CUDA_ERROR_INVALID_HANDLE : ByName(module->functions, name, hfunc);
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleGetFunctionCount(unsigned int* count, CUmodule mod) {
  const SimModule* module = ModuleOf(mod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = static_cast<unsigned int>(module->functions.size());
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleEnumerateFunctions(CUfunction* functions, unsigned int numFunctions,
                                                          CUmodule mod) {
  const SimModule* module = ModuleOf(mod);
  return module == nullptr ? CUDA_ERROR_INVALID_HANDLE
                           : Enumerate(module->functions, functions, numFunctions);
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleGetGlobal_v2(CUdeviceptr* dptr, std::size_t* bytes, CUmodule hmod,
                                                    const char* name) {
  SimModule* module = ModuleOf(hmod);
  return module == nullptr ? CUDA_ERROR_INVALID_HANDLE : GlobalOf(*module, name, dptr, bytes);
}
MORTAR_SIMCUDA_EXPORT CUresult cuModuleGetLoadingMode(int* mode) {
  constexpr int kEager = 1;
  if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *mode = kEager;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuLibraryLoadData(CUlibrary* library, const void* code, int*, void**,
                                                 unsigned int, int*, void**, unsigned int) {
  return Loaded(library, [=](SimModule** made) { return LoadModule(code, true, made); });
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryLoadFromFile(CUlibrary* library, const char* fileName, int*, void**,
                                                     unsigned int, int*, void**, unsigned int) {
  return Loaded(library, [=](SimModule** made) { return LoadModuleFile(fileName, true, made); });
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryUnload(CUlibrary library) {
  return UnloadModule(reinterpret_cast<SimModule*>(library), true) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryGetKernel(CUkernel* pKernel, CUlibrary library, const char* name) {
  const SimModule* found = FindModule(library, true);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE : ByName(found->kernels, name, pKernel);
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryGetKernelCount(unsigned int* count, CUlibrary lib) {
  const SimModule* found = FindModule(lib, true);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = static_cast<unsigned int>(found->kernels.size());
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryEnumerateKernels(CUkernel* kernels, unsigned int numKernels,
                                                         CUlibrary lib) {
  const SimModule* found = FindModule(lib, true);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE : Enumerate(found->kernels, kernels, numKernels);
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryGetModule(CUmodule* pMod, CUlibrary library) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  SimModule* found = FindModule(library, true);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pMod == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pMod = HandleOf<CUmodule>(found);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryGetGlobal(CUdeviceptr* dptr, std::size_t* bytes, CUlibrary library,
                                                  const char* name) {
  SimModule* found = FindModule(library, true);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE : GlobalOf(*found, name, dptr, bytes);
}
MORTAR_SIMCUDA_EXPORT CUresult cuLibraryGetManaged(CUdeviceptr*, std::size_t*, CUlibrary library,
                                                   const char*) {
  return FindModule(library, true) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_NOT_FOUND;
}

MORTAR_SIMCUDA_EXPORT CUresult cuKernelGetFunction(CUfunction* pFunc, CUkernel kernel) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  const SimFunction* found = FindKernel(kernel);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pFunc == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pFunc = HandleOf<CUfunction>(found->of_kernel);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuKernelGetLibrary(CUlibrary* pLib, CUkernel kernel) {
  const SimFunction* found = FindKernel(kernel);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pLib == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pLib = HandleOf<CUlibrary>(found->module);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuKernelGetName(const char** name, CUkernel hfunc) {
  const SimFunction* found = FindKernel(hfunc);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *name = found->kernel.name.c_str();
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuKernelGetParamInfo(CUkernel kernel, std::size_t paramIndex,
                                                    std::size_t* paramOffset, std::size_t* paramSize) {
  const SimFunction* found = FindKernel(kernel);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE
                          : GetParameter(*found, paramIndex, paramOffset, paramSize);
}
MORTAR_SIMCUDA_EXPORT CUresult cuKernelGetAttribute(int* pi, int attrib, CUkernel kernel, CUdevice dev) {
  const SimFunction* found = FindKernel(kernel);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE
                          : GetFunctionAttribute(*found, attrib, DeviceOf(dev), pi);
}
MORTAR_SIMCUDA_EXPORT CUresult cuKernelSetAttribute(int attrib, int val, CUkernel kernel, CUdevice dev) {
  SimFunction* found = FindKernel(kernel);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE
                          : SetFunctionAttribute(*found, attrib, DeviceOf(dev), val);
}
MORTAR_SIMCUDA_EXPORT CUresult cuKernelSetCacheConfig(CUkernel kernel, int, CUdevice) {
  return FindKernel(kernel) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuFuncGetName(const char** name, CUfunction hfunc) {
  const SimFunction* found = FindFunction(hfunc);
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *name = found->kernel.name.c_str();
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncGetModule(CUmodule* hmod, CUfunction hfunc) {
  const SimFunction* found = FindFunction(hfunc);
  if (hmod == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *hmod = HandleOf<CUmodule>(found->module);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncGetParamInfo(CUfunction func, std::size_t paramIndex,
                                                  std::size_t* paramOffset, std::size_t* paramSize) {
  const SimFunction* found = FindFunction(func);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE
                          : GetParameter(*found, paramIndex, paramOffset, paramSize);
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncGetAttribute(int* pi, int attrib, CUfunction hfunc) {
  const SimFunction* found = FindFunction(hfunc);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return GetFunctionAttribute(*found, attrib, CurrentDevice(), pi);
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncSetAttribute(CUfunction hfunc, int attrib, int value) {
  SimFunction* found = FindFunction(hfunc);
  return found == nullptr ? CUDA_ERROR_INVALID_HANDLE
                          : SetFunctionAttribute(*found, attrib, CurrentDevice(), value);
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncSetCacheConfig(CUfunction hfunc, int) {
  return FindFunction(hfunc) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncSetSharedMemConfig(CUfunction hfunc, int) {
  return FindFunction(hfunc) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncIsLoaded(int* state, CUfunction function) {
  if (FindFunction(function) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (state == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *state = 1;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuFuncLoad(CUfunction function) {
  return FindFunction(function) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
