// Streams, and the program's functions called from them.
#include <algorithm>
#include <utility>

#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kNonBlockingFlag = 1;  // CU_STREAM_NON_BLOCKING
constexpr int kGreatestPriority = -5;         // as the H100 answers

// REQUIRES: world.mutex held. Null: no room on the device.
SimStream* PerThread(World& world, SimContext& context) {
  auto& stream = context.per_thread[pthread_self()];
  if (stream != nullptr) return stream.get();
  SharedDevice::Session session(world.device);
  const Index index = session->AddStream(context.index, StreamKind::kBlocking, 0);
  if (index == kNone) return nullptr;
  stream = std::make_unique<SimStream>();
  *stream = {&context, index, StreamKind::kBlocking, 0, 0};
  return stream.get();
}

CUresult Synchronise(CUstream handle, bool per_thread) {
  SimStream* stream = FindStream(handle, per_thread);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  CommandId last;
  if (stream->kind == StreamKind::kLegacy) {
    last = SubmitWork(*stream, {});  // a marker, which waits for all that the legacy stream orders
  } else {
    SharedDevice::Session session(TheWorld()->device);
    last = session->LastOf(stream->index);
  }
  WaitDone(*stream->context, last);
  return CUDA_SUCCESS;
}

CUresult Query(CUstream handle, bool per_thread) {
  SimStream* stream = FindStream(handle, per_thread);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  bool done = true;
  {
    const std::lock_guard lock(TheWorld()->mutex);
    SharedDevice::Session session(TheWorld()->device);
    done = session->IsDone(session->LastOf(stream->index));
    if (stream->kind == StreamKind::kLegacy) {
      for (const SimStream* other : TheWorld()->streams) {
        if (other->context != stream->context || other->kind != StreamKind::kBlocking) continue;
        done = done && session->IsDone(session->LastOf(other->index));
      }
    }
  }
  Settle(*stream->context);
  return done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult Call(CUstream handle, bool per_thread, std::function<void()> run) {
  SimStream* stream = FindStream(handle, per_thread);
  if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  Work work;
  work.kind = WorkKind::kHost;
  SubmitWork(*stream, work, std::move(run));
  return CUDA_SUCCESS;
}

CUresult CallBack(CUstream handle, bool per_thread, CUstreamCallback callback, void* data,
                  unsigned int flags) {
  if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  return Call(handle, per_thread, [=] { callback(handle, CUDA_SUCCESS, data); });
}

}  // namespace

SimStream* FindStream(CUstream handle, bool per_thread) {
  SimContext* context = Current();
  if (context == nullptr) return nullptr;
  World& world = *TheWorld();
  const std::lock_guard lock(world.mutex);
  const auto word = reinterpret_cast<std::uintptr_t>(handle);
  if (word == 1 || (word == 0 && !per_thread)) return context->legacy.get();
  if (word == 2 || word == 0) return PerThread(world, *context);
  const auto found = world.streams.find(reinterpret_cast<SimStream*>(handle));
  return found == world.streams.end() ? nullptr : *found;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
  if (Current() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (leastPriority != nullptr) *leastPriority = 0;
  if (greatestPriority != nullptr) *greatestPriority = kGreatestPriority;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuStreamCreateWithPriority(CUstream* phStream, unsigned int flags,
                                                          int priority) {
  SimContext* context = Current();
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (phStream == nullptr || flags > kNonBlockingFlag) return CUDA_ERROR_INVALID_VALUE;
  World& world = *TheWorld();
  const StreamKind kind = flags == kNonBlockingFlag ? StreamKind::kNonBlocking : StreamKind::kBlocking;
  priority = std::clamp(priority, kGreatestPriority, 0);
  const std::lock_guard lock(world.mutex);
  SharedDevice::Session session(world.device);
  const Index index = session->AddStream(context->index, kind, priority);
  if (index == kNone) return CUDA_ERROR_OUT_OF_MEMORY;
  auto* stream = new SimStream{context, index, kind, flags, priority};
  world.streams.insert(stream);
  *phStream = reinterpret_cast<CUstream>(stream);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamCreate(CUstream* phStream, unsigned int Flags) {
  return cuStreamCreateWithPriority(phStream, Flags, 0);
}

// What is in it still runs. The record stays, as threads may be in it.
MORTAR_SIMCUDA_EXPORT CUresult cuStreamDestroy_v2(CUstream hStream) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  auto* stream = reinterpret_cast<SimStream*>(hStream);
  const std::lock_guard lock(world->mutex);
  if (world->streams.erase(stream) == 0) return CUDA_ERROR_INVALID_HANDLE;
  SharedDevice::Session session(world->device);
  session->ReleaseStream(stream->index);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuStreamSynchronize(CUstream hStream) { return Synchronise(hStream, false); }
MORTAR_SIMCUDA_EXPORT CUresult cuStreamSynchronize_ptsz(CUstream hStream) {
  return Synchronise(hStream, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamQuery(CUstream hStream) { return Query(hStream, false); }
MORTAR_SIMCUDA_EXPORT CUresult cuStreamQuery_ptsz(CUstream hStream) { return Query(hStream, true); }

MORTAR_SIMCUDA_EXPORT CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void* userData) {
  return fn == nullptr ? CUDA_ERROR_INVALID_VALUE : Call(hStream, false, [=] { fn(userData); });
}
MORTAR_SIMCUDA_EXPORT CUresult cuLaunchHostFunc_ptsz(CUstream hStream, CUhostFn fn, void* userData) {
  return fn == nullptr ? CUDA_ERROR_INVALID_VALUE : Call(hStream, true, [=] { fn(userData); });
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamAddCallback(CUstream hStream, CUstreamCallback callback,
                                                   void* userData, unsigned int flags) {
  return CallBack(hStream, false, callback, userData, flags);
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamAddCallback_ptsz(CUstream hStream, CUstreamCallback callback,
                                                        void* userData, unsigned int flags) {
  return CallBack(hStream, true, callback, userData, flags);
}
// NOLINTEND(readability-identifier-naming)
