// Graphs made ready, launched, and changed in between; and objects that they keep alive.
#include <algorithm>
#include <utility>

#include "simcuda/driver/abi.h"
#include "simcuda/driver/captures.h"
#include "simcuda/driver/nodes.h"

namespace mortar::simcuda {
namespace {

using Steps = std::vector<Step>;

// CUgraphExecUpdateResult.
enum : int { kUpdated = 0, kUpdateError = 1, kTopologyChanged = 2, kTypeChanged = 3 };

// All nodes in an order in which they can run; `shape`: which of those before each needs. False: a circle.
bool TakeApart(const SimGraph& graph, Steps* steps, std::vector<std::vector<std::size_t>>* shape) {
  const auto order = InOrder(graph);
  if (order.empty() && !graph.nodes.empty()) return false;
  std::map<const Node*, std::size_t> places;
  for (const Node* node : order) {
    std::vector<std::size_t> needs;
    for (const Node* need : node->needs) needs.push_back(places.at(need));
    std::sort(needs.begin(), needs.end());
    if (node->child != nullptr) {
      if (!TakeApart(*node->child, steps, shape)) return false;
    } else if (node->operation.type == NodeType::kGraph && node->operation.parameters != nullptr) {
      // A launch that was captured.
      const auto& launched = *static_cast<const Steps*>(node->operation.parameters.get());
      steps->insert(steps->end(), launched.begin(), launched.end());
      shape->resize(steps->size());
    }
    places[node] = steps->size();
    steps->push_back({node, node->operation, true});
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
  Steps steps;
  if (!TakeApart(*graph, &steps, &exec->shape)) return CUDA_ERROR_INVALID_VALUE;
  exec->steps = std::make_shared<const Steps>(std::move(steps));
  exec->flags = flags;
  for (const auto& [object, count] : graph->objects) {
    exec->objects[object] = count;
    object->count += count;
  }
  TheGraphs().execs.insert(exec.get());
  *out = HandleOf<CUgraphExec>(exec.release());
  return CUDA_SUCCESS;
}

// Puts the steps into the stream; the first after `before`, the exec's last launch. Returns the last command.
CommandId Run(const SimStream& stream, const Steps& steps, CommandId before) {
  Operation marker;
  marker.work.wait = before;
  CommandId last = Submit(stream, marker);
  for (const Step& step : steps) {
    const bool empty = step.operation.type == NodeType::kEmpty || step.operation.type == NodeType::kGraph;
    if (step.enabled && !empty) last = Submit(stream, step.operation);
  }
  return last;
}

CUresult LaunchGraph(CUgraphExec handle, CUstream stream_handle, bool per_thread) {
  SimStream* stream = nullptr;
  if (const CUresult found = FindStream(stream_handle, per_thread, &stream); found != CUDA_SUCCESS)
    return found;
  SimDevice* device = stream->context->device;
  SimExec* exec = nullptr;
  std::shared_ptr<const Steps> steps;
  CommandId before;
  {
    const std::lock_guard lock(TheGraphs().mutex);
    exec = FindExec(handle);
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    steps = exec->steps;
    if (exec->last_device == device) before = exec->last;
  }
  Operation captured;
  captured.type = NodeType::kGraph;
  captured.parameters = steps;
  bool in_capture = false;
  const CUresult added = AddToCapture(*stream, captured, &in_capture);
  if (added != CUDA_SUCCESS || in_capture) return added;
  const CommandId last = Run(*stream, *steps, before);
  const std::lock_guard lock(TheGraphs().mutex);
  if (FindExec(handle) != exec) return CUDA_SUCCESS;  // destroyed meanwhile; the launch goes on
  exec->last = last;
  exec->last_device = device;
  return CUDA_SUCCESS;
}

int Update(SimExec& exec, const SimGraph& graph, CUgraphNode* wrong) {
  Steps steps;
  std::vector<std::vector<std::size_t>> shape;
  if (!TakeApart(graph, &steps, &shape)) return kUpdateError;
  if (shape != exec.shape) return kTopologyChanged;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& old = (*exec.steps)[i];
    steps[i].enabled = old.enabled;
    if (old.operation.type != steps[i].operation.type) {
      *wrong = HandleOf<CUgraphNode>(const_cast<Node*>(steps[i].node));
      return kTypeChanged;
    }
    steps[i].node = old.node;
  }
  exec.steps = std::make_shared<const Steps>(std::move(steps));
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
  Steps steps = *exec->steps;
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const Step& step) {
    return step.node == reinterpret_cast<const Node*>(node);
  });
  if (found == steps.end() || !change(*found)) return CUDA_ERROR_INVALID_VALUE;
  exec->steps = std::make_shared<const Steps>(std::move(steps));
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

void ReleaseAll(const std::map<SimObject*, unsigned int>& objects,
                std::vector<std::function<void()>>* later) {
  for (const auto& [object, count] : objects) Release(object, count, later);
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
  std::vector<std::function<void()>> later;
  {
    const std::lock_guard lock(TheGraphs().mutex);
    SimExec* exec = FindExec(hGraphExec);
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    ReleaseAll(exec->objects, &later);
    TheGraphs().execs.erase(exec);
    delete exec;
  }
  for (const auto& call : later) call();
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

MORTAR_SIMCUDA_EXPORT CUresult cuUserObjectCreate(CUuserObject* object_out, void* ptr, CUhostFn destroy,
                                                  unsigned int initialRefcount, unsigned int flags) {
  constexpr unsigned int kNoDestructorSync = 1;
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (object_out == nullptr || destroy == nullptr || initialRefcount == 0 || flags != kNoDestructorSync)
    return CUDA_ERROR_INVALID_VALUE;
  auto* object = new SimObject{ptr, destroy, initialRefcount};
  const std::lock_guard lock(TheGraphs().mutex);
  TheGraphs().objects.insert(object);
  *object_out = HandleOf<CUuserObject>(object);
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuUserObjectRetain(CUuserObject handle, unsigned int count) {
  const std::lock_guard lock(TheGraphs().mutex);
  auto* object = reinterpret_cast<SimObject*>(handle);
  if (!TheGraphs().objects.contains(object) || count == 0) return CUDA_ERROR_INVALID_VALUE;
  object->count += count;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuUserObjectRelease(CUuserObject handle, unsigned int count) {
  std::vector<std::function<void()>> later;
  {
    const std::lock_guard lock(TheGraphs().mutex);
    auto* object = reinterpret_cast<SimObject*>(handle);
    if (!TheGraphs().objects.contains(object) || count == 0) return CUDA_ERROR_INVALID_VALUE;
    Release(object, count, &later);
  }
  for (const auto& call : later) call();
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphRetainUserObject(CUgraph graph_handle, CUuserObject handle,
                                                       unsigned int count, unsigned int flags) {
  constexpr unsigned int kMove = 1;
  const std::lock_guard lock(TheGraphs().mutex);
  SimGraph* graph = FindGraph(graph_handle);
  auto* object = reinterpret_cast<SimObject*>(handle);
  if (graph == nullptr || !TheGraphs().objects.contains(object) || count == 0 || flags > kMove)
    return CUDA_ERROR_INVALID_VALUE;
  graph->objects[object] += count;
  if (flags != kMove) object->count += count;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphReleaseUserObject(CUgraph graph_handle, CUuserObject handle,
                                                        unsigned int count) {
  std::vector<std::function<void()>> later;
  {
    const std::lock_guard lock(TheGraphs().mutex);
    SimGraph* graph = FindGraph(graph_handle);
    auto* object = reinterpret_cast<SimObject*>(handle);
    if (graph == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
    const auto held = graph->objects.find(object);
    if (held == graph->objects.end() || held->second < count) return CUDA_ERROR_INVALID_VALUE;
    held->second -= count;
    if (held->second == 0) graph->objects.erase(held);
    Release(object, count, &later);
  }
  for (const auto& call : later) call();
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
