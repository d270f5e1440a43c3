// Memory created apart from addresses (cuMemCreate): it is given back with its last handle and mapping.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "backend/cuda/handlers.h"
#include "backend/cuda/memory.h"
#include "backend/cuda/submit.h"

namespace mortar::cuda {
namespace {

constexpr int kOnDevice = 1;  // CU_MEM_LOCATION_TYPE_DEVICE

// The beginning of CUmemAllocationProp.
struct CreateProperties {
  int type;
  int handle_types;
  CUmemLocation location;
};

// Gives back when nobody refers to it any more.
struct Physical {
  Physical(client::Device* on, std::uint64_t size) : device(on), bytes(size) {}
  Physical(const Physical&) = delete;
  Physical& operator=(const Physical&) = delete;
  ~Physical() { client::GiveMemoryBack(device, bytes); }
  client::Device* device;
  std::uint64_t bytes;
};
using Reference = std::shared_ptr<const Physical>;

struct Mapping {
  CUdeviceptr address = 0;
  std::size_t bytes = 0;
  Reference memory;
};

struct Known {
  std::mutex mutex;  // all below
  std::unordered_map<unsigned long long, std::vector<Reference>>
      handles;  // one reference for each release due
  std::map<CUdeviceptr, Mapping> mappings;
};
Known& TheKnown() {
  static auto* known = new Known;  // never destroyed: threads may call until the very end
  return *known;
}

// One reference of `handle`; null: not known.
Reference TakeHandle(unsigned long long handle) {
  Known& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  const auto found = known.handles.find(handle);
  if (found == known.handles.end()) return nullptr;
  Reference taken = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) known.handles.erase(found);
  return taken;
}

void PutHandle(unsigned long long handle, Reference memory) {
  if (memory == nullptr) return;
  Known& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  known.handles[handle].push_back(std::move(memory));
}

Reference FindHandle(unsigned long long handle) {
  Known& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  const auto found = known.handles.find(handle);
  return found != known.handles.end() ? found->second.back() : nullptr;
}

Reference FindMapping(CUdeviceptr address) {
  Known& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  auto after = known.mappings.upper_bound(address);
  if (after == known.mappings.begin()) return nullptr;
  const Mapping& mapping = (--after)->second;
  return address - mapping.address < mapping.bytes ? mapping.memory : nullptr;
}

std::vector<Mapping> TakeMappings(CUdeviceptr address, std::size_t bytes) {
  Known& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  std::vector<Mapping> taken;
  for (auto i = known.mappings.lower_bound(address);
       i != known.mappings.end() && i->first - address < bytes;) {
    taken.push_back(std::move(i->second));
    i = known.mappings.erase(i);
  }
  return taken;
}

void PutMapping(const Mapping& mapping) {
  Known& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  known.mappings[mapping.address] = mapping;
}

client::Device* DeviceFor(const void* properties) {
  if (properties == nullptr || !Active()) return nullptr;
  const CUmemLocation& location = static_cast<const CreateProperties*>(properties)->location;
  if (location.type != kOnDevice) return nullptr;
  client::Device* only = only_device.load(std::memory_order_acquire);  // pairs with FindCurrentDevice
  return only != nullptr ? only : DeviceOf(location.id);
}

}  // namespace

MORTAR_CUDA_HANDLER(cuMemCreate)
(unsigned long long* handle, std::size_t bytes, const void* properties, unsigned long long flags) noexcept {
  const auto call = [&] { return Real<Symbol::cuMemCreate>()(handle, bytes, properties, flags); };
  client::Device* device = handle != nullptr ? DeviceFor(properties) : nullptr;
  if (device == nullptr) return call();
  if (!TakeOrTrim(device, bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
  Reference memory = std::make_shared<const Physical>(device, bytes);
  const CUresult status = call();
  if (status == CUDA_SUCCESS) PutHandle(*handle, std::move(memory));
  return status;
}

MORTAR_CUDA_HANDLER(cuMemRetainAllocationHandle)(unsigned long long* handle, void* address) noexcept {
  const CUresult status = Real<Symbol::cuMemRetainAllocationHandle>()(handle, address);
  if (status == CUDA_SUCCESS && handle != nullptr && Active())
    PutHandle(*handle, FindMapping(std::bit_cast<std::uintptr_t>(address)));
  return status;
}

MORTAR_CUDA_HANDLER(cuMemRelease)(unsigned long long handle) noexcept {
  if (!Active()) return Real<Symbol::cuMemRelease>()(handle);
  // Before the call: behind it the handle may be another's already.
  Reference memory = TakeHandle(handle);
  const CUresult status = Real<Symbol::cuMemRelease>()(handle);
  if (status != CUDA_SUCCESS) PutHandle(handle, std::move(memory));
  return status;
}

MORTAR_CUDA_HANDLER(cuMemMap)
(CUdeviceptr address, std::size_t bytes, std::size_t offset, unsigned long long handle,
 unsigned long long flags) noexcept {
  const Reference memory = Active() ? FindHandle(handle) : nullptr;
  const CUresult status = Real<Symbol::cuMemMap>()(address, bytes, offset, handle, flags);
  if (status == CUDA_SUCCESS && memory != nullptr) PutMapping({address, bytes, memory});
  return status;
}

MORTAR_CUDA_HANDLER(cuMemUnmap)(CUdeviceptr address, std::size_t bytes) noexcept {
  if (!Active()) return Real<Symbol::cuMemUnmap>()(address, bytes);
  const std::vector<Mapping> mappings = TakeMappings(address, bytes);
  const CUresult status = Real<Symbol::cuMemUnmap>()(address, bytes);
  if (status != CUDA_SUCCESS) std::for_each(mappings.begin(), mappings.end(), PutMapping);
  return status;
}

}  // namespace mortar::cuda
