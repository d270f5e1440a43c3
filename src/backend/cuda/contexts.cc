// The program's first call, contexts, streams, captures and graphs being made and destroyed.
#include "backend/cuda/captures.h"
#include "backend/cuda/functions.h"
#include "backend/cuda/memory.h"
#include "backend/cuda/places.h"
#include "backend/cuda/samples.h"
#include "backend/cuda/submit.h"
#include "base/log.h"

namespace mortar::cuda {
namespace {

// Under MORTAR_STRICT=1 a program whose device cannot be scheduled gets no context.
bool Refused(CUdevice ordinal) noexcept {
  if (!Active()) return false;
  client::Device* device = DeviceOf(ordinal);
  return device != nullptr && !client::StrictlyJoined(device);
}

template <Symbol kSymbol, typename... Arguments>
CUresult CreateContext(CUdevice ordinal, Arguments... arguments) noexcept {
  return Refused(ordinal) ? CUDA_ERROR_SYSTEM_NOT_READY : Real<kSymbol>()(arguments...);
}

// What was in a context went with it. Null: nothing did.
void OnContextEnded(CUcontext context) noexcept {
  OnContextGone(context);
  EndCapturesOf(context);
  OnContextMemoryGone(context);
}

// `context`, or null for whichever the call is about.
template <Symbol kSymbol, typename... Arguments>
CUresult EndContext(CUcontext context, Arguments... arguments) noexcept {
  if (!Active()) return Real<kSymbol>()(arguments...);
  DropSamples(context);
  const CUresult status = Real<kSymbol>()(arguments...);
  if (status == CUDA_SUCCESS) OnContextEnded(context);
  return status;
}

template <Symbol kSymbol>
CUresult EndPrimaryContext(CUdevice device) noexcept {
  const CUresult status = EndContext<kSymbol>(nullptr, device);
  if (status == CUDA_SUCCESS && Active()) OnContextEnded(TakeEndedPrimary(device));
  return status;
}

template <Symbol kSymbol, typename... Arguments>
CUresult CreateStream(CUstream* stream, Arguments... arguments) noexcept {
  const CUresult status = Real<kSymbol>()(stream, arguments...);
  if (status == CUDA_SUCCESS && stream != nullptr && Active()) OnStreamMade(*stream);
  return status;
}

template <Symbol kSymbol>
CUresult DestroyStream(CUstream stream) noexcept {
  if (!Active() || stream == nullptr) return Real<kSymbol>()(stream);
  // Before the call: behind it the handle may be another's already.
  OnStreamGone(stream);
  const bool captured = OnCaptureEnded(stream);
  const CUresult status = Real<kSymbol>()(stream);
  if (status != CUDA_SUCCESS && captured) OnCaptureBegun(stream);
  return status;
}

template <Symbol kSymbol, bool kPerThread, typename... Arguments>
CUresult BeginCapture(CUstream stream, Arguments... arguments) noexcept {
  if (!Active()) return Real<kSymbol>()(stream, arguments...);
  // Counted before, so that another thread's sampling does not come in between; taken back if it failed.
  OnCaptureBegun(Explicit(stream, kPerThread));
  const CUresult status = Real<kSymbol>()(stream, arguments...);
  if (status != CUDA_SUCCESS) OnCaptureEnded(Explicit(stream, kPerThread));
  return status;
}

template <Symbol kSymbol, bool kPerThread>
CUresult EndCapture(CUstream stream, CUgraph* graph) noexcept {
  const CUresult status = Real<kSymbol>()(stream, graph);
  // Also a capture that came to nothing is over; where the call was wrong, it goes on.
  const bool over = status == CUDA_SUCCESS || status == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED ||
                    status == CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  if (Active() && over) OnCaptureEnded(Explicit(stream, kPerThread));
  return status;
}

template <Symbol kSymbol, typename... Arguments>
CUresult Instantiate(CUgraphExec* made, CUgraph graph, Arguments... arguments) noexcept {
  const CUresult status = Real<kSymbol>()(made, graph, arguments...);
  if (status == CUDA_SUCCESS && made != nullptr && Active()) LearnGraph(*made, graph);
  return status;
}

}  // namespace

MORTAR_CUDA_HANDLER(cuInit)(unsigned int flags) noexcept {
  if (CurrentMode() == Mode::kRefusing) {
    base::LogOnce("strict", "MORTAR_STRICT=1: refusing to start unscheduled; CUDA is not initialised");
    return CUDA_ERROR_SYSTEM_NOT_READY;
  }
  return Real<Symbol::cuInit>()(flags);
}

MORTAR_CUDA_HANDLER(cuCtxCreate)(CUcontext* made, unsigned int flags, CUdevice device) noexcept {
  return CreateContext<Symbol::cuCtxCreate>(device, made, flags, device);
}
MORTAR_CUDA_HANDLER(cuCtxCreate_v2)(CUcontext* made, unsigned int flags, CUdevice device) noexcept {
  return CreateContext<Symbol::cuCtxCreate_v2>(device, made, flags, device);
}
MORTAR_CUDA_HANDLER(cuCtxCreate_v3)
(CUcontext* made, void* affinities, int count, unsigned int flags, CUdevice device) noexcept {
  return CreateContext<Symbol::cuCtxCreate_v3>(device, made, affinities, count, flags, device);
}
MORTAR_CUDA_HANDLER(cuCtxCreate_v4)
(CUcontext* made, void* parameters, unsigned int flags, CUdevice device) noexcept {
  return CreateContext<Symbol::cuCtxCreate_v4>(device, made, parameters, flags, device);
}
MORTAR_CUDA_HANDLER(cuDevicePrimaryCtxRetain)(CUcontext* made, CUdevice device) noexcept {
  const CUresult status = CreateContext<Symbol::cuDevicePrimaryCtxRetain>(device, made, device);
  if (status == CUDA_SUCCESS && made != nullptr && Active()) OnPrimaryRetained(device, *made);
  return status;
}

MORTAR_CUDA_HANDLER(cuCtxDestroy)(CUcontext context) noexcept {
  return EndContext<Symbol::cuCtxDestroy>(context, context);
}
MORTAR_CUDA_HANDLER(cuCtxDestroy_v2)(CUcontext context) noexcept {
  return EndContext<Symbol::cuCtxDestroy_v2>(context, context);
}
MORTAR_CUDA_HANDLER(cuCtxDetach)(CUcontext context) noexcept {
  return EndContext<Symbol::cuCtxDetach>(context, context);
}
MORTAR_CUDA_HANDLER(cuDevicePrimaryCtxRelease)(CUdevice device) noexcept {
  return EndPrimaryContext<Symbol::cuDevicePrimaryCtxRelease>(device);
}
MORTAR_CUDA_HANDLER(cuDevicePrimaryCtxRelease_v2)(CUdevice device) noexcept {
  return EndPrimaryContext<Symbol::cuDevicePrimaryCtxRelease_v2>(device);
}
MORTAR_CUDA_HANDLER(cuDevicePrimaryCtxReset)(CUdevice device) noexcept {
  return EndPrimaryContext<Symbol::cuDevicePrimaryCtxReset>(device);
}
MORTAR_CUDA_HANDLER(cuDevicePrimaryCtxReset_v2)(CUdevice device) noexcept {
  return EndPrimaryContext<Symbol::cuDevicePrimaryCtxReset_v2>(device);
}
MORTAR_CUDA_HANDLER(cuGreenCtxDestroy)(CUgreenCtx context) noexcept {
  return EndContext<Symbol::cuGreenCtxDestroy>(nullptr, context);
}

MORTAR_CUDA_HANDLER(cuStreamCreate)(CUstream* stream, unsigned int flags) noexcept {
  return CreateStream<Symbol::cuStreamCreate>(stream, flags);
}
MORTAR_CUDA_HANDLER(cuStreamCreateWithPriority)(CUstream* stream, unsigned int flags, int priority) noexcept {
  return CreateStream<Symbol::cuStreamCreateWithPriority>(stream, flags, priority);
}
MORTAR_CUDA_HANDLER(cuGreenCtxStreamCreate)
(CUstream* stream, CUgreenCtx context, unsigned int flags, int priority) noexcept {
  return CreateStream<Symbol::cuGreenCtxStreamCreate>(stream, context, flags, priority);
}
MORTAR_CUDA_HANDLER(cuStreamDestroy)(CUstream stream) noexcept {
  return DestroyStream<Symbol::cuStreamDestroy>(stream);
}
MORTAR_CUDA_HANDLER(cuStreamDestroy_v2)(CUstream stream) noexcept {
  return DestroyStream<Symbol::cuStreamDestroy_v2>(stream);
}

MORTAR_CUDA_HANDLER(cuStreamBeginCapture)(CUstream stream) noexcept {
  return BeginCapture<Symbol::cuStreamBeginCapture, false>(stream);
}
MORTAR_CUDA_HANDLER(cuStreamBeginCapture_ptsz)(CUstream stream) noexcept {
  return BeginCapture<Symbol::cuStreamBeginCapture_ptsz, true>(stream);
}
MORTAR_CUDA_HANDLER(cuStreamBeginCapture_v2)(CUstream stream, int mode) noexcept {
  return BeginCapture<Symbol::cuStreamBeginCapture_v2, false>(stream, mode);
}
MORTAR_CUDA_HANDLER(cuStreamBeginCapture_v2_ptsz)(CUstream stream, int mode) noexcept {
  return BeginCapture<Symbol::cuStreamBeginCapture_v2_ptsz, true>(stream, mode);
}
MORTAR_CUDA_HANDLER(cuStreamBeginCaptureToGraph)
(CUstream stream, CUgraph graph, const CUgraphNode* dependencies, const void* edges, std::size_t count,
 int mode) noexcept {
  return BeginCapture<Symbol::cuStreamBeginCaptureToGraph, false>(stream, graph, dependencies, edges, count,
                                                                  mode);
}
MORTAR_CUDA_HANDLER(cuStreamBeginCaptureToGraph_ptsz)
(CUstream stream, CUgraph graph, const CUgraphNode* dependencies, const void* edges, std::size_t count,
 int mode) noexcept {
  return BeginCapture<Symbol::cuStreamBeginCaptureToGraph_ptsz, true>(stream, graph, dependencies, edges,
                                                                      count, mode);
}
MORTAR_CUDA_HANDLER(cuStreamEndCapture)(CUstream stream, CUgraph* graph) noexcept {
  return EndCapture<Symbol::cuStreamEndCapture, false>(stream, graph);
}
MORTAR_CUDA_HANDLER(cuStreamEndCapture_ptsz)(CUstream stream, CUgraph* graph) noexcept {
  return EndCapture<Symbol::cuStreamEndCapture_ptsz, true>(stream, graph);
}

MORTAR_CUDA_HANDLER(cuGraphInstantiate)
(CUgraphExec* made, CUgraph graph, CUgraphNode* error_node, char* log, std::size_t log_size) noexcept {
  return Instantiate<Symbol::cuGraphInstantiate>(made, graph, error_node, log, log_size);
}
MORTAR_CUDA_HANDLER(cuGraphInstantiate_v2)
(CUgraphExec* made, CUgraph graph, CUgraphNode* error_node, char* log, std::size_t log_size) noexcept {
  return Instantiate<Symbol::cuGraphInstantiate_v2>(made, graph, error_node, log, log_size);
}
MORTAR_CUDA_HANDLER(cuGraphInstantiateWithFlags)
(CUgraphExec* made, CUgraph graph, unsigned long long flags) noexcept {
  return Instantiate<Symbol::cuGraphInstantiateWithFlags>(made, graph, flags);
}
MORTAR_CUDA_HANDLER(cuGraphInstantiateWithParams)
(CUgraphExec* made, CUgraph graph, void* parameters) noexcept {
  return Instantiate<Symbol::cuGraphInstantiateWithParams>(made, graph, parameters);
}
MORTAR_CUDA_HANDLER(cuGraphInstantiateWithParams_ptsz)
(CUgraphExec* made, CUgraph graph, void* parameters) noexcept {
  return Instantiate<Symbol::cuGraphInstantiateWithParams_ptsz>(made, graph, parameters);
}

}  // namespace mortar::cuda
