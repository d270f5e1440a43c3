// The program's functions that the driver calls: while one runs, its thread is never held at the gate.
#include <memory>
#include <new>

#include "backend/cuda/submit.h"

namespace mortar::cuda {
namespace {

struct HostCall {
  CUhostFn function;
  void* data;
};
void OnHostCall(void* data) {
  const std::unique_ptr<HostCall> call(static_cast<HostCall*>(data));
  const client::CallbackScope scope;
  call->function(call->data);
}

struct StreamCall {
  CUstreamCallback function;
  void* data;
};
void OnStreamCall(CUstream stream, CUresult status, void* data) {
  const std::unique_ptr<StreamCall> call(static_cast<StreamCall*>(data));
  const client::CallbackScope scope;
  call->function(stream, status, call->data);
}

// `call(function, data)` makes the driver's call. What a captured stream is given runs once a graph launch,
// so it is left as it is.
template <typename Wrapped, typename Function, typename Call>
CUresult Callback(CUstream stream, bool per_thread, Function function, Function ours, void* data,
                  Call&& call) noexcept {
  const Caller caller = function != nullptr ? FindCaller(stream, per_thread) : Caller{};
  auto* wrapped = caller ? new (std::nothrow) Wrapped{function, data} : nullptr;
  if (wrapped == nullptr) return call(function, data);
  // The program learns of completion where no wait shows.
  caller.lane->OnInvisibleWait();
  const CUresult status =
      Submit(caller, {.occupies = false, .may_sample = false}, [&] { return call(ours, wrapped); });
  if (status != CUDA_SUCCESS) delete wrapped;
  return status;
}

template <Symbol kSymbol, bool kPerThread>
CUresult LaunchHostFunction(CUstream stream, CUhostFn function, void* data) noexcept {
  return Callback<HostCall>(stream, kPerThread, function, &OnHostCall, data,
                            [&](CUhostFn f, void* d) { return Real<kSymbol>()(stream, f, d); });
}

template <Symbol kSymbol, bool kPerThread>
CUresult AddCallback(CUstream stream, CUstreamCallback function, void* data, unsigned int flags) noexcept {
  return Callback<StreamCall>(
      stream, kPerThread, function, &OnStreamCall, data,
      [&](CUstreamCallback f, void* d) { return Real<kSymbol>()(stream, f, d, flags); });
}

}  // namespace

MORTAR_CUDA_HANDLER(cuLaunchHostFunc)(CUstream stream, CUhostFn function, void* data) noexcept {
  return LaunchHostFunction<Symbol::cuLaunchHostFunc, false>(stream, function, data);
}
MORTAR_CUDA_HANDLER(cuLaunchHostFunc_ptsz)(CUstream stream, CUhostFn function, void* data) noexcept {
  return LaunchHostFunction<Symbol::cuLaunchHostFunc_ptsz, true>(stream, function, data);
}
MORTAR_CUDA_HANDLER(cuStreamAddCallback)
(CUstream stream, CUstreamCallback function, void* data, unsigned int flags) noexcept {
  return AddCallback<Symbol::cuStreamAddCallback, false>(stream, function, data, flags);
}
MORTAR_CUDA_HANDLER(cuStreamAddCallback_ptsz)
(CUstream stream, CUstreamCallback function, void* data, unsigned int flags) noexcept {
  return AddCallback<Symbol::cuStreamAddCallback_ptsz, true>(stream, function, data, flags);
}

}  // namespace mortar::cuda
