// Contexts: primary and explicit, each thread's stack of current ones.
#include <algorithm>
#include <utility>

#include "simcuda/driver/captures.h"
#include "simcuda/driver/memory.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

std::vector<SimContext*>& Stack() {
  static thread_local std::vector<SimContext*> stack;
  return stack;
}

CUcontext Handle(SimContext* context) { return HandleOf<CUcontext>(context); }

// REQUIRES: world.mutex held. Null: no room on the device.
SimContext* MakeContext(World& world, SimDevice& device, unsigned int flags) {
  const Index index = device.shared.AddContext();
  if (index == kNone) return nullptr;
  Index legacy = kNone;
  {
    SharedDevice::Session session(device.shared);
    legacy = session->AddStream(index, StreamKind::kLegacy, 0);
  }
  if (legacy == kNone) {
    device.shared.RemoveContext(index);
    return nullptr;
  }
  auto* context = new SimContext;
  context->device = &device;
  context->index = index;
  context->id = ++world.last_id;
  context->flags = flags;
  context->legacy = std::make_unique<SimStream>();
  *context->legacy = {context, legacy, StreamKind::kLegacy, 0, 0, ++world.last_id};
  world.contexts.insert(context);
  const std::lock_guard settling(device.effects);
  device.contexts.push_back(context);
  return context;
}

// Its handle answers CUDA_ERROR_INVALID_CONTEXT from here on; the record stays, as threads may be in it.
void DestroyContext(SimContext& context) {
  if (context.error.load() == CUDA_SUCCESS) WaitForContext(context);
  World& world = *TheWorld();
  {
    const std::lock_guard lock(world.mutex);
    if (world.contexts.erase(&context) == 0) return;
    std::erase_if(world.streams, [&](const SimStream* stream) { return stream->context == &context; });
    std::erase_if(world.events, [&](const SimEvent* event) { return event->context == &context; });
    AbandonCaptures(context);
  }
  // First nothing of it takes effect any more: another process may be given the same index at once, and its
  // notices are not ours. What has been handed over is forgotten next, and then nobody looks at its memory.
  SimDevice& device = *context.device;
  Index index = kNone;
  {
    const std::lock_guard settling(device.effects);
    std::erase(device.contexts, &context);
    index = context.index.exchange(kNone);
  }
  ForgetCallsOf(device.calls, context);
  FreeMemoryOf(context);
  device.shared.RemoveContext(index);
}

CUresult CheckDevice(CUdevice dev, const void* out, SimDevice** device) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *device = FindDevice(dev);
  return *device != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult Release(CUdevice dev, bool all) {
  SimDevice* device = nullptr;
  if (const CUresult checked = CheckDevice(dev, &device, &device); checked != CUDA_SUCCESS) return checked;
  SimContext* last = nullptr;
  {
    const std::lock_guard lock(TheWorld()->mutex);
    if (device->primary == nullptr) return all ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
    device->primary->retained = all ? 0 : device->primary->retained - 1;
    if (device->primary->retained <= 0) last = std::exchange(device->primary, nullptr);
  }
  if (last != nullptr) DestroyContext(*last);
  return CUDA_SUCCESS;
}

