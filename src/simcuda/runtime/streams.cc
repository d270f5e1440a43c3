// Streams, events, callbacks, captures and graphs: the driver's calls under other names.
#include "simcuda/runtime/runtime.h"

using namespace mortar::cudart;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
#define MORTAR_CUDART(name, parameters, symbol, ...)               \
  MORTAR_CUDART_EXPORT cudaError_t name parameters {               \
    return Run([&] { return Call<Symbol::symbol>(__VA_ARGS__); }); \
  }
#define MORTAR_CUDART_STREAM(name, parameters, symbol, ...) \
  MORTAR_CUDART(name, parameters, symbol, __VA_ARGS__)      \
  MORTAR_CUDART(name##_ptsz, parameters, symbol##_ptsz, __VA_ARGS__)

MORTAR_CUDART(cudaStreamCreate, (CUstream * stream), cuStreamCreate, stream, 0U)
MORTAR_CUDART(cudaStreamCreateWithFlags, (CUstream * stream, unsigned int flags), cuStreamCreate, stream,
              flags)
MORTAR_CUDART(cudaStreamCreateWithPriority, (CUstream * stream, unsigned int flags, int priority),
              cuStreamCreateWithPriority, stream, flags, priority)
MORTAR_CUDART(cudaStreamDestroy, (CUstream stream), cuStreamDestroy_v2, stream)
MORTAR_CUDART_STREAM(cudaStreamSynchronize, (CUstream stream), cuStreamSynchronize, stream)
MORTAR_CUDART_STREAM(cudaStreamQuery, (CUstream stream), cuStreamQuery, stream)
MORTAR_CUDART_STREAM(cudaStreamWaitEvent, (CUstream stream, CUevent event, unsigned int flags),
                     cuStreamWaitEvent, stream, event, flags)
MORTAR_CUDART_STREAM(cudaStreamGetPriority, (CUstream stream, int* priority), cuStreamGetPriority, stream,
                     priority)
MORTAR_CUDART_STREAM(cudaStreamGetFlags, (CUstream stream, unsigned int* flags), cuStreamGetFlags, stream,
                     flags)
MORTAR_CUDART_STREAM(cudaStreamGetId, (CUstream stream, unsigned long long* id), cuStreamGetId, stream, id)
MORTAR_CUDART_STREAM(cudaStreamAddCallback,
                     (CUstream stream, CUstreamCallback callback, void* data, unsigned int flags),
                     cuStreamAddCallback, stream, callback, data, flags)
MORTAR_CUDART_STREAM(cudaLaunchHostFunc, (CUstream stream, CUhostFn function, void* data), cuLaunchHostFunc,
                     stream, function, data)

MORTAR_CUDART(cudaEventCreate, (CUevent * event), cuEventCreate, event, 0U)
MORTAR_CUDART(cudaEventCreateWithFlags, (CUevent * event, unsigned int flags), cuEventCreate, event, flags)
MORTAR_CUDART(cudaEventDestroy, (CUevent event), cuEventDestroy_v2, event)
MORTAR_CUDART_STREAM(cudaEventRecord, (CUevent event, CUstream stream), cuEventRecord, event, stream)
MORTAR_CUDART_STREAM(cudaEventRecordWithFlags, (CUevent event, CUstream stream, unsigned int flags),
                     cuEventRecordWithFlags, event, stream, flags)
MORTAR_CUDART(cudaEventQuery, (CUevent event), cuEventQuery, event)
MORTAR_CUDART(cudaEventSynchronize, (CUevent event), cuEventSynchronize, event)
MORTAR_CUDART(cudaEventElapsedTime, (float* milliseconds, CUevent begin, CUevent end), cuEventElapsedTime,
              milliseconds, begin, end)

MORTAR_CUDART_STREAM(cudaStreamBeginCapture, (CUstream stream, int mode), cuStreamBeginCapture_v2, stream,
                     mode)
MORTAR_CUDART_STREAM(cudaStreamEndCapture, (CUstream stream, CUgraph* graph), cuStreamEndCapture, stream,
                     graph)
MORTAR_CUDART_STREAM(cudaStreamIsCapturing, (CUstream stream, int* status), cuStreamIsCapturing, stream,
                     status)
MORTAR_CUDART_STREAM(cudaStreamGetCaptureInfo,
                     (CUstream stream, int* status, unsigned long long* id, CUgraph* graph,
                      const CUgraphNode** dependencies, const void** edges, std::size_t* count),
                     cuStreamGetCaptureInfo_v3, stream, status, id, graph, dependencies, edges, count)
MORTAR_CUDART(cudaThreadExchangeStreamCaptureMode, (int* mode), cuThreadExchangeStreamCaptureMode, mode)
MORTAR_CUDART(cudaGraphCreate, (CUgraph * graph, unsigned int flags), cuGraphCreate, graph, flags)
MORTAR_CUDART(cudaGraphDestroy, (CUgraph graph), cuGraphDestroy, graph)
MORTAR_CUDART(cudaGraphClone, (CUgraph * clone, CUgraph graph), cuGraphClone, clone, graph)
MORTAR_CUDART(cudaGraphGetNodes, (CUgraph graph, CUgraphNode* nodes, std::size_t* count), cuGraphGetNodes,
              graph, nodes, count)
MORTAR_CUDART(cudaGraphInstantiate, (CUgraphExec * made, CUgraph graph, unsigned long long flags),
              cuGraphInstantiateWithFlags, made, graph, flags)
MORTAR_CUDART(cudaGraphInstantiateWithFlags, (CUgraphExec * made, CUgraph graph, unsigned long long flags),
              cuGraphInstantiateWithFlags, made, graph, flags)
MORTAR_CUDART(cudaGraphExecDestroy, (CUgraphExec graph), cuGraphExecDestroy, graph)
MORTAR_CUDART_STREAM(cudaGraphLaunch, (CUgraphExec graph, CUstream stream), cuGraphLaunch, graph, stream)
MORTAR_CUDART_STREAM(cudaGraphUpload, (CUgraphExec graph, CUstream stream), cuGraphUpload, graph, stream)

MORTAR_CUDART(cudaProfilerStart, (), cuProfilerStart)
MORTAR_CUDART(cudaProfilerStop, (), cuProfilerStop)
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
