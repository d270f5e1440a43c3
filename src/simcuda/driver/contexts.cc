// Contexts: primary and explicit, each thread's stack of current ones.
#include <algorithm>
#include <utility>

#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

std::vector<SimContext*>& Stack() {
  static thread_local std::vector<SimContext*> stack;
  return stack;
}

CUcontext Handle(SimContext* context) { return reinterpret_cast<CUcontext>(context); }

// Null: not a context that lives.
SimContext* FindContext(CUcontext handle) {
  World* world = TheWorld();
  if (world == nullptr) return nullptr;
  const std::lock_guard lock(world->mutex);
  const auto found = world->contexts.find(reinterpret_cast<SimContext*>(handle));
  return found == world->contexts.end() ? nullptr : *found;
}

// REQUIRES: world.mutex held. Null: no room on the device.
SimContext* MakeContext(World& world, unsigned int flags) {
  const Index index = world.device.AddContext();
  if (index == kNone) return nullptr;
  auto* context = new SimContext;
  context->index = index;
  context->flags = flags;
  context->legacy = std::make_unique<SimStream>();
  *context->legacy = {context, kNone, StreamKind::kLegacy, 0, 0};
  {
    SharedDevice::Session session(world.device);
    context->legacy->index = session->AddStream(index, StreamKind::kLegacy, 0);
  }
  world.contexts.insert(context);
  return context;
}

// Its handle answers CUDA_ERROR_INVALID_CONTEXT from here on; the record stays, as threads may be in it.
void DestroyContext(SimContext& context) {
  WaitForContext(context);
  World& world = *TheWorld();
  const std::lock_guard lock(world.mutex);
  if (world.contexts.erase(&context) == 0) return;
  std::erase_if(world.streams, [&](const SimStream* stream) { return stream->context == &context; });
  std::erase_if(world.events, [&](const SimEvent* event) { return event->context == &context; });
  // Under the lock of Settle: another process may be given the same index at once, and its notices are not
  // ours.
  const std::lock_guard settling(context.effects);
  world.device.RemoveContext(std::exchange(context.index, kNone));
}

}  // namespace

void WaitForContext(SimContext& context) {
  std::vector<CommandId> ids(kStreams);
  Index count = 0;
  {
    SharedDevice::Session session(TheWorld()->device);
    count = session->LastOfContext(context.index, ids.data(), kStreams);
  }
  for (Index i = 0; i < std::min(count, kStreams); ++i) WaitDone(context, ids[i]);
  Settle(context);
}

SimContext* Current() {
  const auto& stack = Stack();
  return stack.empty() ? nullptr : FindContext(Handle(stack.back()));
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuCtxCreate_v2(CUcontext* pctx, unsigned int flags, CUdevice dev) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (dev != 0) return CUDA_ERROR_INVALID_DEVICE;
  const std::lock_guard lock(world->mutex);
  SimContext* context = MakeContext(*world, flags);
  if (context == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  Stack().push_back(context);
  *pctx = Handle(context);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuCtxCreate_v4(CUcontext* pctx, void* ctxCreateParams, unsigned int flags,
                                              CUdevice dev) {
  return ctxCreateParams != nullptr ? CUDA_ERROR_NOT_SUPPORTED : cuCtxCreate_v2(pctx, flags, dev);
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxDestroy_v2(CUcontext ctx) {
  SimContext* context = FindContext(ctx);
  if (context == nullptr || context->primary) return CUDA_ERROR_INVALID_CONTEXT;
  DestroyContext(*context);
  if (!Stack().empty() && Stack().back() == context) Stack().pop_back();
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* pctx, CUdevice dev) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (dev != 0) return CUDA_ERROR_INVALID_DEVICE;
  const std::lock_guard lock(world->mutex);
  if (world->primary == nullptr) {
    world->primary = MakeContext(*world, world->primary_flags);
    if (world->primary == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    world->primary->primary = true;
  }
  ++world->primary->retained;
  *pctx = Handle(world->primary);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (dev != 0) return CUDA_ERROR_INVALID_DEVICE;
  SimContext* last = nullptr;
  {
    const std::lock_guard lock(world->mutex);
    if (world->primary == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (--world->primary->retained == 0) last = std::exchange(world->primary, nullptr);
  }
  if (last != nullptr) DestroyContext(*last);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int* flags, int* active) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (dev != 0) return CUDA_ERROR_INVALID_DEVICE;
  const std::lock_guard lock(world->mutex);
  *flags = world->primary_flags;
  *active = world->primary != nullptr ? 1 : 0;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (dev != 0) return CUDA_ERROR_INVALID_DEVICE;
  const std::lock_guard lock(world->mutex);
  world->primary_flags = flags;
  return CUDA_SUCCESS;
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

MORTAR_SIMCUDA_EXPORT CUresult cuCtxPopCurrent_v2(CUcontext* pctx) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (Stack().empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (pctx != nullptr) *pctx = Handle(Stack().back());
  Stack().pop_back();
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetDevice(CUdevice* device) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (Current() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  *device = 0;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetFlags(unsigned int* flags) {
  const SimContext* context = Current();
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  *flags = context->flags;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuCtxSynchronize() {
  SimContext* context = Current();
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  WaitForContext(*context);
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
