// cuInit, the device's properties, errors and look-ups.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/hash.h"
#include "base/log.h"
#include "cuda/api/symbols.h"
#include "simcuda/driver/host_calls.h"
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constinit std::atomic<World*> the_world{nullptr};
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

base::Status Fill(World* world) {
  if (const char* path = getenv("MORTAR_SIM_DEVICE"); path != nullptr && *path != '\0') {
    auto description = Description::Read(path);
    if (!description) return description.error();
    world->description = std::move(*description);
  }
  auto directory = SharedDevice::FindDirectory();
  if (!directory) return directory.error();
  auto device =
      SharedDevice::Open(*directory, PciText(world->description.pci), ParametersOf(world->description));
  if (!device) return device.error();
  world->device = std::move(*device);
  return {};
}

CUresult Init() {
  const std::lock_guard lock(making);
  if (the_world.load() != nullptr) return CUDA_SUCCESS;
  auto world = std::make_unique<World>();
  if (const auto status = Fill(world.get()); !status) {
    base::LogOnce("simcuda init", "simulated CUDA device: " + status.error().message);
    return CUDA_ERROR_NO_DEVICE;
  }
  the_world.store(world.release());
  StartHostCalls();
  return CUDA_SUCCESS;
}

// What depends on the description; the rest of what programs ask is in `fixed` below. -1: not known.
int DescribedAttribute(int attribute, const Description& d) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      return d.multiprocessors;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
      return d.clock_mhz * 1000;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      return d.capability_major;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      return d.capability_minor;
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID:
      return static_cast<int>(d.pci.domain);
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
      return static_cast<int>(d.pci.bus);
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID:
      return static_cast<int>(d.pci.device);
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT:
      return d.copy_engines;
    default:
      return -1;
  }
}

int FixedAttribute(int attribute) {
  constexpr struct {
    int attribute;
    int value;
  } kFixed[] = {{CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
                {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
                {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
                {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
                {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
                {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
                {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
                {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
                {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
                {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
                {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
                {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
                {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1}};
  for (const auto& fixed : kFixed) {
    if (fixed.attribute == attribute) return fixed.value;
  }
  return 0;  // a feature that the device does not have
}

// Uninitialised or no such device; success else.
CUresult Check(CUdevice device, const void* out) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult CopyText(const std::string& text, char* out, int size) {
  if (size <= 0) return CUDA_ERROR_INVALID_VALUE;
  snprintf(out, static_cast<std::size_t>(size), "%s", text.c_str());
  return CUDA_SUCCESS;
}

const char* NameOfResult(CUresult result) {
  switch (static_cast<int>(result)) {
#define MORTAR_CUDA_RESULT(name, value) \
  case value:                           \
    return #name;
#include "cuda/generated/numbers.def"
#undef MORTAR_CUDA_RESULT
    default:
      return nullptr;
  }
}

}  // namespace

World* TheWorld() { return the_world.load(std::memory_order_acquire); }

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

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetCount(int* count) {
  const CUresult checked = Check(0, count);
  if (checked == CUDA_SUCCESS) *count = 1;
  return checked;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  const CUresult checked = Check(ordinal, device);
  if (checked == CUDA_SUCCESS) *device = 0;
  return checked;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetName(char* name, int len, CUdevice dev) {
  const CUresult checked = Check(dev, name);
  return checked != CUDA_SUCCESS ? checked : CopyText(TheWorld()->description.name, name, len);
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice dev) {
  const CUresult checked = Check(dev, bytes);
  if (checked == CUDA_SUCCESS) *bytes = TheWorld()->description.memory_bytes;
  return checked;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetAttribute(int* pi, int attrib, CUdevice dev) {
  const CUresult checked = Check(dev, pi);
  if (checked != CUDA_SUCCESS) return checked;
  if (attrib <= 0) return CUDA_ERROR_INVALID_VALUE;
  const int described = DescribedAttribute(attrib, TheWorld()->description);
  *pi = described >= 0 ? described : FixedAttribute(attrib);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice dev) {
  const CUresult checked = Check(dev, uuid);
  if (checked != CUDA_SUCCESS) return checked;
  const std::string pci = PciText(TheWorld()->description.pci);
  const std::uint64_t words[2] = {mortar::base::HashBytes(pci.data(), pci.size()), 0x6d6f727461727369ULL};
  static_assert(sizeof words == sizeof uuid->bytes);
  std::memcpy(uuid->bytes, words, sizeof words);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice dev) {
  return cuDeviceGetUuid_v2(uuid, dev);
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetPCIBusId(char* pciBusId, int len, CUdevice dev) {
  const CUresult checked = Check(dev, pciBusId);
  return checked != CUDA_SUCCESS ? checked : CopyText(PciText(TheWorld()->description.pci), pciBusId, len);
}

MORTAR_SIMCUDA_EXPORT CUresult cuGetErrorName(CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pStr = NameOfResult(error);
  return *pStr != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
// The names say what happened; the driver's longer texts are its own.
MORTAR_SIMCUDA_EXPORT CUresult cuGetErrorString(CUresult error, const char** pStr) {
  return cuGetErrorName(error, pStr);
}

MORTAR_SIMCUDA_EXPORT CUresult cuGetProcAddress_v2(const char* symbol, void** pfn, int cudaVersion,
                                                   unsigned long long flags, int* symbolStatus) {
  constexpr int kFound = 0;
  constexpr int kNotFound = 1;
  if (symbol == nullptr || pfn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
  const auto found = mortar::cuda::SymbolFor(symbol, cudaVersion, per_thread);
  *pfn = nullptr;
  if (found != mortar::cuda::Symbol::kEnd) {
    // This library's own: whoever stands before it looks up for itself.
    static void* const self = [] {
      Dl_info info;
      return dladdr(reinterpret_cast<void*>(&cuInit), &info) != 0
                 ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)
                 : nullptr;
    }();
    if (self != nullptr) *pfn = dlsym(self, mortar::cuda::NameOf(found));
  }
  if (symbolStatus != nullptr) *symbolStatus = *pfn != nullptr ? kFound : kNotFound;
  return *pfn != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGetProcAddress(const char* symbol, void** pfn, int cudaVersion,
                                                unsigned long long flags) {
  return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, nullptr);
}
// NOLINTEND(readability-identifier-naming)
