// Streams: made, destroyed, waited for and asked.
#include <algorithm>
#include <utility>

#include "simcuda/driver/captures.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kNonBlockingFlag = 1;  // CU_STREAM_NON_BLOCKING
constexpr int kGreatestPriority = -5;         // as the H100 answers

// REQUIRES: world.mutex held. Null: no room on the device.
SimStream* PerThread(World& world, SimContext& context) {
  auto& stream = context.per_thread[pthread_self()];
  if (stream != nullptr) return stream.get();
  SharedDevice::Session session(context.device->shared);
  const Index index = session->AddStream(context.index, StreamKind::kBlocking, 0);
  if (index == kNone) return nullptr;
  stream = std::make_unique<SimStream>();
  *stream = {&context, index, StreamKind::kBlocking, 0, 0, ++world.last_id};
  return stream.get();
}

CUresult Synchronise(CUstream handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (const CUresult refused = RefuseAsking(*stream); refused != CUDA_SUCCESS) return refused;
  CommandId last;
  if (stream->kind == StreamKind::kLegacy) {
    last = Submit(*stream, {});  // a marker, which waits for all that the legacy stream orders
  } else {
    SharedDevice::Session session(stream->context->device->shared);
    last = session->LastOf(stream->index);
  }
  return WaitDone(*stream->context, last);
}

CUresult Query(CUstream handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (const CUresult refused = RefuseAsking(*stream); refused != CUDA_SUCCESS) return refused;
  bool done = true;
  {
    SharedDevice::Session session(stream->context->device->shared);
    done = session->IsDone(session->LastOf(stream->index)) &&
           (stream->kind != StreamKind::kLegacy || session->BlockingAreIdle(stream->context->index));
  }
  Settle(*stream->context->device);
  if (const CUresult stuck = stream->context->error.load(); stuck != CUDA_SUCCESS) return stuck;
  return done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult Call(CUstream handle, bool per_thread, std::function<void()> run, bool despite_error) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  Operation operation;
  operation.type = NodeType::kHost;
  operation.work.kind = WorkKind::kHost;
  operation.run = std::move(run);
  operation.despite_error = despite_error;
  return Enqueue(*stream, operation);
}

CUresult HostFunction(CUstream handle, bool per_thread, CUhostFn function, void* data) {
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return Call(
      handle, per_thread, [=] { function(data); }, false);
}

// Unlike a host function it is called after an error as well, and told; and it cannot be captured.
CUresult CallBack(CUstream handle, bool per_thread, CUstreamCallback callback, void* data,
                  unsigned int flags) {
  if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(handle, per_thread, &stream); found != CUDA_SUCCESS) return found;
  if (const CUresult refused = RefuseAsking(*stream); refused != CUDA_SUCCESS) return refused;
  SimContext* context = stream->context;
  return Call(
      handle, per_thread, [=] { callback(handle, context->error.load(), data); }, true);
}

}  // namespace

CUresult FindStream(CUstream handle, bool per_thread, SimStream** stream) {
  *stream = nullptr;
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  World& world = *TheWorld();
  const std::lock_guard lock(world.mutex);
  const auto word = reinterpret_cast<std::uintptr_t>(handle);
  if (word == 1 || (word == 0 && !per_thread)) {
    *stream = context->legacy.get();
    return CUDA_SUCCESS;
  }
  if (word == 2 || word == 0) {
    *stream = PerThread(world, *context);
    return *stream != nullptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
  }
  const auto found = world.streams.find(reinterpret_cast<SimStream*>(handle));
  if (found == world.streams.end()) return CUDA_ERROR_INVALID_HANDLE;
  *stream = *found;
  return (*found)->context->error.load();
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuCtxGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
  if (const CUresult entered = Enter(); entered != CUDA_SUCCESS) return entered;
  if (leastPriority != nullptr) *leastPriority = 0;
  if (greatestPriority != nullptr) *greatestPriority = kGreatestPriority;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuStreamCreateWithPriority(CUstream* phStream, unsigned int flags,
                                                          int priority) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  if (phStream == nullptr || flags > kNonBlockingFlag) return CUDA_ERROR_INVALID_VALUE;
  World& world = *TheWorld();
  const StreamKind kind = flags == kNonBlockingFlag ? StreamKind::kNonBlocking : StreamKind::kBlocking;
  priority = std::clamp(priority, kGreatestPriority, 0);
  const std::lock_guard lock(world.mutex);
  SharedDevice::Session session(context->device->shared);
  const Index index = session->AddStream(context->index, kind, priority);
  if (index == kNone) return CUDA_ERROR_OUT_OF_MEMORY;
  auto* stream = new SimStream{context, index, kind, flags, priority, ++world.last_id};
  world.streams.insert(stream);
  *phStream = HandleOf<CUstream>(stream);
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
  AbandonCapture(*stream);
  SharedDevice::Session session(stream->context->device->shared);
  session->ReleaseStream(stream->index);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamDestroy(CUstream hStream) { return cuStreamDestroy_v2(hStream); }

MORTAR_SIMCUDA_PTSZ(cuStreamSynchronize, (CUstream hStream), Synchronise(hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuStreamQuery, (CUstream hStream), Query(hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuLaunchHostFunc, (CUstream hStream, CUhostFn fn, void* userData),
                    HostFunction(hStream, kPerThread, fn, userData))
MORTAR_SIMCUDA_PTSZ(cuStreamAddCallback,
                    (CUstream hStream, CUstreamCallback callback, void* userData, unsigned int flags),
                    CallBack(hStream, kPerThread, callback, userData, flags))
// NOLINTEND(readability-identifier-naming)
