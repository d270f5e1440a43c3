// Events: records, waits for them, and their instants.
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kNoTiming = 2;      // CU_EVENT_DISABLE_TIMING
constexpr unsigned int kInterprocess = 4;  // CU_EVENT_INTERPROCESS
constexpr unsigned int kKnownEventFlags = 7;

// Null: not an event that lives.
SimEvent* FindEvent(CUevent handle) {
  World* world = TheWorld();
  if (world == nullptr) return nullptr;
  const std::lock_guard lock(world->mutex);
  const auto found = world->events.find(reinterpret_cast<SimEvent*>(handle));
  return found == world->events.end() ? nullptr : *found;
}

CommandId RecordOf(const SimEvent& event) {
  SharedDevice::Session session(TheWorld()->device);
  return session->RecordOf(event.index);
}

CUresult Record(CUevent handle, CUstream stream_handle, bool per_thread) {
  const SimEvent* event = FindEvent(handle);
  const SimStream* stream = FindStream(stream_handle, per_thread);
  if (event == nullptr || stream == nullptr || event->context != stream->context)
    return CUDA_ERROR_INVALID_HANDLE;
  Work work;
  work.event = event->index;
  SubmitWork(*stream, work);
  return CUDA_SUCCESS;
}

CUresult Wait(CUstream stream_handle, CUevent handle, bool per_thread) {
  const SimEvent* event = FindEvent(handle);
  const SimStream* stream = FindStream(stream_handle, per_thread);
  if (event == nullptr || stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  Work work;
  work.wait = RecordOf(*event);
  SubmitWork(*stream, work);
  return CUDA_SUCCESS;
}

CUresult Elapsed(float* milliseconds, CUevent start, CUevent end) {
  if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SimEvent* events[2] = {FindEvent(start), FindEvent(end)};
  Ns at_ns[2] = {};
  SharedDevice::Session session(TheWorld()->device);
  for (int i = 0; i < 2; ++i) {
    const SimEvent* event = events[i];
    if (event == nullptr || (event->flags & kNoTiming) != 0 || !session->WasRecorded(event->index)) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    if (!session->IsDone(session->RecordOf(event->index))) return CUDA_ERROR_NOT_READY;
    at_ns[i] = session->EndOfEvent(event->index);
  }
  *milliseconds = static_cast<float>(static_cast<double>(at_ns[1] - at_ns[0]) * 1e-6);
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuEventCreate(CUevent* phEvent, unsigned int Flags) {
  SimContext* context = Current();
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (phEvent == nullptr || Flags > kKnownEventFlags) return CUDA_ERROR_INVALID_VALUE;
  if ((Flags & kInterprocess) != 0) return CUDA_ERROR_NOT_SUPPORTED;
  World& world = *TheWorld();
  const std::lock_guard lock(world.mutex);
  SharedDevice::Session session(world.device);
  const Index index = session->AddEvent(context->index);
  if (index == kNone) return CUDA_ERROR_OUT_OF_MEMORY;
  auto* event = new SimEvent{context, index, Flags};
  world.events.insert(event);
  *phEvent = reinterpret_cast<CUevent>(event);
  return CUDA_SUCCESS;
}

// The record stays, as threads may be in it.
MORTAR_SIMCUDA_EXPORT CUresult cuEventDestroy_v2(CUevent hEvent) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  auto* event = reinterpret_cast<SimEvent*>(hEvent);
  const std::lock_guard lock(world->mutex);
  if (world->events.erase(event) == 0) return CUDA_ERROR_INVALID_HANDLE;
  SharedDevice::Session session(world->device);
  session->ReleaseEvent(event->index);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuEventRecord(CUevent hEvent, CUstream hStream) {
  return Record(hEvent, hStream, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventRecord_ptsz(CUevent hEvent, CUstream hStream) {
  return Record(hEvent, hStream, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags) {
  return flags > 1 ? CUDA_ERROR_INVALID_VALUE : Record(hEvent, hStream, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventRecordWithFlags_ptsz(CUevent hEvent, CUstream hStream,
                                                           unsigned int flags) {
  return flags > 1 ? CUDA_ERROR_INVALID_VALUE : Record(hEvent, hStream, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags) {
  return Flags > 1 ? CUDA_ERROR_INVALID_VALUE : Wait(hStream, hEvent, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuStreamWaitEvent_ptsz(CUstream hStream, CUevent hEvent, unsigned int Flags) {
  return Flags > 1 ? CUDA_ERROR_INVALID_VALUE : Wait(hStream, hEvent, true);
}

MORTAR_SIMCUDA_EXPORT CUresult cuEventQuery(CUevent hEvent) {
  const SimEvent* event = FindEvent(hEvent);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return IsDoneNow(*event->context, RecordOf(*event)) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventSynchronize(CUevent hEvent) {
  const SimEvent* event = FindEvent(hEvent);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  WaitDone(*event->context, RecordOf(*event));
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventElapsedTime(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
  return TheWorld() == nullptr ? CUDA_ERROR_NOT_INITIALIZED : Elapsed(pMilliseconds, hStart, hEnd);
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventElapsedTime_v2(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
  return cuEventElapsedTime(pMilliseconds, hStart, hEnd);
}
// NOLINTEND(readability-identifier-naming)
