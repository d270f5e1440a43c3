// Memory with an address or a handle of its own, and what the program is told there is.
#include "backend/cuda/memory.h"

#include <algorithm>
#include <bit>

#include "backend/cuda/handlers.h"
#include "backend/cuda/submit.h"

namespace mortar::cuda {

constinit client::MemoryLedger memory_ledger;

namespace {

constexpr int kMostDevices = 64;
constinit std::atomic<CUcontext> primaries[kMostDevices] = {};

client::Device* Here() noexcept { return Active() ? CurrentDevice(nullptr) : nullptr; }

std::uint64_t Product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

template <typename Handle>
std::uint64_t KeyOf(Handle handle) {
  if constexpr (std::is_pointer_v<Handle>) {
    return std::bit_cast<std::uintptr_t>(handle);
  } else {
    return handle;
  }
}

// `bytes` of device memory, taken by `call()` under what then stands in *made.
template <typename Handle, typename Call>
CUresult Allocate(Handle* made, std::uint64_t bytes, Call&& call) noexcept {
  client::Device* device = Here();
  if (device == nullptr || made == nullptr) return call();
  if (!TakeOrTrim(device, bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult status = call();
  if (status != CUDA_SUCCESS) {
    client::GiveMemoryBack(device, bytes);
  } else {
    memory_ledger.Put(KeyOf(*made), {device, bytes, CurrentContext()});
  }
  return status;
}

// Rows are padded: how far is known afterwards.
template <Symbol kSymbol, Symbol kFree, typename Pointer, typename Size>
CUresult AllocatePitch(Pointer* made, Size* pitch, Size width, Size height, unsigned int element) noexcept {
  const std::uint64_t least = Product(width, height);
  const CUresult status =
      Allocate(made, least, [&] { return Real<kSymbol>()(made, pitch, width, height, element); });
  if (status != CUDA_SUCCESS || made == nullptr || pitch == nullptr || !Active()) return status;
  auto entry = memory_ledger.Take(*made);
  if (!entry) return status;
  const std::uint64_t whole = Product(*pitch, height);
  if (whole > least && !TakeOrTrim(entry->device, whole - least)) {
    Real<kFree>()(*made);
    client::GiveMemoryBack(entry->device, least);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  entry->bytes = std::max(whole, least);
  memory_ledger.Put(*made, *entry);
  return status;
}

// CUDA_ARRAY_DESCRIPTOR and CUDA_ARRAY3D_DESCRIPTOR, and what they were before version 2 (unsigned int).
template <typename Size>
struct Array2D {
  Size width, height;
  int format;
  unsigned int channels;
};
template <typename Size>
struct Array3D {
  Size width, height, depth;
  int format;
  unsigned int channels, flags;
};
static_assert(sizeof(Array2D<std::size_t>) == 24 && sizeof(Array3D<std::size_t>) == 40);

constexpr unsigned int kSparse = 0x40;    // CUDA_ARRAY3D_SPARSE: memory is mapped later
constexpr unsigned int kDeferred = 0x80;  // CUDA_ARRAY3D_DEFERRED_MAPPING

std::uint64_t FormatBytes(int format) {
  switch (format) {
    case 0x01:  // CU_AD_FORMAT_UNSIGNED_INT8
    case 0x08:
      return 1;
    case 0x02:  // UNSIGNED_INT16
    case 0x09:
    case 0x10:  // HALF
      return 2;
    default:
      return 4;
  }
}

template <typename Size>
std::uint64_t BytesOf(const Array2D<Size>& array) {
  return Product(Product(array.width, std::max<std::uint64_t>(1, array.height)),
                 array.channels * FormatBytes(array.format));
}
template <typename Size>
std::uint64_t BytesOf(const Array3D<Size>& array) {
  if ((array.flags & (kSparse | kDeferred)) != 0) return 0;
  const Array2D<std::uint64_t> layer{array.width, array.height, array.format, array.channels};
  return Product(BytesOf(layer), std::max<std::uint64_t>(1, array.depth));
}

template <typename Description>
std::uint64_t BytesOfArray(const void* description) {
  return description != nullptr ? BytesOf(*static_cast<const Description*>(description)) : 0;
}

std::uint64_t BytesOfMipmaps(const void* description, unsigned int levels) {
  if (description == nullptr) return 0;
  auto level = *static_cast<const Array3D<std::size_t>*>(description);
  std::uint64_t sum = 0;
  for (unsigned int i = 0; i < std::min(levels, 64U); ++i) {
    if (__builtin_add_overflow(sum, BytesOf(level), &sum)) return UINT64_MAX;
    for (std::size_t* size : {&level.width, &level.height, &level.depth})
      *size = std::max<std::size_t>(1, *size / 2);
  }
  return sum;
}

template <typename Size>
CUresult TellInfo(CUresult status, Size* free, Size* total) noexcept {
  if (status != CUDA_SUCCESS) return status;
  client::Device* device = Here();
  if (device == nullptr) return status;
  SyncPools(device, false);
  const client::MemoryUse use = client::MemoryOf(device);
  if (free != nullptr) *free = static_cast<Size>(std::min<std::uint64_t>(*free, use.left()));
  if (total != nullptr) *total = static_cast<Size>(std::min<std::uint64_t>(*total, use.limit));
  return status;
}

template <typename Size>
CUresult TellTotal(CUresult status, Size* bytes) noexcept {
  if (status != CUDA_SUCCESS || bytes == nullptr || !Active()) return status;
  const client::MemoryUse use = client::MemoryOf(only_device.load());
  *bytes = static_cast<Size>(std::min<std::uint64_t>(*bytes, use.limit));
  return status;
}

}  // namespace

bool TakeOrTrim(client::Device* device, std::uint64_t bytes) noexcept {
  if (client::TakeMemory(device, bytes)) return true;
  for (const bool trim : {false, true}) {
    SyncPools(device, trim);
    if (client::TakeMemory(device, bytes)) return true;
  }
  client::CountRefusal(device, bytes);
  return false;
}

void OnContextMemoryGone(CUcontext context) noexcept {
  if (context == nullptr) return;
  for (const auto& entry : memory_ledger.TakeAllOf(context))
    client::GiveMemoryBack(entry.device, entry.bytes);
}

void OnPrimaryRetained(CUdevice device, CUcontext context) noexcept {
  if (device >= 0 && device < kMostDevices) primaries[device].store(context);
}

CUcontext TakeEndedPrimary(CUdevice device) noexcept {
  if (device < 0 || device >= kMostDevices) return nullptr;
  unsigned int flags = 0;
  int active = 1;
  if (Real<Symbol::cuDevicePrimaryCtxGetState>()(device, &flags, &active) != CUDA_SUCCESS || active != 0)
    return nullptr;
  return primaries[device].exchange(nullptr);
}

MORTAR_CUDA_HANDLER(cuMemAlloc)(CUdeviceptr_v1* made, unsigned int bytes) noexcept {
  return Allocate(made, bytes, [&] { return Real<Symbol::cuMemAlloc>()(made, bytes); });
}
MORTAR_CUDA_HANDLER(cuMemAlloc_v2)(CUdeviceptr* made, std::size_t bytes) noexcept {
  return Allocate(made, bytes, [&] { return Real<Symbol::cuMemAlloc_v2>()(made, bytes); });
}
MORTAR_CUDA_HANDLER(cuMemAllocPitch)
(CUdeviceptr_v1* made, unsigned int* pitch, unsigned int width, unsigned int height,
 unsigned int element) noexcept {
  return AllocatePitch<Symbol::cuMemAllocPitch, Symbol::cuMemFree>(made, pitch, width, height, element);
}
MORTAR_CUDA_HANDLER(cuMemAllocPitch_v2)
(CUdeviceptr* made, std::size_t* pitch, std::size_t width, std::size_t height,
 unsigned int element) noexcept {
  return AllocatePitch<Symbol::cuMemAllocPitch_v2, Symbol::cuMemFree_v2>(made, pitch, width, height, element);
}
MORTAR_CUDA_HANDLER(cuMemAllocManaged)(CUdeviceptr* made, std::size_t bytes, unsigned int flags) noexcept {
  return Allocate(made, bytes, [&] { return Real<Symbol::cuMemAllocManaged>()(made, bytes, flags); });
}

MORTAR_CUDA_HANDLER(cuArrayCreate)(CUarray* made, const void* description) noexcept {
  return Allocate(made, BytesOfArray<Array2D<unsigned int>>(description),
                  [&] { return Real<Symbol::cuArrayCreate>()(made, description); });
}
MORTAR_CUDA_HANDLER(cuArrayCreate_v2)(CUarray* made, const void* description) noexcept {
  return Allocate(made, BytesOfArray<Array2D<std::size_t>>(description),
                  [&] { return Real<Symbol::cuArrayCreate_v2>()(made, description); });
}
MORTAR_CUDA_HANDLER(cuArray3DCreate)(CUarray* made, const void* description) noexcept {
  return Allocate(made, BytesOfArray<Array3D<unsigned int>>(description),
                  [&] { return Real<Symbol::cuArray3DCreate>()(made, description); });
}
MORTAR_CUDA_HANDLER(cuArray3DCreate_v2)(CUarray* made, const void* description) noexcept {
  return Allocate(made, BytesOfArray<Array3D<std::size_t>>(description),
                  [&] { return Real<Symbol::cuArray3DCreate_v2>()(made, description); });
}
MORTAR_CUDA_HANDLER(cuArrayDestroy)(CUarray array) noexcept {
  return FreeMemory(KeyOf(array), [&] { return Real<Symbol::cuArrayDestroy>()(array); });
}
MORTAR_CUDA_HANDLER(cuMipmappedArrayCreate)
(CUmipmappedArray* made, const void* description, unsigned int levels) noexcept {
  return Allocate(made, BytesOfMipmaps(description, levels),
                  [&] { return Real<Symbol::cuMipmappedArrayCreate>()(made, description, levels); });
}
MORTAR_CUDA_HANDLER(cuMipmappedArrayDestroy)(CUmipmappedArray array) noexcept {
  return FreeMemory(KeyOf(array), [&] { return Real<Symbol::cuMipmappedArrayDestroy>()(array); });
}

MORTAR_CUDA_HANDLER(cuMemGetInfo)(unsigned int* free, unsigned int* total) noexcept {
  return TellInfo(Real<Symbol::cuMemGetInfo>()(free, total), free, total);
}
MORTAR_CUDA_HANDLER(cuMemGetInfo_v2)(std::size_t* free, std::size_t* total) noexcept {
  return TellInfo(Real<Symbol::cuMemGetInfo_v2>()(free, total), free, total);
}
MORTAR_CUDA_HANDLER(cuDeviceTotalMem)(unsigned int* bytes, CUdevice device) noexcept {
  return TellTotal(Real<Symbol::cuDeviceTotalMem>()(bytes, device), bytes);
}
MORTAR_CUDA_HANDLER(cuDeviceTotalMem_v2)(std::size_t* bytes, CUdevice device) noexcept {
  return TellTotal(Real<Symbol::cuDeviceTotalMem_v2>()(bytes, device), bytes);
}

}  // namespace mortar::cuda
