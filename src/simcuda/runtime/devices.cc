// Devices, their properties, versions and errors.
#include <cstring>

#include "simcuda/runtime/runtime.h"

namespace mortar::cudart {
namespace {

constexpr int kRuntimeVersion = 13000;

int Attribute(CUdevice_attribute attribute, int device) {
  int value = 0;
  return Call<Symbol::cuDeviceGetAttribute>(&value, static_cast<int>(attribute), device) == CUDA_SUCCESS
             ? value
             : 0;
}

void FillLimits(cudaDeviceProp* out, int device) {
  const auto of = [device](CUdevice_attribute attribute) { return Attribute(attribute, device); };
  out->sharedMemPerBlock = static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK));
  out->regsPerBlock = of(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
  out->warpSize = of(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
  out->memPitch = static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_MAX_PITCH));
  out->maxThreadsPerBlock = of(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  out->maxThreadsDim[0] = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
  out->maxThreadsDim[1] = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
  out->maxThreadsDim[2] = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
  out->maxGridSize[0] = of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
  out->maxGridSize[1] = of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
  out->maxGridSize[2] = of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
  out->totalConstMem = static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY));
  out->maxThreadsPerMultiProcessor = of(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
  out->sharedMemPerMultiprocessor =
      static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR));
  out->regsPerMultiprocessor = of(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  out->sharedMemPerBlockOptin =
      static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
  out->reservedSharedMemPerBlock =
      static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK));
  out->maxBlocksPerMultiProcessor = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR);
  out->textureAlignment = static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT));
  out->texturePitchAlignment = static_cast<std::size_t>(of(CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT));
}

