// The devices' properties.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/hash.h"
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constexpr int kNoAttribute = -1;

// What depends on the description.
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
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      return d.SharedPerBlock();
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
      return d.SharedPerMultiprocessor();
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
      return 1;
    default:
      return kNoAttribute;
  }
}

// The rest of what programs ask. Sizes are those of devices of compute capability 8 and 9.
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
                {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, kDefaultShared},
                {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, kReservedShared},
                {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
                {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
                {CU_DEVICE_ATTRIBUTE_MAX_PITCH, 2147483647},
                {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
                {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
                {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
                {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
                {CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, 512},
                {CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT, 32},
                {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120},
                {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 2619000},
                {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 50 << 20},
                {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
                {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
                {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
                {CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, 1},
                {CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 1},
                {CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 1},
                {CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 1},
                {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1},
                {CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1},
                {CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED, 1},
                {CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS, 1},
                {CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_WAIT_VALUE_NOR, 1},
                {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1}};
  for (const auto& fixed : kFixed) {
    if (fixed.attribute == attribute) return fixed.value;
  }
  return 0;  // a feature that the device does not have
}

// Uninitialised, nowhere to write, or no such device; success else.
CUresult Check(CUdevice handle, const void* out, SimDevice** device) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *device = FindDevice(handle);
  return *device != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult CopyText(const std::string& text, char* out, int size) {
  if (size <= 0) return CUDA_ERROR_INVALID_VALUE;
  snprintf(out, static_cast<std::size_t>(size), "%s", text.c_str());
  return CUDA_SUCCESS;
}

// One value of a device's description.
template <typename Out, typename Value>
CUresult Answer(CUdevice handle, Out* out, Value value) {
  SimDevice* device = nullptr;
  const CUresult checked = Check(handle, out, &device);
  if (checked == CUDA_SUCCESS) *out = value(*device);
  return checked;
}

CUresult BothExist(CUdevice a, CUdevice b, const void* out) {
  SimDevice* device = nullptr;
  const CUresult checked = Check(a, out, &device);
  return checked != CUDA_SUCCESS ? checked : Check(b, out, &device);
}

}  // namespace
}  // namespace mortar::simcuda

// NOLINTBEGIN(readability-identifier-naming): the interface's names
using namespace mortar::simcuda;

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetCount(int* count) {
  return Answer(0, count, [](const SimDevice&) { return static_cast<int>(TheWorld()->devices.size()); });
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  return Answer(ordinal, device, [](const SimDevice& d) { return d.ordinal; });
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetName(char* name, int len, CUdevice dev) {
  SimDevice* device = nullptr;
  const CUresult checked = Check(dev, name, &device);
  return checked != CUDA_SUCCESS ? checked : CopyText(device->description.name, name, len);
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice dev) {
  return Answer(dev, bytes, [](const SimDevice& d) { return d.description.memory_bytes; });
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetAttribute(int* pi, int attrib, CUdevice dev) {
  SimDevice* device = nullptr;
  const CUresult checked = Check(dev, pi, &device);
  if (checked != CUDA_SUCCESS) return checked;
  if (attrib <= 0) return CUDA_ERROR_INVALID_VALUE;
  const int described = DescribedAttribute(attrib, device->description);
  *pi = described != kNoAttribute ? described : FixedAttribute(attrib);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice dev) {
  if (minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUresult done = Answer(dev, major, [](const SimDevice& d) { return d.description.capability_major; });
  if (done == CUDA_SUCCESS) *minor = FindDevice(dev)->description.capability_minor;
  return done;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice dev) {
  SimDevice* device = nullptr;
  const CUresult checked = Check(dev, uuid, &device);
  if (checked != CUDA_SUCCESS) return checked;
  const std::string pci = PciText(device->description.pci);
  const std::uint64_t words[2] = {mortar::base::HashBytes(pci.data(), pci.size()), 0x6d6f727461727369ULL};
  static_assert(sizeof words == sizeof uuid->bytes);
  std::memcpy(uuid->bytes, words, sizeof words);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice dev) {
  return cuDeviceGetUuid_v2(uuid, dev);
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetPCIBusId(char* pciBusId, int len, CUdevice dev) {
  SimDevice* device = nullptr;
  const CUresult checked = Check(dev, pciBusId, &device);
  return checked != CUDA_SUCCESS ? checked : CopyText(PciText(device->description.pci), pciBusId, len);
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetByPCIBusId(CUdevice* dev, const char* pciBusId) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (dev == nullptr || pciBusId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  unsigned int domain = 0;
  unsigned int bus = 0;
  unsigned int slot = 0;
  if (sscanf(pciBusId, "%x:%x:%x", &domain, &bus, &slot) != 3) {
    domain = 0;
    if (sscanf(pciBusId, "%x:%x", &bus, &slot) != 2) return CUDA_ERROR_INVALID_VALUE;
  }
  for (const auto& device : TheWorld()->devices) {
    const PciAddress& pci = device->description.pci;
    if (pci.domain != domain || pci.bus != bus || pci.device != slot) continue;
    *dev = device->ordinal;
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_DEVICE;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceCanAccessPeer(int* canAccessPeer, CUdevice dev, CUdevice peerDev) {
  const CUresult checked = BothExist(dev, peerDev, canAccessPeer);
  if (checked == CUDA_SUCCESS) *canAccessPeer = dev != peerDev ? 1 : 0;
  return checked;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetP2PAttribute(int* value, int attrib, CUdevice srcDevice,
                                                       CUdevice dstDevice) {
  constexpr int kAccessSupported = 2;
  const CUresult checked = BothExist(srcDevice, dstDevice, value);
  if (checked != CUDA_SUCCESS) return checked;
  if (srcDevice == dstDevice) return CUDA_ERROR_INVALID_DEVICE;
  *value = attrib == kAccessSupported ? 1 : 0;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDeviceGetExecAffinitySupport(int* pi, int, CUdevice dev) {
  return Answer(dev, pi, [](const SimDevice&) { return 0; });
}
// NOLINTEND(readability-identifier-naming)
