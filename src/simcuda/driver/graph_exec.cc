// Graphs made ready, launched, and changed in between.
#include <algorithm>
#include <utility>

#include "simcuda/driver/abi.h"
#include "simcuda/driver/captures.h"
#include "simcuda/driver/nodes.h"

namespace mortar::simcuda {
namespace {

// CUgraphExecUpdateResult.
enum : int { kUpdated = 0, kUpdateError = 1, kTopologyChanged = 2, kTypeChanged = 3 };

// All nodes in an order in which they can run; `shape`: which of those before each needs. False: a circle.
bool TakeApart(const SimGraph& graph, Launchable* made, std::vector<std::vector<std::size_t>>* shape) {
  const auto order = InOrder(graph);
  if (order.empty() && !graph.nodes.empty()) return false;
  std::vector<Step>& steps = made->steps;
  made->objects.insert(graph.objects.begin(), graph.objects.end());
  std::map<const Node*, std::size_t> places;
  for (const Node* node : order) {
    std::vector<std::size_t> needs;
    for (const Node* need : node->needs) needs.push_back(places.at(need));
    std::sort(needs.begin(), needs.end());
    if (node->child != nullptr) {
      if (!TakeApart(*node->child, made, shape)) return false;
    } else if (node->operation.type == NodeType::kGraph && node->operation.parameters != nullptr) {
      // A launch that was captured.
      const auto& launched = *static_cast<const Launchable*>(node->operation.parameters.get());
      steps.insert(steps.end(), launched.steps.begin(), launched.steps.end());
      made->objects.insert(launched.objects.begin(), launched.objects.end());
      shape->resize(steps.size());
    }
    places[node] = steps.size();
    steps.push_back({node, node->operation, true});
    shape->push_back(std::move(needs));
  }
  return true;
}

CUresult Instantiate(CUgraphExec* out, CUgraph handle, unsigned long long flags, CUgraphNode* wrong) {
  if (wrong != nullptr) *wrong = nullptr;
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(TheGraphs().mutex);
  const SimGraph* graph = FindGraph(handle);
  if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  auto exec = std::make_unique<SimExec>();
  Launchable made;
  if (!TakeApart(*graph, &made, &exec->shape)) return CUDA_ERROR_INVALID_VALUE;
  exec->launchable = std::make_shared<const Launchable>(std::move(made));
  exec->flags = flags;
  TheGraphs().execs.insert(exec.get());
  *out = HandleOf<CUgraphExec>(exec.release());
  return CUDA_SUCCESS;
}

// Puts the steps into the stream; the first after `before`, the exec's last launch. Returns the last command.
CommandId Run(const SimStream& stream, const std::shared_ptr<const Launchable>& launchable,
              CommandId before) {
  Operation marker;
  marker.work.wait = before;
  CommandId last = Submit(stream, marker);
  for (const Step& step : launchable->steps) {
    const bool empty = step.operation.type == NodeType::kEmpty || step.operation.type == NodeType::kGraph;
    if (step.enabled && !empty) last = Submit(stream, step.operation);
  }
  if (launchable->objects.empty()) return last;
  Operation keeping;  // the objects, until the launch is done
  keeping.run = [launchable] {};
  keeping.despite_error = true;
  return Submit(stream, keeping);
}

CUresult LaunchGraph(CUgraphExec handle, CUstream stream_handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(stream_handle, per_thread, &stream); found != CUDA_SUCCESS)
    return found;
  SimDevice* device = stream->context->device;
  SimExec* exec = nullptr;
  std::shared_ptr<const Launchable> launchable;
  CommandId before;
  {
    const std::lock_guard lock(TheGraphs().mutex);
    exec = FindExec(handle);
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    launchable = exec->launchable;
    if (exec->last_device == device) before = exec->last;
  }
  Operation captured;
  captured.type = NodeType::kGraph;
  captured.parameters = launchable;
  bool in_capture = false;
  const CUresult added = AddToCapture(*stream, captured, &in_capture);
  if (added != CUDA_SUCCESS || in_capture) return added;
  const CommandId last = Run(*stream, launchable, before);
  const std::lock_guard lock(TheGraphs().mutex);
  if (FindExec(handle) != exec) return CUDA_SUCCESS;  // destroyed meanwhile; the launch goes on
  exec->last = last;
  exec->last_device = device;
  return CUDA_SUCCESS;
}

int Update(SimExec& exec, const SimGraph& graph, CUgraphNode* wrong) {
  Launchable made;
  std::vector<std::vector<std::size_t>> shape;
  if (!TakeApart(graph, &made, &shape)) return kUpdateError;
  if (shape != exec.shape) return kTopologyChanged;
  for (std::size_t i = 0; i < made.steps.size(); ++i) {
    const Step& old = exec.launchable->steps[i];
    Step& step = made.steps[i];
    step.enabled = old.enabled;
    if (old.operation.type != step.operation.type) {
      *wrong = HandleOf<CUgraphNode>(const_cast<Node*>(step.node));
      return kTypeChanged;
    }
    step.node = old.node;
  }
  exec.launchable = std::make_shared<const Launchable>(std::move(made));
  return kUpdated;
}

CUresult Update(CUgraphExec exec_handle, CUgraph graph_handle, CUgraphExecUpdateResultInfo* info) {
  const std::lock_guard lock(TheGraphs().mutex);
  SimExec* exec = FindExec(exec_handle);
  const SimGraph* graph = FindGraph(graph_handle);
  if (exec == nullptr || graph == nullptr || info == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *info = {};
  info->result = Update(*exec, *graph, &info->errorNode);
  return info->result == kUpdated ? CUDA_SUCCESS : CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
}

// Changes the step that was made from a node.
template <typename Change>
CUresult ChangeStep(CUgraphExec handle, CUgraphNode node, Change change) {
  const std::lock_guard lock(TheGraphs().mutex);
  SimExec* exec = FindExec(handle);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Launchable changed = *exec->launchable;
  const auto found = std::find_if(changed.steps.begin(), changed.steps.end(), [&](const Step& step) {
    return step.node == reinterpret_cast<const Node*>(node);
  });
  if (found == changed.steps.end() || !change(*found)) return CUDA_ERROR_INVALID_VALUE;
  exec->launchable = std::make_shared<const Launchable>(std::move(changed));
  return CUDA_SUCCESS;
}

CUresult SetStep(CUgraphExec handle, CUgraphNode node, CUresult made, Operation operation) {
  if (made != CUDA_SUCCESS) return made;
  return ChangeStep(handle, node, [&](Step& step) {
    if (step.operation.type != operation.type) return false;
    step.operation = std::move(operation);
    return true;
  });
}

}  // namespace
}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec* phGraphExec, CUgraph hGraph,
                                                           unsigned long long flags) {
  return Instantiate(phGraphExec, hGraph, flags, nullptr);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphInstantiate(CUgraphExec* phGraphExec, CUgraph hGraph,
                                                  CUgraphNode* phErrorNode, char* logBuffer,
                                                  std::size_t bufferSize) {
  if (logBuffer != nullptr && bufferSize > 0) *logBuffer = '\0';
  return Instantiate(phGraphExec, hGraph, 0, phErrorNode);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphInstantiate_v2(CUgraphExec* phGraphExec, CUgraph hGraph,
                                                     CUgraphNode* phErrorNode, char* logBuffer,
                                                     std::size_t bufferSize) {
  return cuGraphInstantiate(phGraphExec, hGraph, phErrorNode, logBuffer, bufferSize);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphInstantiateWithParams(CUgraphExec* phGraphExec, CUgraph hGraph,
                                                            void* instantiateParams) {
  auto* params = static_cast<CUDA_GRAPH_INSTANTIATE_PARAMS*>(instantiateParams);
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUresult made = Instantiate(phGraphExec, hGraph, params->flags, &params->hErrNode_out);
  params->result_out = made == CUDA_SUCCESS ? 0 : 1;
  return made;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec* phGraphExec, CUgraph hGraph,
                                                                 void* instantiateParams) {
  return cuGraphInstantiateWithParams(phGraphExec, hGraph, instantiateParams);
}

MORTAR_SIMCUDA_PTSZ(cuGraphLaunch, (CUgraphExec hGraph, CUstream hStream),
                    LaunchGraph(hGraph, hStream, kPerThread))
MORTAR_SIMCUDA_PTSZ(cuGraphUpload, (CUgraphExec hGraph, CUstream hStream), [&] {
  SimStream* stream = nullptr;
  const CUresult found = FindStream(hStream, kPerThread, &stream);
  const std::lock_guard lock(TheGraphs().mutex);
  return found != CUDA_SUCCESS || FindExec(hGraph) != nullptr ? found : CUDA_ERROR_INVALID_VALUE;
}())

// What it has launched goes on.
MORTAR_SIMCUDA_EXPORT CUresult cuGraphExecDestroy(CUgraphExec hGraphExec) {
  const std::lock_guard lock(TheGraphs().mutex);
  SimExec* exec = FindExec(hGraphExec);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  TheGraphs().execs.erase(exec);
  delete exec;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphExecGetFlags(CUgraphExec hGraphExec, unsigned long long* flags) {
  const std::lock_guard lock(TheGraphs().mutex);
  const SimExec* exec = FindExec(hGraphExec);
  if (exec == nullptr || flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *flags = exec->flags;
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphExecUpdate_v2(CUgraphExec hGraphExec, CUgraph hGraph,
                                                    void* resultInfo) {
  return Update(hGraphExec, hGraph, static_cast<CUgraphExecUpdateResultInfo*>(resultInfo));
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphExecUpdate(CUgraphExec hGraphExec, CUgraph hGraph,
                                                 CUgraphNode* hErrorNode_out, int* updateResult_out) {
  CUgraphExecUpdateResultInfo info{};
  const CUresult updated = Update(hGraphExec, hGraph, &info);
  if (hErrorNode_out != nullptr) *hErrorNode_out = info.errorNode;
  if (updateResult_out != nullptr) *updateResult_out = info.result;
  return updated;
}

#define MORTAR_SET_STEP(name, parameters, call)                    \
  MORTAR_SIMCUDA_EXPORT CUresult name parameters {                 \
    Operation operation;                                           \
    const CUresult made = call;                                    \
    return SetStep(hGraphExec, hNode, made, std::move(operation)); \
  }
MORTAR_SET_STEP(cuGraphExecKernelNodeSetParams,
                (CUgraphExec hGraphExec, CUgraphNode hNode, const void* nodeParams),
                MakeKernelNode(nodeParams, false, &operation))
MORTAR_SET_STEP(cuGraphExecKernelNodeSetParams_v2,
                (CUgraphExec hGraphExec, CUgraphNode hNode, const void* nodeParams),
                MakeKernelNode(nodeParams, true, &operation))
MORTAR_SET_STEP(cuGraphExecMemcpyNodeSetParams,
                (CUgraphExec hGraphExec, CUgraphNode hNode, const CUDA_MEMCPY3D* copyParams, CUcontext ctx),
                MakeCopyNode(copyParams, ctx, &operation))
MORTAR_SET_STEP(cuGraphExecMemsetNodeSetParams,
                (CUgraphExec hGraphExec, CUgraphNode hNode, const void* memsetParams, CUcontext ctx),
                MakeFillNode(memsetParams, ctx, &operation))
MORTAR_SET_STEP(cuGraphExecHostNodeSetParams,
                (CUgraphExec hGraphExec, CUgraphNode hNode, const void* nodeParams),
                MakeHostNode(nodeParams, &operation))
MORTAR_SET_STEP(cuGraphExecEventRecordNodeSetEvent,
                (CUgraphExec hGraphExec, CUgraphNode hNode, CUevent event),
                MakeEventNode(event, true, &operation))
MORTAR_SET_STEP(cuGraphExecEventWaitNodeSetEvent, (CUgraphExec hGraphExec, CUgraphNode hNode, CUevent event),
                MakeEventNode(event, false, &operation))

MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeSetEnabled(CUgraphExec hGraphExec, CUgraphNode hNode,
                                                     unsigned int isEnabled) {
  return ChangeStep(hGraphExec, hNode, [&](Step& step) {
    step.enabled = isEnabled != 0;
    return step.operation.type <= NodeType::kMemset;  // kernels, copies and fills alone
  });
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeGetEnabled(CUgraphExec hGraphExec, CUgraphNode hNode,
                                                     unsigned int* isEnabled) {
  if (isEnabled == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return ChangeStep(hGraphExec, hNode, [&](const Step& step) {
    *isEnabled = step.enabled ? 1 : 0;
    return true;
  });
}
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
