// Events: records, waits for them, their instants, and events of other processes.
#include <cstring>

#include "simcuda/driver/captures.h"
#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

constexpr unsigned int kNoTiming = 2;      // CU_EVENT_DISABLE_TIMING
constexpr unsigned int kInterprocess = 4;  // CU_EVENT_INTERPROCESS
constexpr unsigned int kKnownEventFlags = 7;
constexpr unsigned int kExternal = 1;  // CU_EVENT_RECORD_EXTERNAL, CU_EVENT_WAIT_EXTERNAL

// What stands in a CUipcEventHandle.
struct SharedEvent {
  std::uint64_t magic = 0;
  std::uint64_t serial = 0;
  Index index = kNone;
  PciAddress device;
};
constexpr std::uint64_t kEventMagic = 0x746e657663757243ULL;
static_assert(sizeof(SharedEvent) <= sizeof(CUipcEventHandle));

CommandId RecordOf(const SimEvent& event) {
  SharedDevice::Session session(event.device->shared);
  return session->IsEvent(event.index, event.serial) ? session->RecordOf(event.index) : CommandId();
}

CUresult Record(CUevent handle, CUstream stream_handle, bool per_thread, unsigned int flags) {
  if (flags > kExternal) return CUDA_ERROR_INVALID_VALUE;
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(stream_handle, per_thread, &stream); found != CUDA_SUCCESS)
    return found;
  SimEvent* event = FindEvent(handle);
  if (event == nullptr || event->device != stream->context->device) return CUDA_ERROR_INVALID_HANDLE;
  if (event->context != stream->context && !event->borrowed) return CUDA_ERROR_INVALID_HANDLE;
  if (flags != kExternal && RecordInCapture(*stream, *event)) return CUDA_SUCCESS;
  Operation operation;
  operation.type = NodeType::kRecordEvent;
  operation.record = event;
  return Enqueue(*stream, operation);
}

CUresult Wait(CUstream stream_handle, CUevent handle, bool per_thread, unsigned int flags) {
  if (flags > kExternal) return CUDA_ERROR_INVALID_VALUE;
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(stream_handle, per_thread, &stream); found != CUDA_SUCCESS)
    return found;
  SimEvent* event = FindEvent(handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (flags != kExternal) {
    bool captured = false;
    const CUresult joined = WaitInCapture(*stream, *event, &captured);
    if (joined != CUDA_SUCCESS || captured) return joined;
  }
  Operation operation;
  operation.type = NodeType::kWaitEvent;
  operation.wait = event;
  return Enqueue(*stream, operation);
}

CUresult Elapsed(float* milliseconds, CUevent start, CUevent end) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SimEvent* events[2] = {FindEvent(start), FindEvent(end)};
  Ns at_ns[2] = {};
  for (int i = 0; i < 2; ++i) {
    const SimEvent* event = events[i];
    if (event == nullptr || (event->flags & kNoTiming) != 0 || event->device != events[0]->device)
      return CUDA_ERROR_INVALID_HANDLE;
    if (event->context->error.load() != CUDA_SUCCESS) return event->context->error.load();
    SharedDevice::Session session(event->device->shared);
    if (!session->WasRecorded(event->index)) return CUDA_ERROR_INVALID_HANDLE;
    if (!session->IsDone(session->RecordOf(event->index))) return CUDA_ERROR_NOT_READY;
    at_ns[i] = session->EndOfEvent(event->index);
  }
  *milliseconds = static_cast<float>(static_cast<double>(at_ns[1] - at_ns[0]) * 1e-6);
  return CUDA_SUCCESS;
}

// An event that can be asked. Errors: of handles and captures.
CUresult FindToAsk(CUevent handle, SimEvent** event) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  *event = FindEvent(handle);
  if (*event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (const CUresult refused = RefuseAsking(**event); refused != CUDA_SUCCESS) return refused;
  return RefuseUnsafe();
}

CUevent Keep(const SimEvent& made) {
  auto* event = new SimEvent(made);
  TheWorld()->events.insert(event);
  return HandleOf<CUevent>(event);
}

}  // namespace