void FillKind(cudaDeviceProp* out, int device) {
  const auto of = [device](CUdevice_attribute attribute) { return Attribute(attribute, device); };
  out->major = of(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  out->minor = of(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  out->multiProcessorCount = of(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  out->integrated = of(CU_DEVICE_ATTRIBUTE_INTEGRATED);
  out->canMapHostMemory = of(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY);
  out->concurrentKernels = of(CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS);
  out->pciBusID = of(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID);
  out->pciDeviceID = of(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID);
  out->pciDomainID = of(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID);
  out->asyncEngineCount = of(CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT);
  out->unifiedAddressing = of(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING);
  out->memoryBusWidth = of(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
  out->l2CacheSize = of(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  out->streamPrioritiesSupported = of(CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED);
  out->managedMemory = of(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY);
  out->concurrentManagedAccess = of(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS);
  out->canUseHostPointerForRegisteredMem = of(CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM);
  out->hostRegisterSupported = of(CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED);
  out->memoryPoolsSupported = of(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED);
  out->cooperativeLaunch = of(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH);
  out->computePreemptionSupported = of(CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED);
}

template <typename Body>
cudaError_t WithDriver(Body&& body) {
  const CUresult ready = Initialise();
  return Keep(ready != CUDA_SUCCESS ? ready : body());
}

const char* NameOf(int error) {
  switch (error) {
#define MORTAR_CUDART_ERROR(name, value) \
  case value:                            \
    return #name;
#include "cuda/generated/runtime.def"
#undef MORTAR_CUDART_ERROR
    default:
      return nullptr;
  }
}

const char* TextOf(int error) {
  constexpr struct {
    int error;
    const char* text;
  } kTexts[] = {{cudaSuccess, "no error"},
                {cudaErrorInvalidValue, "an argument is not valid"},
                {cudaErrorMemoryAllocation, "out of memory on the device"},
                {cudaErrorInvalidConfiguration, "no device takes this grid or block"},
                {cudaErrorInvalidMemcpyDirection, "no such direction of a copy"},
                {cudaErrorInvalidSymbol, "no such variable on the device"},
                {cudaErrorInsufficientDriver, "no CUDA driver, or one that is too old"},
                {cudaErrorInvalidDeviceFunction, "no such kernel on the device"},
                {cudaErrorNoDevice, "no device"},
                {cudaErrorInvalidDevice, "no such device"},
                {cudaErrorNoKernelImageForDevice, "no kernel for this device in the program"},
                {cudaErrorInvalidResourceHandle, "no such stream, event or other handle"},
                {cudaErrorNotReady, "the device is not done yet"},
                {cudaErrorStreamCaptureUnsupported, "not allowed while a stream is captured"},
                {cudaErrorNotSupported, "not supported by this device or driver"}};
  for (const auto& entry : kTexts) {
    if (entry.error == error) return entry.text;
  }
  const char* name = NameOf(error);
  return name != nullptr ? name : "no such error code";
}

}  // namespace
}  // namespace mortar::cudart

using namespace mortar::cudart;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_CUDART_EXPORT cudaError_t cudaGetLastError() { return TakeLastError(); }
MORTAR_CUDART_EXPORT cudaError_t cudaPeekAtLastError() { return PeekLastError(); }
MORTAR_CUDART_EXPORT const char* cudaGetErrorName(cudaError_t error) {
  const char* name = NameOf(error);
  return name != nullptr ? name : "no such error code";
}
MORTAR_CUDART_EXPORT const char* cudaGetErrorString(cudaError_t error) { return TextOf(error); }

MORTAR_CUDART_EXPORT cudaError_t cudaRuntimeGetVersion(int* version) {
  if (version == nullptr) return Keep(cudaErrorInvalidValue);
  *version = kRuntimeVersion;
  return cudaSuccess;
}
// 0 where there is no driver.
MORTAR_CUDART_EXPORT cudaError_t cudaDriverGetVersion(int* version) {
  if (version == nullptr) return Keep(cudaErrorInvalidValue);
  if (Call<Symbol::cuDriverGetVersion>(version) != CUDA_SUCCESS) *version = 0;
  return cudaSuccess;
}

MORTAR_CUDART_EXPORT cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return Keep(cudaErrorInvalidValue);
  *count = 0;
  return WithDriver([&] { return Call<Symbol::cuDeviceGetCount>(count); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaGetDevice(int* device) {
  if (device == nullptr) return Keep(cudaErrorInvalidValue);
  *device = CurrentDevice();
  return Keep(Initialise());
}
MORTAR_CUDART_EXPORT cudaError_t cudaSetDevice(int device) { return Keep(SetCurrentDevice(device)); }
MORTAR_CUDART_EXPORT cudaError_t cudaInitDevice(int device, unsigned int, unsigned int) {
  const int before = CurrentDevice();
  const CUresult made = SetCurrentDevice(device);
  if (before != device) SetCurrentDevice(before);
  return Keep(made);
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceSynchronize() {
  return Run([] { return Call<Symbol::cuCtxSynchronize>(); });
}

MORTAR_CUDART_EXPORT cudaError_t cudaDeviceGetAttribute(int* value, int attribute, int device) {
  return WithDriver([&] { return Call<Symbol::cuDeviceGetAttribute>(value, attribute, device); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device) {
  if (out == nullptr) return Keep(cudaErrorInvalidValue);
  *out = {};
  return WithDriver([&] {
    CUresult result = Call<Symbol::cuDeviceGetName>(out->name, int{sizeof out->name}, device);
    if (result == CUDA_SUCCESS) result = Call<Symbol::cuDeviceTotalMem_v2>(&out->totalGlobalMem, device);
    if (result == CUDA_SUCCESS) result = Call<Symbol::cuDeviceGetUuid_v2>(&out->uuid, device);
    if (result != CUDA_SUCCESS) return result;
    FillLimits(out, device);
    FillKind(out, device);
    return CUDA_SUCCESS;
  });
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceGetPCIBusId(char* text, int room, int device) {
  return WithDriver([&] { return Call<Symbol::cuDeviceGetPCIBusId>(text, room, device); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceGetByPCIBusId(int* device, const char* text) {
  return WithDriver([&] { return Call<Symbol::cuDeviceGetByPCIBusId>(device, text); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return Run([&] { return Call<Symbol::cuCtxGetStreamPriorityRange>(least, greatest); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return WithDriver([&] { return Call<Symbol::cuDeviceCanAccessPeer>(can, device, peer); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaSetDeviceFlags(unsigned int flags) {
  return WithDriver([&] { return Call<Symbol::cuDevicePrimaryCtxSetFlags_v2>(CurrentDevice(), flags); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaGetDeviceFlags(unsigned int* flags) {
  int active = 0;
  return WithDriver(
      [&] { return Call<Symbol::cuDevicePrimaryCtxGetState>(CurrentDevice(), flags, &active); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceGetLimit(std::size_t* value, int limit) {
  return Run([&] { return Call<Symbol::cuCtxGetLimit>(value, limit); });
}
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceSetLimit(int limit, std::size_t value) {
  return Run([&] { return Call<Symbol::cuCtxSetLimit>(limit, value); });
}
// A preference; there is nothing to prefer.
MORTAR_CUDART_EXPORT cudaError_t cudaDeviceSetCacheConfig(int) { return cudaSuccess; }
// NOLINTEND(readability-identifier-naming)
