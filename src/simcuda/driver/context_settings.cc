// What contexts are asked and told of themselves. Settings are kept and change nothing.
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kApiVersion = 3020;  // as drivers answer since CUDA 3.2

// What a device without a setting of its own answers, by CUlimit; 0: refused.
std::size_t DefaultLimit(int limit) {
  constexpr std::size_t kDefaults[] = {1024, 1 << 20, 8 << 20, 2, 2048, 64, 0};
  const auto at = static_cast<std::size_t>(limit);
  return limit >= 0 && at < std::size(kDefaults) ? kDefaults[at] : 0;
}

bool IsLimit(int limit) { return limit >= 0 && limit <= 6; }

// One answer about a context that works.
template <typename Out, typename Value>
CUresult Answer(CUcontext handle, Out* out, Value value) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context, handle); entered != CUDA_SUCCESS) return entered;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = value(*context);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext ctx) {
  return Answer(ctx, device, [](const SimContext& context) { return context.device->ordinal; });
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetDevice(CUdevice* device) { return cuCtxGetDevice_v2(device, nullptr); }

MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetFlags(unsigned int* flags) {
  return Answer(nullptr, flags, [](const SimContext& context) { return context.flags; });
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxSetFlags(unsigned int flags) {
  SimContext* context = nullptr;
  const CUresult entered = Enter(&context);
  if (entered == CUDA_SUCCESS) context->flags = flags;
  return entered;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetId(CUcontext ctx, unsigned long long* ctxId) {
  return Answer(ctx, ctxId, [](const SimContext& context) { return context.id; });
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned int* version) {
  return Answer(ctx, version, [](const SimContext&) { return kApiVersion; });
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetLimit(std::size_t* pvalue, int limit) {
  if (!IsLimit(limit)) return CUDA_ERROR_UNSUPPORTED_LIMIT;
  return Answer(nullptr, pvalue, [limit](const SimContext& context) {
    const std::lock_guard lock(TheWorld()->mutex);
    const auto found = context.limits.find(limit);
    return found != context.limits.end() ? found->second : DefaultLimit(limit);
  });
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxSetLimit(int limit, std::size_t value) {
  if (!IsLimit(limit)) return CUDA_ERROR_UNSUPPORTED_LIMIT;
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  const std::lock_guard lock(TheWorld()->mutex);
  context->limits[limit] = value;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetCacheConfig(int* pconfig) {
  return Answer(nullptr, pconfig, [](const SimContext&) { return 0; });
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxSetCacheConfig(int) { return Enter(); }
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetSharedMemConfig(int* pConfig) {
  return Answer(nullptr, pConfig, [](const SimContext&) { return 1; });
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxSetSharedMemConfig(int) { return Enter(); }
MORTAR_SIMCUDA_EXPORT CUresult cuCtxResetPersistingL2Cache() { return Enter(); }

MORTAR_SIMCUDA_EXPORT CUresult cuCtxEnablePeerAccess(CUcontext peerContext, unsigned int Flags) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  SimContext* peer = FindContext(peerContext);
  if (peer == nullptr || peer == context) return CUDA_ERROR_INVALID_CONTEXT;
  if (Flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (peer->device == context->device) return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  const std::lock_guard lock(TheWorld()->mutex);
  return context->peers.insert(peer).second ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxDisablePeerAccess(CUcontext peerContext) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  const std::lock_guard lock(TheWorld()->mutex);
  return context->peers.erase(reinterpret_cast<SimContext*>(peerContext)) != 0
             ? CUDA_SUCCESS
             : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}
// NOLINTEND(readability-identifier-naming)