SimEvent* FindEvent(CUevent handle) {
  World* world = TheWorld();
  if (world == nullptr) return nullptr;
  const std::lock_guard lock(world->mutex);
  const auto found = world->events.find(reinterpret_cast<SimEvent*>(handle));
  return found == world->events.end() ? nullptr : *found;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuEventCreate(CUevent* phEvent, unsigned int Flags) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  if (phEvent == nullptr || Flags > kKnownEventFlags) return CUDA_ERROR_INVALID_VALUE;
  if ((Flags & kInterprocess) != 0 && (Flags & kNoTiming) == 0) return CUDA_ERROR_INVALID_VALUE;
  World& world = *TheWorld();
  const std::lock_guard lock(world.mutex);
  SharedDevice::Session session(context->device->shared);
  const Index index = session->AddEvent(context->index);
  if (index == kNone) return CUDA_ERROR_OUT_OF_MEMORY;
  *phEvent = Keep({context, context->device, index, session->SerialOf(index), Flags});
  return CUDA_SUCCESS;
}

// The record stays, as threads may be in it; the device's event too, where somebody may still record it.
MORTAR_SIMCUDA_EXPORT CUresult cuEventDestroy_v2(CUevent hEvent) {
  World* world = TheWorld();
  if (world == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  auto* event = reinterpret_cast<SimEvent*>(hEvent);
  const std::lock_guard lock(world->mutex);
  if (world->events.erase(event) == 0) return CUDA_ERROR_INVALID_HANDLE;
  if (event->borrowed) return CUDA_SUCCESS;
  SharedDevice::Session session(event->device->shared);
  session->ReleaseEvent(event->index);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventDestroy(CUevent hEvent) { return cuEventDestroy_v2(hEvent); }

MORTAR_SIMCUDA_PTSZ(cuEventRecord, (CUevent hEvent, CUstream hStream), Record(hEvent, hStream, kPerThread, 0))
MORTAR_SIMCUDA_PTSZ(cuEventRecordWithFlags, (CUevent hEvent, CUstream hStream, unsigned int flags),
                    Record(hEvent, hStream, kPerThread, flags))
MORTAR_SIMCUDA_PTSZ(cuStreamWaitEvent, (CUstream hStream, CUevent hEvent, unsigned int Flags),
                    Wait(hStream, hEvent, kPerThread, Flags))

MORTAR_SIMCUDA_EXPORT CUresult cuEventQuery(CUevent hEvent) {
  SimEvent* event = nullptr;
  const CUresult found = FindToAsk(hEvent, &event);
  return found != CUDA_SUCCESS ? found : AskDone(*event->context, RecordOf(*event));
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventSynchronize(CUevent hEvent) {
  SimEvent* event = nullptr;
  const CUresult found = FindToAsk(hEvent, &event);
  return found != CUDA_SUCCESS ? found : WaitDone(*event->context, RecordOf(*event));
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventElapsedTime(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
  return Elapsed(pMilliseconds, hStart, hEnd);
}
MORTAR_SIMCUDA_EXPORT CUresult cuEventElapsedTime_v2(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
  return Elapsed(pMilliseconds, hStart, hEnd);
}

MORTAR_SIMCUDA_EXPORT CUresult cuIpcGetEventHandle(CUipcEventHandle* pHandle, CUevent event) {
  if (pHandle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SimEvent* own = FindEvent(event);
  if (own == nullptr || (own->flags & kInterprocess) == 0) return CUDA_ERROR_INVALID_HANDLE;
  *pHandle = {};
  const SharedEvent shared{kEventMagic, own->serial, own->index, own->device->description.pci};
  std::memcpy(pHandle->reserved, &shared, sizeof shared);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuIpcOpenEventHandle(CUevent* phEvent, CUipcEventHandle handle) {
  SimContext* context = nullptr;
  if (const CUresult entered = Enter(&context); entered != CUDA_SUCCESS) return entered;
  if (phEvent == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SharedEvent shared;
  std::memcpy(&shared, handle.reserved, sizeof shared);
  if (shared.magic != kEventMagic) return CUDA_ERROR_INVALID_VALUE;
  if (PciText(shared.device) != PciText(context->device->description.pci)) return CUDA_ERROR_INVALID_CONTEXT;
  {
    SharedDevice::Session session(context->device->shared);
    if (!session->IsEvent(shared.index, shared.serial)) return CUDA_ERROR_INVALID_VALUE;
  }
  const std::lock_guard lock(TheWorld()->mutex);
  *phEvent = Keep({context, context->device, shared.index, shared.serial, kNoTiming | kInterprocess, true});
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
