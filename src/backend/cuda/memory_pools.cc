// Pools of stream-ordered memory: what counts is what they keep of the device, used or not.
#include <mutex>
#include <vector>

#include "backend/cuda/captures.h"
#include "backend/cuda/handlers.h"
#include "backend/cuda/memory.h"
#include "backend/cuda/submit.h"

namespace mortar::cuda {
namespace {

// CUmemPool_attribute.
constexpr int kReservedNow = 5;
constexpr int kUsedNow = 7;

struct Pool {
  CUmemoryPool handle = nullptr;
  client::Device* device = nullptr;
  std::uint64_t counted = 0;
};
constinit std::mutex pools_mutex;

// REQUIRES: pools_mutex held. Never destroyed.
std::vector<Pool>& Pools() {
  static auto* pools = new std::vector<Pool>;
  return *pools;
}

std::uint64_t Ask(CUmemoryPool pool, int attribute, std::uint64_t otherwise) {
  unsigned long long value = otherwise;
  return Real<Symbol::cuMemPoolGetAttribute>()(pool, attribute, &value) == CUDA_SUCCESS ? value : otherwise;
}

void Count(Pool* pool, std::uint64_t keeps) {
  if (keeps > pool->counted) client::AddMemory(pool->device, keeps - pool->counted);
  if (keeps < pool->counted) client::GiveMemoryBack(pool->device, pool->counted - keeps);
  pool->counted = keeps;
}

// REQUIRES: pools_mutex held.
void Sync(Pool* pool) { Count(pool, Ask(pool->handle, kReservedNow, pool->counted)); }

CUmemoryPool CurrentPool() {
  CUdevice device = 0;
  CUmemoryPool pool = nullptr;
  if (Real<Symbol::cuCtxGetDevice>()(&device) != CUDA_SUCCESS) return nullptr;
  return Real<Symbol::cuDeviceGetMemPool>()(&pool, device) == CUDA_SUCCESS ? pool : nullptr;
}

void Remember(CUmemoryPool handle, client::Device* device) {
  const std::lock_guard lock(pools_mutex);
  for (const Pool& pool : Pools()) {
    if (pool.handle == handle) return;
  }
  Pools().push_back({handle, device, 0});
}

}  // namespace

void SyncPools(client::Device* device, bool trim) noexcept {
  const std::lock_guard lock(pools_mutex);
  for (Pool& pool : Pools()) {
    if (pool.device != device) continue;
    if (trim) Real<Symbol::cuMemPoolTrimTo>()(pool.handle, 0);
    Sync(&pool);
  }
}

PoolTake BeforePoolAllocation(const PoolRequest& request) noexcept {
  PoolTake take;
  // In a capture nothing is allocated yet.
  if (!Active() || request.out == nullptr || (AnyCapture() && IsCaptured(request.stream))) return take;
  client::Device* device = CurrentDevice(request.stream);
  if (device == nullptr) return take;
  take.pool = request.pool != nullptr ? request.pool : CurrentPool();
  if (take.pool == nullptr) return take;
  Remember(take.pool, device);
  const std::uint64_t keeps = Ask(take.pool, kReservedNow, 0);
  const std::uint64_t used = Ask(take.pool, kUsedNow, keeps);
  const std::uint64_t unused = keeps > used ? keeps - used : 0;
  take.taken = request.bytes > unused ? request.bytes - unused : 0;
  take.refused = !TakeOrTrim(device, take.taken);
  if (!take.refused) take.device = device;
  return take;
}

CUresult AfterPoolAllocation(const PoolRequest& request, const PoolTake& take, CUresult status) noexcept {
  if (take.device == nullptr) return status;
  {
    const std::lock_guard lock(pools_mutex);
    for (Pool& pool : Pools()) {
      if (pool.handle == take.pool) Sync(&pool);
    }
  }
  // The pool's own account stands for it from here on.
  client::GiveMemoryBack(take.device, take.taken);
  const client::MemoryUse use = client::MemoryOf(take.device);
  if (status != CUDA_SUCCESS || use.held <= use.limit) return status;
  // The pool grew by more than was asked for.
  Real<Symbol::cuMemFreeAsync>()(*request.out, request.stream);
  SyncPools(take.device, true);
  client::CountRefusal(take.device, request.bytes);
  return CUDA_ERROR_OUT_OF_MEMORY;
}

MORTAR_CUDA_HANDLER(cuMemPoolTrimTo)(CUmemoryPool pool, std::size_t keep) noexcept {
  const CUresult status = Real<Symbol::cuMemPoolTrimTo>()(pool, keep);
  if (!Active()) return status;
  const std::lock_guard lock(pools_mutex);
  for (Pool& known : Pools()) {
    if (known.handle == pool) Sync(&known);
  }
  return status;
}

MORTAR_CUDA_HANDLER(cuMemPoolDestroy)(CUmemoryPool pool) noexcept {
  const CUresult status = Real<Symbol::cuMemPoolDestroy>()(pool);
  if (status != CUDA_SUCCESS || !Active()) return status;
  const std::lock_guard lock(pools_mutex);
  std::erase_if(Pools(), [&](Pool& known) {
    if (known.handle != pool) return false;
    Count(&known, 0);
    return true;
  });
  return status;
}

}  // namespace mortar::cuda
