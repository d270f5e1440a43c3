#include "backend/cuda/mock/mock_driver.h"

#include <cstdio>
#include <cstdlib>

namespace mortar::cuda {
namespace {

MockCuda& Mock() {
  static MockCuda* mock = [] {
    auto* made = new MockCuda;
    // For programs that the test does not share memory with.
    if (const char* version = std::getenv("MOCK_CUDA_VERSION")) made->version = std::atoi(version);
    if (const char* devices = std::getenv("MOCK_CUDA_DEVICES")) made->devices = std::atoi(devices);
    return made;
  }();
  return *mock;
}

// What a function does beside recording; most do nothing.
template <Symbol kSymbol>
struct Special {};

template <typename Handle>
CUresult Make(Handle* made) {
  if (made == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *made = reinterpret_cast<Handle>(Mock().next_handle.fetch_add(16));
  return CUDA_SUCCESS;
}

void* AddressOf(Symbol symbol);

CUresult Look(const char* name, void** function, int version, unsigned long long flags, int* status) {
  const bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
  const Symbol symbol = SymbolFor(name, version, per_thread);
  *function = symbol != Symbol::kEnd ? AddressOf(symbol) : nullptr;
  if (status != nullptr) *status = *function != nullptr ? 0 : 1;
  return *function != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult Ready() { return Mock().busy ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS; }

CUresult Text(const char* text, char* out, int room) {
  std::snprintf(out, static_cast<std::size_t>(room), "%s", text);
  return CUDA_SUCCESS;
}

CUresult Name(const char** out, const char* name) {
  if (name == nullptr) return CUDA_ERROR_NOT_FOUND;
  *out = name;
  return CUDA_SUCCESS;
}

CUresult IsCapturing(CUstream stream, int* status) {
  *status = Mock().captured == reinterpret_cast<std::uintptr_t>(stream) ? 1 : 0;
  return CUDA_SUCCESS;
}

#define MOCK_SPECIAL(symbol, ...)    \
  template <>                        \
  struct Special<Symbol::symbol> {   \
    static CUresult Call __VA_ARGS__ \
  }

MOCK_SPECIAL(
    cuDriverGetVersion, (int* out) {
      *out = Mock().version;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuDeviceGetCount, (int* out) {
      *out = Mock().devices;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuDeviceGetName, (char* out, int room, CUdevice) { return Text("Mock", out, room); });
MOCK_SPECIAL(
    cuDeviceGetPCIBusId, (char* out, int room, CUdevice device) {
      return Text(device == 0 ? "0000:0A:00.0" : "0000:0B:00.0", out, room);
    });
// The primary context of device 1; any other is the one that the test says is current.
auto* const kSecondContext = reinterpret_cast<CUcontext>(0xd0);
thread_local bool in_second = false;

MOCK_SPECIAL(
    cuDevicePrimaryCtxRetain, (CUcontext * out, CUdevice device) {
      *out = device == 1 ? kSecondContext : Mock().context.load();
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuDevicePrimaryCtxGetState, (CUdevice, unsigned*, int* active) {
      *active = Mock().primary_active;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuCtxSetCurrent, (CUcontext context) {
      in_second = context == kSecondContext;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuCtxGetCurrent, (CUcontext * out) {
      *out = in_second ? kSecondContext : Mock().context.load();
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuCtxGetDevice, (CUdevice * out) {
      *out = in_second ? 1 : Mock().current_device.load();
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuStreamCreate, (CUstream * out, unsigned) { return Make(out); });
MOCK_SPECIAL(
    cuEventCreate, (CUevent * out, unsigned) { return Make(out); });
MOCK_SPECIAL(
    cuModuleGetFunction, (CUfunction * out, CUmodule, const char*) { return Make(out); });
MOCK_SPECIAL(
    cuLibraryGetKernel, (CUkernel * out, CUlibrary, const char*) { return Make(out); });
MOCK_SPECIAL(
    cuKernelGetFunction, (CUfunction * out, CUkernel) { return Make(out); });
MOCK_SPECIAL(
    cuGraphInstantiateWithFlags, (CUgraphExec * out, CUgraph, unsigned long long) { return Make(out); });
MOCK_SPECIAL(
    cuGraphGetNodes, (CUgraph, CUgraphNode*, std::size_t* count) {
      *count = 7;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuFuncGetName, (const char** out, CUfunction) { return Name(out, Mock().function_name); });
MOCK_SPECIAL(
    cuKernelGetName, (const char** out, CUkernel) { return Name(out, Mock().kernel_name); });
MOCK_SPECIAL(
    cuFuncGetParamInfo, (CUfunction, std::size_t index, std::size_t* offset, std::size_t* size) {
      // A pointer and a number.
      if (index > 1) return CUDA_ERROR_INVALID_VALUE;
      *offset = index * 8;
      *size = index == 0 ? 8 : 4;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuEventQuery, (CUevent) { return Ready(); });
MOCK_SPECIAL(
    cuStreamQuery, (CUstream) { return Ready(); });
MOCK_SPECIAL(
    cuStreamQuery_ptsz, (CUstream) { return Ready(); });
MOCK_SPECIAL(
    cuEventElapsedTime, (float* out, CUevent, CUevent) {
      *out = Mock().elapsed_ms;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuStreamIsCapturing, (CUstream stream, int* status) { return IsCapturing(stream, status); });
MOCK_SPECIAL(
    cuPointerGetAttribute, (void* out, int, CUdeviceptr) {
      if (Mock().pageable) return CUDA_ERROR_INVALID_VALUE;
      *static_cast<unsigned*>(out) = 1;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuLaunchHostFunc, (CUstream, CUhostFn function, void* data) {
      function(data);
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuLaunchHostFunc_ptsz, (CUstream, CUhostFn function, void* data) {
      function(data);
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuStreamAddCallback, (CUstream stream, CUstreamCallback function, void* data, unsigned) {
      function(stream, CUDA_SUCCESS, data);
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuStreamAddCallback_ptsz, (CUstream stream, CUstreamCallback function, void* data, unsigned) {
      function(stream, CUDA_SUCCESS, data);
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuGetProcAddress, (const char* name, void** out, int version, unsigned long long flags) {
      return Look(name, out, version, flags, nullptr);
    });
MOCK_SPECIAL(
    cuGetProcAddress_v2, (const char* name, void** out, int version, unsigned long long flags, int* status) {
      return Look(name, out, version, flags, status);
    });

// Memory: addresses and handles of nothing.
template <typename Address>
CUresult MakeAddress(Address* made) {
  if (made == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *made = static_cast<Address>(Mock().next_handle.fetch_add(1 << 12));
  return CUDA_SUCCESS;
}

CUresult TakeFromPool(CUdeviceptr* made, std::size_t bytes) {
  MockCuda& mock = Mock();
  mock.pool_used += bytes;
  if (mock.pool_reserved < mock.pool_used) mock.pool_reserved = mock.pool_used + mock.pool_grain;
  return MakeAddress(made);
}

MOCK_SPECIAL(
    cuMemAlloc, (CUdeviceptr_v1 * out, unsigned) { return MakeAddress(out); });
MOCK_SPECIAL(
    cuMemAlloc_v2, (CUdeviceptr * out, std::size_t) { return MakeAddress(out); });
MOCK_SPECIAL(
    cuMemAllocManaged, (CUdeviceptr * out, std::size_t, unsigned) { return MakeAddress(out); });
MOCK_SPECIAL(
    cuMemAllocPitch_v2, (CUdeviceptr * out, std::size_t* pitch, std::size_t width, std::size_t, unsigned) {
      *pitch = (width + MockCuda::kPitch - 1) / MockCuda::kPitch * MockCuda::kPitch;
      return MakeAddress(out);
    });
MOCK_SPECIAL(
    cuArrayCreate_v2, (CUarray * out, const void*) { return Make(out); });
MOCK_SPECIAL(
    cuArray3DCreate_v2, (CUarray * out, const void*) { return Make(out); });
MOCK_SPECIAL(
    cuMipmappedArrayCreate, (CUmipmappedArray * out, const void*, unsigned) { return Make(out); });
MOCK_SPECIAL(
    cuMemCreate,
    (unsigned long long* out, std::size_t, const void*, unsigned long long) { return MakeAddress(out); });
MOCK_SPECIAL(
    cuMemRetainAllocationHandle, (unsigned long long* out, void*) { return MakeAddress(out); });
MOCK_SPECIAL(
    cuMemAllocAsync, (CUdeviceptr * out, std::size_t bytes, CUstream) { return TakeFromPool(out, bytes); });
MOCK_SPECIAL(
    cuMemAllocFromPoolAsync,
    (CUdeviceptr * out, std::size_t bytes, CUmemoryPool, CUstream) { return TakeFromPool(out, bytes); });
MOCK_SPECIAL(
    cuDeviceGetMemPool, (CUmemoryPool * out, CUdevice) {
      *out = reinterpret_cast<CUmemoryPool>(0x9001);
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuMemPoolGetAttribute, (CUmemoryPool, int attribute, void* out) {
      constexpr int kReservedNow = 5;
      *static_cast<unsigned long long*>(out) =
          attribute == kReservedNow ? Mock().pool_reserved.load() : Mock().pool_used.load();
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuMemPoolTrimTo, (CUmemoryPool, std::size_t) {
      Mock().pool_reserved = Mock().pool_used.load();
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuMemGetInfo_v2, (std::size_t * free, std::size_t* total) {
      *free = MockCuda::kMemory / 2;
      *total = MockCuda::kMemory;
      return CUDA_SUCCESS;
    });
MOCK_SPECIAL(
    cuDeviceTotalMem_v2, (std::size_t * total, CUdevice) {
      *total = MockCuda::kMemory;
      return CUDA_SUCCESS;
    });

// A refusal leaves everything as it is.
template <Symbol kSymbol, typename... Arguments>
CUresult Call(Arguments... arguments) {
  const CUresult answer = Mock().Record(kSymbol, arguments...);
  if constexpr (requires { Special<kSymbol>::Call(arguments...); }) {
    if (answer == CUDA_SUCCESS) return Special<kSymbol>::Call(arguments...);
  }
  return answer;
}

}  // namespace
}  // namespace mortar::cuda

#define MOCK_EXPORT extern "C" __attribute__((visibility("default")))

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) MOCK_EXPORT CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments)                                            \
  CUresult symbol parameters {                                                                              \
    const auto call = [](auto... all) { return mortar::cuda::Call<mortar::cuda::Symbol::symbol>(all...); }; \
    return call arguments;                                                                                  \
  }
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

namespace mortar::cuda {
namespace {

void* AddressOf(Symbol symbol) {
  static void* const kAddresses[] = {
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) reinterpret_cast<void*>(&::symbol),
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
  };
  return kAddresses[Index(symbol)];
}

}  // namespace
}  // namespace mortar::cuda

MOCK_EXPORT mortar::cuda::MockCuda* mortar_mock_cuda() { return &mortar::cuda::Mock(); }