CUresult SetFlags(CUdevice dev, unsigned int flags) {
  SimDevice* device = nullptr;
  if (const CUresult checked = CheckDevice(dev, &device, &device); checked != CUDA_SUCCESS) return checked;
  const std::lock_guard lock(TheWorld()->mutex);
  device->primary_flags = flags;
  if (device->primary != nullptr) device->primary->flags = flags;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult WaitForContext(SimContext& context) {
  std::vector<CommandId> ids(kStreams);
  Index count = 0;
  {
    SharedDevice::Session session(context.device->shared);
    count = session->LastOfContext(context.index, ids.data(), kStreams);
  }
  for (Index i = 0; i < std::min(count, kStreams); ++i) WaitDone(context, ids[i]);
  Settle(*context.device);
  return context.error.load();
}

void WaitForAll() {
  std::vector<SimContext*> contexts;
  {
    const std::lock_guard lock(TheWorld()->mutex);
    contexts.assign(TheWorld()->contexts.begin(), TheWorld()->contexts.end());
  }
  for (SimContext* context : contexts) WaitForContext(*context);
}

SimContext* FindContext(CUcontext handle) {
  World* world = TheWorld();
  if (world == nullptr) return nullptr;
  const std::lock_guard lock(world->mutex);
  const auto found = world->contexts.find(reinterpret_cast<SimContext*>(handle));
  return found == world->contexts.end() ? nullptr : *found;
}

SimContext* Current() {
  const auto& stack = Stack();
  return stack.empty() ? nullptr : FindContext(Handle(stack.back()));
}

CUresult Enter(SimContext** context, CUcontext handle) {
  *context = nullptr;
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  *context = handle != nullptr ? FindContext(handle) : Current();
  return *context != nullptr ? (*context)->error.load() : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult Enter() {
  SimContext* context = nullptr;
  return Enter(&context);
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuCtxCreate_v2(CUcontext* pctx, unsigned int flags, CUdevice dev) {
  SimDevice* device = nullptr;
  if (const CUresult checked = CheckDevice(dev, pctx, &device); checked != CUDA_SUCCESS) return checked;
  const std::lock_guard lock(TheWorld()->mutex);
  SimContext* context = MakeContext(*TheWorld(), *device, flags);
  if (context == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  Stack().push_back(context);
  *pctx = Handle(context);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxCreate(CUcontext* pctx, unsigned int flags, CUdevice dev) {
  return cuCtxCreate_v2(pctx, flags, dev);
}
// Parts of a device (execution affinity) are not simulated.
MORTAR_SIMCUDA_EXPORT CUresult cuCtxCreate_v3(CUcontext* pctx, void* paramsArray, int numParams,
                                              unsigned int flags, CUdevice dev) {
  return paramsArray != nullptr || numParams != 0 ? CUDA_ERROR_NOT_SUPPORTED
                                                  : cuCtxCreate_v2(pctx, flags, dev);
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxCreate_v4(CUcontext* pctx, void* ctxCreateParams, unsigned int flags,
                                              CUdevice dev) {
  return ctxCreateParams != nullptr ? CUDA_ERROR_NOT_SUPPORTED : cuCtxCreate_v2(pctx, flags, dev);
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxDestroy_v2(CUcontext ctx) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  SimContext* context = FindContext(ctx);
  if (context == nullptr || context->primary) return CUDA_ERROR_INVALID_CONTEXT;
  DestroyContext(*context);
  if (!Stack().empty() && Stack().back() == context) Stack().pop_back();
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxDestroy(CUcontext ctx) { return cuCtxDestroy_v2(ctx); }
MORTAR_SIMCUDA_EXPORT CUresult cuCtxDetach(CUcontext ctx) { return cuCtxDestroy_v2(ctx); }

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* pctx, CUdevice dev) {
  SimDevice* device = nullptr;
  if (const CUresult checked = CheckDevice(dev, pctx, &device); checked != CUDA_SUCCESS) return checked;
  const std::lock_guard lock(TheWorld()->mutex);
  if (device->primary == nullptr) {
    device->primary = MakeContext(*TheWorld(), *device, device->primary_flags);
    if (device->primary == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    device->primary->primary = true;
  }
  ++device->primary->retained;
  *pctx = Handle(device->primary);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) { return Release(dev, false); }
MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice dev) { return Release(dev, false); }
MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev) { return Release(dev, true); }
MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxReset(CUdevice dev) { return Release(dev, true); }

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int* flags, int* active) {
  SimDevice* device = nullptr;
  if (active == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult checked = CheckDevice(dev, flags, &device); checked != CUDA_SUCCESS) return checked;
  const std::lock_guard lock(TheWorld()->mutex);
  *flags = device->primary_flags;
  *active = device->primary != nullptr ? 1 : 0;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags) {
  return SetFlags(dev, flags);
}
MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned int flags) {
  return SetFlags(dev, flags);
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetCurrent(CUcontext* pctx) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pctx = Handle(Current());
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxSetCurrent(CUcontext ctx) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  SimContext* context = FindContext(ctx);
  if (ctx != nullptr && context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (!Stack().empty()) Stack().pop_back();
  if (context != nullptr) Stack().push_back(context);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxPushCurrent_v2(CUcontext ctx) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  SimContext* context = FindContext(ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  Stack().push_back(context);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxPushCurrent(CUcontext ctx) { return cuCtxPushCurrent_v2(ctx); }

MORTAR_SIMCUDA_EXPORT CUresult cuCtxPopCurrent_v2(CUcontext* pctx) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (Stack().empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (pctx != nullptr) *pctx = Handle(Stack().back());
  Stack().pop_back();
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxPopCurrent(CUcontext* pctx) { return cuCtxPopCurrent_v2(pctx); }

MORTAR_SIMCUDA_EXPORT CUresult cuCtxSynchronize_v2(CUcontext ctx) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context, ctx); entered != CUDA_SUCCESS) return entered;
  if (const CUresult unsafe = RefuseUnsafe(); unsafe != CUDA_SUCCESS) return unsafe;
  return WaitForContext(*context);
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxSynchronize() { return cuCtxSynchronize_v2(nullptr); }
// NOLINTEND(readability-identifier-naming)
