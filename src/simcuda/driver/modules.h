// Modules, libraries and their functions. Any thread; one lock of their own, taken before
// all others but the graphs'. Functions are never freed: a launch may be looking at one while another thread
// unloads its module.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "simcuda/driver/world.h"
#include "simcuda/image/image.h"

namespace mortar::simcuda {

struct SimModule;

struct SimFunction {
  KernelImage kernel;
  SimModule* module = nullptr;
  SimFunction* of_kernel = nullptr;  // a CUkernel: the CUfunction of the same name
  std::map<Grid, KernelRule> rules;  // by grid, as they are asked for; guarded by the lock, as all below
  std::map<int, int> attributes;     // as set
};

struct SimGlobal {
  std::uint64_t bytes = 0;
  std::string start;
  // By context, once asked for there. One that was destroyed took its memory along, and does not come back.
  std::map<const SimContext*, CUdeviceptr> addresses;
};

// A CUmodule, or a CUlibrary with kernels besides.
struct SimModule {
  bool library = false;
  std::vector<SimFunction*> functions;
  std::vector<SimFunction*> kernels;  // of a library, of the same order
  std::map<std::string, SimGlobal> globals;
};

// A CUfunction that lives, or the one of a CUkernel. Null: neither. `rule`, if not null: the device's for
// this grid.
SimFunction* FindFunction(CUfunction handle, const SimDevice* device = nullptr, const Grid* grid = nullptr,
                          KernelRule* rule = nullptr);
SimFunction* FindKernel(CUkernel handle);

// Reads an image, as it lies in memory without a length, into a module. Errors: as cuModuleLoadData's.
CUresult LoadModule(const void* image, bool library, SimModule** module);
CUresult LoadModuleFile(const char* path, bool library, SimModule** module);
// False: it is none that lives.
bool UnloadModule(SimModule* module, bool library);
// Null: none that lives.
SimModule* FindModule(const void* handle, bool library);
// Null: it has none of that name.
SimFunction* FindByName(const std::vector<SimFunction*>& functions, const char* name);
CUresult GlobalOf(SimModule& module, const char* name, CUdeviceptr* address, std::size_t* bytes);

// What a function is asked about without a device: the current context's, else the first. REQUIRES: there is
// a function, and so a world.
const SimDevice& CurrentDevice();

inline constexpr int kMaxDynamicShared = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
CUresult GetFunctionAttribute(const SimFunction& function, int attribute, const SimDevice& device,
                              int* value);
CUresult SetFunctionAttribute(SimFunction& function, int attribute, const SimDevice& device, int value);
CUresult GetParameter(const SimFunction& function, std::size_t at, std::size_t* offset, std::size_t* bytes);

}  // namespace mortar::simcuda
