// cuInit, versions, the texts of errors, and look-ups of functions.
#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "cuda/api/symbols.h"
#include "simcuda/driver/memory.h"
#include "simcuda/driver/report.h"
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constinit std::atomic<World*> the_world{nullptr};
constinit std::atomic<bool> forked{false};  // this process's parent had a world
constinit std::mutex making;

Parameters ParametersOf(const Description& description) {
  Parameters parameters;
  parameters.sharing = description.mode == model::DeviceMode::kFifo     ? Sharing::kFifo
                       : description.mode == model::DeviceMode::kMerged ? Sharing::kMerged
                                                                        : Sharing::kSliced;
  parameters.slice_ns = description.slice_ns;
  parameters.switch_ns = description.switch_ns;
  parameters.memory_bytes = description.memory_bytes;
  parameters.copy_engines = static_cast<std::uint32_t>(description.copy_engines);
  return parameters;
}

base::Status AddDevice(World& world, const std::string& file) {
  auto device = std::make_unique<SimDevice>();
  if (!file.empty()) {
    auto description = Description::Read(file);
    if (!description) return description.error();
    device->description = std::move(*description);
  }
  const std::string name = PciText(device->description.pci);
  for (const auto& other : world.devices) {
    if (PciText(other->description.pci) != name) continue;
    return base::Error{base::Code::kInvalid,
                       file + ": pci_address " + name + " is another device's; give it one of its own"};
  }
  auto directory = SharedDevice::FindDirectory();
  if (!directory) return directory.error();
  auto shared = SharedDevice::Open(*directory, name, ParametersOf(device->description));
  if (!shared) return shared.error();
  device->shared = std::move(*shared);
  device->ordinal = static_cast<int>(world.devices.size());
  device->default_pool = device->pool = MakePool(*device);
  world.devices.push_back(std::move(device));
  return {};
}

base::Status Fill(World& world) {
  const char* set = getenv("MORTAR_SIM_DEVICE");
  const std::string files = set != nullptr ? set : "";
  for (std::size_t start = 0; start < files.size();) {
    const std::size_t end = std::min(files.find(':', start), files.size());
    if (end > start) {
      if (auto status = AddDevice(world, files.substr(start, end - start)); !status) return status;
    }
    start = end + 1;
  }
  return world.devices.empty() ? AddDevice(world, "") : base::Status();
}

// CUDA does not work in a child of a process that used it.
void OnFork() {
  if (the_world.exchange(nullptr) != nullptr) forked.store(true);
}

CUresult Init() {
  const std::lock_guard lock(making);
  if (the_world.load() != nullptr) return CUDA_SUCCESS;
  if (forked.load()) return CUDA_ERROR_NOT_INITIALIZED;
  auto world = std::make_unique<World>();
  if (const auto status = Fill(*world); !status) {
    base::LogOnce("simcuda init", "simulated CUDA device: " + status.error().message);
    return CUDA_ERROR_NO_DEVICE;
  }
  World* made = world.release();
  the_world.store(made);
  pthread_atfork(nullptr, nullptr, &OnFork);
  StartReport();
  for (const auto& device : made->devices) StartHostCalls(*device);
  return CUDA_SUCCESS;
}

struct Text {
  const char* name;
  std::string words;
};

// "CUDA_ERROR_INVALID_VALUE" as "invalid value": the driver's own sentences are its own.
const Text* TextOf(CUresult result) {
  static const auto* texts = [] {
    auto* made = new std::map<int, Text>;
    const auto add = [made](const char* name, int value) {
      std::string words = name;
      for (const char* lead : {"CUDA_ERROR_", "CUDA_"}) {
        if (words.starts_with(lead)) words.erase(0, std::strlen(lead));
      }
      for (char& c : words)
        c = c == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      made->emplace(value, Text{name, value == 0 ? "no error" : words});
    };
#define MORTAR_CUDA_RESULT(name, value) add(#name, value);
#include "cuda/generated/numbers.def"
#undef MORTAR_CUDA_RESULT
    return made;
  }();
  const auto found = texts->find(static_cast<int>(result));
  return found != texts->end() ? &found->second : nullptr;
}

// This library's own: whoever stands before it looks up for itself.
void* FindOwn(mortar::cuda::Symbol symbol) {
  static void* const self = [] {
    Dl_info info;
    return dladdr(reinterpret_cast<void*>(&cuInit), &info) != 0
               ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)
               : nullptr;
  }();
  return self != nullptr ? dlsym(self, mortar::cuda::NameOf(symbol)) : nullptr;
}

}  // namespace

World* TheWorld() { return the_world.load(std::memory_order_acquire); }

SimDevice* FindDevice(CUdevice device) {
  World* world = TheWorld();
  if (world == nullptr || device < 0 || static_cast<std::size_t>(device) >= world->devices.size())
    return nullptr;
  return world->devices[static_cast<std::size_t>(device)].get();
}

}  // namespace mortar::simcuda

// NOLINTBEGIN(readability-identifier-naming): the interface's names
using namespace mortar::simcuda;

MORTAR_SIMCUDA_EXPORT CUresult cuInit(unsigned int Flags) {
  return Flags == 0 ? Init() : CUDA_ERROR_INVALID_VALUE;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDriverGetVersion(int* driverVersion) {
  if (driverVersion == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *driverVersion = mortar::cuda::kTableVersion;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGetErrorName(CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto* text = TextOf(error);
  *pStr = text != nullptr ? text->name : nullptr;
  return text != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGetErrorString(CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto* text = TextOf(error);
  *pStr = text != nullptr ? text->words.c_str() : nullptr;
  return text != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGetProcAddress_v2(const char* symbol, void** pfn, int cudaVersion,
                                                   unsigned long long flags, int* symbolStatus) {
  constexpr int kFound = 0;
  constexpr int kNotFound = 1;
  constexpr int kVersionTooLow = 2;
  constexpr unsigned long long kKnownFlags = 3;
  if (symbol == nullptr || pfn == nullptr || (flags & ~kKnownFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  const bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
  const auto found = mortar::cuda::SymbolFor(symbol, cudaVersion, per_thread);
  const bool newer = found == mortar::cuda::Symbol::kEnd &&
                     mortar::cuda::SymbolFor(symbol, INT_MAX, per_thread) != mortar::cuda::Symbol::kEnd;
  *pfn = found != mortar::cuda::Symbol::kEnd ? FindOwn(found) : nullptr;
  if (symbolStatus != nullptr) *symbolStatus = *pfn != nullptr ? kFound : newer ? kVersionTooLow : kNotFound;
  return *pfn != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGetProcAddress(const char* symbol, void** pfn, int cudaVersion,
                                                unsigned long long flags) {
  return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, nullptr);
}

MORTAR_SIMCUDA_EXPORT CUresult cuProfilerStart() { return Enter(); }
MORTAR_SIMCUDA_EXPORT CUresult cuProfilerStop() { return Enter(); }
// NOLINTEND(readability-identifier-naming)
