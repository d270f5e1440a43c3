// Where the program waits or asks, and the events that it will wait for.
#include "backend/cuda/memory.h"
#include "backend/cuda/submit.h"
#include "model/kernel_id.h"

namespace mortar::cuda {
namespace {

// `covered(lane)`: the last submit of the lane that the wait covers.
template <typename Covered, typename Call>
CUresult Wait(CUstream stream, Covered&& covered, Call&& call) noexcept {
  client::Lane* lane = FindWaiter(stream);
  if (lane == nullptr) return call();
  const std::uint64_t sequence = covered(lane);
  lane->EnterWait();
  const CUresult status = call();
  lane->LeaveWait(sequence);
  CollectSamples(lane);
  return status;
}

std::uint64_t All(const client::Lane*) { return client::Lane::kAll; }

template <Symbol kSymbol, bool kPerThread>
CUresult SynchronizeStream(CUstream stream) noexcept {
  const CUstream meant = Explicit(stream, kPerThread);
  return Wait(
      meant,
      [&](const client::Lane* lane) {
        // The legacy default stream waits for all that block with it.
        return meant == kLegacyStream ? client::Lane::kAll : stream_marks.SequenceOf(NumberOf(meant), lane);
      },
      [&] { return Real<kSymbol>()(stream); });
}

// A program that asks again and again, with nothing submitted in between, learns of completion where no
// wait shows.
CUresult Asked(CUresult status, const void* handle, CUstream stream) noexcept {
  if (status != CUDA_ERROR_NOT_READY && status != CUDA_SUCCESS) return status;
  client::Lane* lane = FindWaiter(stream);
  if (lane == nullptr) return status;
  // Programs that never wait have their samples read here.
  if (status == CUDA_SUCCESS) {
    CollectSamples(lane);
    return status;
  }
  ThreadActivity& thread = thread_activity;
  if (thread.polled == handle && thread.polled_at == thread.last_submit) lane->OnInvisibleWait();
  thread.polled = handle;
  thread.polled_at = thread.last_submit;
  return status;
}

// An event's place among the submits. It occupies no device time.
template <Symbol kSymbol, bool kPerThread, typename... Flags>
CUresult Record(CUevent event, CUstream stream, Flags... flags) noexcept {
  const auto call = [&] { return Real<kSymbol>()(event, stream, flags...); };
  const Caller caller = event != nullptr ? FindCaller(stream, kPerThread) : Caller{};
  if (!caller) return call();
  static constexpr std::string_view kName = "record event";
  static const std::uint64_t hash = model::HashName(kName);
  predict::Kernel* kernel = client::FindKernel(caller.device, model::MakeKernelId(hash, {}), kName);
  LearnAsEmpty(caller.lane, kernel);
  const CUresult status = Submit(caller, {.kernel = kernel, .occupies = false, .may_sample = false}, call);
  if (status == CUDA_SUCCESS) {
    event_marks.Remember(std::bit_cast<std::uintptr_t>(event), caller.lane,
                         stream_marks.SequenceOf(NumberOf(caller.stream), caller.lane));
  }
  return status;
}

}  // namespace

MORTAR_CUDA_HANDLER(cuStreamSynchronize)(CUstream stream) noexcept {
  return SynchronizeStream<Symbol::cuStreamSynchronize, false>(stream);
}
MORTAR_CUDA_HANDLER(cuStreamSynchronize_ptsz)(CUstream stream) noexcept {
  return SynchronizeStream<Symbol::cuStreamSynchronize_ptsz, true>(stream);
}
MORTAR_CUDA_HANDLER(cuCtxSynchronize)() noexcept {
  return Wait(nullptr, All, [] { return Real<Symbol::cuCtxSynchronize>()(); });
}
MORTAR_CUDA_HANDLER(cuCtxSynchronize_v2)(CUcontext context) noexcept {
  return Wait(nullptr, All, [&] { return Real<Symbol::cuCtxSynchronize_v2>()(context); });
}
MORTAR_CUDA_HANDLER(cuEventSynchronize)(CUevent event) noexcept {
  return Wait(
      nullptr,
      [&](const client::Lane* lane) {
        return event_marks.SequenceOf(std::bit_cast<std::uintptr_t>(event), lane);
      },
      [&] { return Real<Symbol::cuEventSynchronize>()(event); });
}
MORTAR_CUDA_HANDLER(cuMemFree)(CUdeviceptr_v1 memory) noexcept {
  return FreeMemory(memory,
                    [&] { return Wait(nullptr, All, [&] { return Real<Symbol::cuMemFree>()(memory); }); });
}
MORTAR_CUDA_HANDLER(cuMemFree_v2)(CUdeviceptr memory) noexcept {
  return FreeMemory(memory,
                    [&] { return Wait(nullptr, All, [&] { return Real<Symbol::cuMemFree_v2>()(memory); }); });
}

MORTAR_CUDA_HANDLER(cuStreamQuery)(CUstream stream) noexcept {
  return Asked(Real<Symbol::cuStreamQuery>()(stream), Explicit(stream, false), stream);
}
MORTAR_CUDA_HANDLER(cuStreamQuery_ptsz)(CUstream stream) noexcept {
  return Asked(Real<Symbol::cuStreamQuery_ptsz>()(stream), Explicit(stream, true), stream);
}
MORTAR_CUDA_HANDLER(cuEventQuery)(CUevent event) noexcept {
  return Asked(Real<Symbol::cuEventQuery>()(event), event, nullptr);
}

MORTAR_CUDA_HANDLER(cuEventRecord)(CUevent event, CUstream stream) noexcept {
  return Record<Symbol::cuEventRecord, false>(event, stream);
}
MORTAR_CUDA_HANDLER(cuEventRecord_ptsz)(CUevent event, CUstream stream) noexcept {
  return Record<Symbol::cuEventRecord_ptsz, true>(event, stream);
}
MORTAR_CUDA_HANDLER(cuEventRecordWithFlags)(CUevent event, CUstream stream, unsigned int flags) noexcept {
  return Record<Symbol::cuEventRecordWithFlags, false>(event, stream, flags);
}
MORTAR_CUDA_HANDLER(cuEventRecordWithFlags_ptsz)
(CUevent event, CUstream stream, unsigned int flags) noexcept {
  return Record<Symbol::cuEventRecordWithFlags_ptsz, true>(event, stream, flags);
}

}  // namespace mortar::cuda
