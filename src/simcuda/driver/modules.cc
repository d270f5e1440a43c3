#include "simcuda/driver/modules.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>

#include "base/log.h"
#include "base/owner.h"
#include "simcuda/driver/memory.h"

namespace mortar::simcuda {
namespace {

constinit std::mutex modules_mutex;

// All guarded by modules_mutex; never destroyed.
struct Known {
  std::unordered_set<const void*> modules;
  std::unordered_set<const SimFunction*> functions;
};
Known& TheKnown() {
  static auto* known = new Known;
  return *known;
}

SimFunction* AddFunction(SimModule& module, const KernelImage& kernel) {
  auto* function = new SimFunction;
  function->kernel = kernel;
  function->module = &module;
  TheKnown().functions.insert(function);
  return function;
}

SimModule* MakeModule(const ModuleImage& image, bool library) {
  auto* module = new SimModule;
  module->library = library;
  const std::lock_guard lock(modules_mutex);
  for (const KernelImage& kernel : image.kernels) {
    module->functions.push_back(AddFunction(*module, kernel));
    if (!library) continue;
    module->kernels.push_back(AddFunction(*module, kernel));
    module->kernels.back()->of_kernel = module->functions.back();
  }
  for (const GlobalImage& global : image.globals)
    module->globals[global.name] = {global.bytes, global.start, {}};
  TheKnown().modules.insert(module);
  return module;
}

CUresult ToResult(const base::Error& error, bool ptx) {
  // A runtime that loads images when they are needed tries again with every launch.
  static std::mutex mutex;
  static auto* last = new std::string;  // never destroyed: threads may load until the very end
  const std::lock_guard lock(mutex);
  if (error.message != *last) base::Log("simulated CUDA device: " + error.message);
  *last = error.message;
  if (error.code == base::Code::kNotFound) return CUDA_ERROR_NO_BINARY_FOR_GPU;
  return ptx ? CUDA_ERROR_INVALID_PTX : CUDA_ERROR_INVALID_IMAGE;
}

CUresult Load(std::string_view bytes, const SimDevice& device, bool library, SimModule** module) {
  const Description& d = device.description;
  const auto image = ReadImage(bytes, d.capability_major * 10 + d.capability_minor);
  if (!image) return ToResult(image.error(), LooksLikePtx(bytes));
  *module = MakeModule(*image, library);
  return CUDA_SUCCESS;
}

// A library can be loaded before there is a context: it is the first device's then.
CUresult DeviceToLoadFor(bool library, SimDevice** device) {
  SimContext* context = nullptr;
  const CUresult entered = Enter(&context);
  if (library && entered == CUDA_ERROR_INVALID_CONTEXT) {
    *device = FindDevice(0);
    return CUDA_SUCCESS;
  }
  if (entered == CUDA_SUCCESS) *device = context->device;
  return entered;
}

bool ReadWhole(const char* path, std::string* bytes) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  const base::Fd file(open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (static_cast<std::size_t>(info.st_size) > kMost) return false;
  bytes->resize(static_cast<std::size_t>(info.st_size));
  std::size_t have = 0;
  while (have < bytes->size()) {
    const ssize_t got = read(file.get(), bytes->data() + have, bytes->size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    have += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

SimFunction* FindFunction(CUfunction handle, const SimDevice* device, const Grid* grid, KernelRule* rule) {
  auto* function = reinterpret_cast<SimFunction*>(handle);
  const std::lock_guard lock(modules_mutex);
  if (TheWorld() == nullptr || !TheKnown().functions.contains(function)) return nullptr;
  if (function->of_kernel != nullptr) function = function->of_kernel;
  if (rule == nullptr) return function;
  // Several devices have tables of their own: those of one are kept.
  if (device->ordinal != 0) {
    *rule = device->description.RuleFor(function->kernel.name, *grid);
    return function;
  }
  auto found = function->rules.find(*grid);
  if (found == function->rules.end())
    found = function->rules.emplace(*grid, device->description.RuleFor(function->kernel.name, *grid)).first;
  *rule = found->second;
  return function;
}

SimFunction* FindKernel(CUkernel handle) {
  auto* kernel = reinterpret_cast<SimFunction*>(handle);
  const std::lock_guard lock(modules_mutex);
  const bool known = TheWorld() != nullptr && TheKnown().functions.contains(kernel);
  return known && kernel->of_kernel != nullptr ? kernel : nullptr;
}

CUresult LoadModule(const void* image, bool library, SimModule** module) {
  SimDevice* device = nullptr;
  if (const CUresult found = DeviceToLoadFor(library, &device); found != CUDA_SUCCESS) return found;
  if (image == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::size_t length = LengthOf(&image);
  if (length == 0) return CUDA_ERROR_INVALID_IMAGE;
  return Load({static_cast<const char*>(image), length}, *device, library, module);
}

CUresult LoadModuleFile(const char* path, bool library, SimModule** module) {
  SimDevice* device = nullptr;
  if (const CUresult found = DeviceToLoadFor(library, &device); found != CUDA_SUCCESS) return found;
  if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::string bytes;
  if (!ReadWhole(path, &bytes)) return CUDA_ERROR_FILE_NOT_FOUND;
  return Load(bytes, *device, library, module);
}

bool UnloadModule(SimModule* module, bool library) {
  std::vector<Range> freed;
  {
    const std::lock_guard lock(modules_mutex);
    if (TheWorld() == nullptr || !TheKnown().modules.contains(module) || module->library != library)
      return false;
    TheKnown().modules.erase(module);
    for (const SimFunction* function : module->functions) TheKnown().functions.erase(function);
    for (const SimFunction* kernel : module->kernels) TheKnown().functions.erase(kernel);
    for (const auto& [name, global] : module->globals) {
      for (const auto& [context, address] : global.addresses) {
        Range range;
        const bool there = FindRange(address, &range) && range.context == context;
        if (there && ForgetRange(address, Where::kDevice, &range)) freed.push_back(range);
      }
    }
  }
  if (!freed.empty()) WaitForAll();
  for (const Range& range : freed) GiveBack(range);
  return true;
}

SimModule* FindModule(const void* handle, bool library) {
  const std::lock_guard lock(modules_mutex);
  if (!TheKnown().modules.contains(handle)) return nullptr;
  auto* module = static_cast<SimModule*>(const_cast<void*>(handle));
  return module->library == library ? module : nullptr;
}

SimFunction* FindByName(const std::vector<SimFunction*>& functions, const char* name) {
  const auto found = std::find_if(functions.begin(), functions.end(), [name](const SimFunction* function) {
    return function->kernel.name == name;
  });
  return found != functions.end() ? *found : nullptr;
}

CUresult GlobalOf(SimModule& module, const char* name, CUdeviceptr* address, std::size_t* bytes) {
  SimContext* context = nullptr;
  if (name == nullptr || (address == nullptr && bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  const std::lock_guard lock(modules_mutex);
  const auto found = module.globals.find(name);
  if (found == module.globals.end()) return CUDA_ERROR_NOT_FOUND;
  SimGlobal& global = found->second;
  CUdeviceptr& here = global.addresses[context];
  if (here == 0) {
    std::uintptr_t taken = 0;
    const CUresult result = TakeMemory(global.bytes, Where::kDevice, 0, nullptr, &taken);
    if (result != CUDA_SUCCESS) return result;
    std::memcpy(reinterpret_cast<void*>(taken), global.start.data(), global.start.size());
    here = taken;
  }
  if (address != nullptr) *address = here;
  if (bytes != nullptr) *bytes = global.bytes;
  return CUDA_SUCCESS;
}

const SimDevice& CurrentDevice() {
  const SimContext* context = Current();
  return context != nullptr ? *context->device : *FindDevice(0);
}

CUresult GetFunctionAttribute(const SimFunction& function, int attribute, const SimDevice& device,
                              int* value) {
  constexpr int kKnown = 16;
  enum : int {
    kMaxThreads = 0,
    kShared = 1,
    kRegisters = 4,
    kPtxVersion = 5,
    kBinaryVersion = 6,
    kCarveout = 9
  };
  if (value == nullptr || attribute < 0 || attribute >= kKnown) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(modules_mutex);
  const auto& attributes = (function.of_kernel != nullptr ? function.of_kernel : &function)->attributes;
  const auto set = attributes.find(attribute);
  const Description& d = device.description;
  *value = 0;
  if (attribute == kMaxThreads) *value = 1024;
  if (attribute == kShared) *value = static_cast<int>(function.kernel.shared_bytes);
  if (attribute == kRegisters) *value = static_cast<int>(function.kernel.registers);
  if (attribute == kPtxVersion || attribute == kBinaryVersion)
    *value = d.capability_major * 10 + d.capability_minor;
  if (attribute == kMaxDynamicShared)
    *value = kDefaultShared - static_cast<int>(function.kernel.shared_bytes);
  if (attribute == kCarveout) *value = -1;
  if (set != attributes.end()) *value = set->second;
  return CUDA_SUCCESS;
}

CUresult SetFunctionAttribute(SimFunction& function, int attribute, const SimDevice& device, int value) {
  constexpr int kFirstSettable = 8;
  constexpr int kEnd = 16;
  if (attribute < kFirstSettable || attribute >= kEnd) return CUDA_ERROR_INVALID_VALUE;
  const int most = device.description.SharedPerBlock() - static_cast<int>(function.kernel.shared_bytes);
  if (attribute == kMaxDynamicShared && (value < 0 || value > most)) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(modules_mutex);
  (function.of_kernel != nullptr ? function.of_kernel : &function)->attributes[attribute] = value;
  return CUDA_SUCCESS;
}

CUresult GetParameter(const SimFunction& function, std::size_t at, std::size_t* offset, std::size_t* bytes) {
  if (offset == nullptr || at >= function.kernel.parameters.size()) return CUDA_ERROR_INVALID_VALUE;
  *offset = function.kernel.parameters[at].offset;
  if (bytes != nullptr) *bytes = function.kernel.parameters[at].bytes;
  return CUDA_SUCCESS;
}

}  // namespace mortar::simcuda
