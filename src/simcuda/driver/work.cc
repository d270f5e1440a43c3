#include "simcuda/driver/work.h"

#include "simcuda/driver/captures.h"

namespace mortar::simcuda {
namespace {

// What a command does when it is done; freed when it has.
struct Effect {
  SimContext* context = nullptr;
  std::function<void()> run;
  std::function<bool()> until;
  bool despite_error = false;
};

// The first notice of all contexts of this process, so that effects come in the order of ending whatever
// contexts they are of. REQUIRES: device.effects held.
bool PopFirst(SimDevice& device, Notice* notice) {
  SharedDevice::Session session(device.shared);
  Index first = kNone;
  std::uint64_t first_order = 0;
  for (const SimContext* context : device.contexts) {
    const std::uint64_t order = session->NextNoticeOrder(context->index);
    if (order == 0 || (first != kNone && order > first_order)) continue;
    first = context->index;
    first_order = order;
  }
  return first != kNone && session->PopNotice(first, notice);
}

// A record of another device's timeline is waited for by asking.
bool IsElsewhere(const SimStream& stream, const Operation& operation) {
  return operation.wait != nullptr && operation.wait->device != stream.context->device;
}

Operation AskingFor(SimEvent* event) {
  CommandId record;
  {
    SharedDevice::Session session(event->device->shared);
    record = session->RecordOf(event->index);
  }
  Operation asking;
  asking.type = NodeType::kWaitEvent;
  asking.work.kind = WorkKind::kHost;
  SimDevice* device = event->device;
  asking.until = [device, record] {
    bool done = false;
    {
      SharedDevice::Session session(device->shared);
      done = session->IsDone(record);
    }
    if (done) Settle(*device);
    return done;
  };
  return asking;
}

}  // namespace

CommandId Submit(const SimStream& stream, const Operation& operation) {
  SimContext& context = *stream.context;
  SimDevice& device = *context.device;
  if (IsElsewhere(stream, operation)) return Submit(stream, AskingFor(operation.wait));
  Work work = operation.work;
  const bool host = work.kind == WorkKind::kHost;
  if (operation.record != nullptr) work.event = operation.record->index;
  if (operation.run || operation.until) {
    work.keep = true;
    work.tag = reinterpret_cast<std::uint64_t>(
        new Effect{&context, operation.run, operation.until, operation.despite_error});
    (host ? device.calls.due_later : device.calls.effects_later).fetch_add(1);
  }
  for (;;) {
    CommandId first;
    {
      SharedDevice::Session session(device.shared);
      if (operation.wait != nullptr) work.wait = session->RecordOf(operation.wait->index);
      const CommandId id = session->Submit(stream.index, work);
      if (id.sequence != 0) {
        if (work.keep) session.WakeHelpers();
        return id;
      }
      first = session->FirstOf(stream.index);
    }
    // Full: as a real launch, which blocks then. Notices taken give room as well.
    WaitDone(context, first);
  }
}

CUresult Enqueue(SimStream& stream, const Operation& operation, CommandId* id) {
  if (id != nullptr) *id = {};
  bool captured = false;
  const CUresult result = AddToCapture(stream, operation, &captured);
  if (result != CUDA_SUCCESS || captured) return result;
  if (const CUresult stuck = stream.context->error.load(); stuck != CUDA_SUCCESS) return stuck;
  const CommandId submitted = Submit(stream, operation);
  if (id != nullptr) *id = submitted;
  return CUDA_SUCCESS;
}

void Settle(SimDevice& device) {
  const std::lock_guard lock(device.effects);
  Notice notice;
  while (PopFirst(device, &notice)) {
    std::unique_ptr<Effect> effect(reinterpret_cast<Effect*>(notice.tag));
    if (effect == nullptr) continue;
    const bool stuck = effect->context->error.load() != CUDA_SUCCESS && !effect->despite_error;
    if (!notice.call) {
      device.calls.effects_later.fetch_sub(1);
      if (!stuck) effect->run();
    } else if (effect->until) {
      AskLater(device.calls,
               {effect->context, stuck ? [] { return true; } : std::move(effect->until), notice.id});
    } else {
      CallLater(device.calls, {effect->context, stuck ? [] {} : std::move(effect->run), notice.id});
    }
  }
}

CUresult WaitDone(SimContext& context, CommandId id) {
  SimDevice& device = *context.device;
  device.shared.WaitFor(
      id,
      [](void* argument) {
        Settle(*static_cast<SimDevice*>(argument));
        return false;
      },
      &device);
  Settle(device);
  return context.error.load();
}

CUresult AskDone(SimContext& context, CommandId id) {
  bool done = false;
  {
    SharedDevice::Session session(context.device->shared);
    done = session->IsDone(id);
  }
  Settle(*context.device);
  if (const CUresult stuck = context.error.load(); stuck != CUDA_SUCCESS) return stuck;
  return done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

}  // namespace mortar::simcuda
