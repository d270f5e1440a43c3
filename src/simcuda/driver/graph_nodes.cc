// Nodes that programs make themselves, and their parameters.
#include <cstring>

#include "simcuda/driver/abi.h"
#include "simcuda/driver/copies.h"
#include "simcuda/driver/graphs.h"
#include "simcuda/driver/launches.h"
#include "simcuda/driver/nodes.h"

namespace mortar::simcuda {
namespace {

template <typename T>
std::shared_ptr<const void> Keep(const T& value) {
  return std::make_shared<const T>(value);
}

const SimDevice* DeviceOf(CUcontext handle) {
  const SimContext* context = handle != nullptr ? FindContext(handle) : Current();
  if (context != nullptr) return context->device;
  return TheWorld() != nullptr ? FindDevice(0) : nullptr;
}

CUresult Add(CUgraphNode* out, CUgraph handle, const CUgraphNode* nodes, std::size_t count, CUresult made,
             Operation operation) {
  if (made != CUDA_SUCCESS) return made;
  const std::lock_guard lock(TheGraphs().mutex);
  SimGraph* graph = FindGraph(handle);
  if (graph == nullptr || out == nullptr || (nodes == nullptr && count > 0)) return CUDA_ERROR_INVALID_VALUE;
  std::vector<Node*> needs;
  for (std::size_t i = 0; i < count; ++i) {
    needs.push_back(FindNode(nodes[i]));
    if (needs.back() == nullptr || needs.back()->graph != graph) return CUDA_ERROR_INVALID_VALUE;
  }
  *out = HandleOf<CUgraphNode>(AddNode(*graph, std::move(operation), std::move(needs)));
  return CUDA_SUCCESS;
}

// The parameters of a node of `type`, as they were given.
template <typename T>
CUresult Get(CUgraphNode handle, NodeType type, T* out) {
  const std::lock_guard lock(TheGraphs().mutex);
  const Node* node = FindNode(handle);
  if (node == nullptr || out == nullptr || node->operation.type != type) return CUDA_ERROR_INVALID_VALUE;
  if (node->operation.parameters == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  *out = *static_cast<const T*>(node->operation.parameters.get());
  return CUDA_SUCCESS;
}

CUresult Set(CUgraphNode handle, CUresult made, Operation operation) {
  if (made != CUDA_SUCCESS) return made;
  const std::lock_guard lock(TheGraphs().mutex);
  Node* node = FindNode(handle);
  if (node == nullptr || node->operation.type != operation.type) return CUDA_ERROR_INVALID_VALUE;
  node->operation = std::move(operation);
  return CUDA_SUCCESS;
}

CUresult GetKernel(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS_v1* out) {
  const std::lock_guard lock(TheGraphs().mutex);
  const Node* node = FindNode(handle);
  if (node == nullptr || out == nullptr || node->operation.type != NodeType::kKernel)
    return CUDA_ERROR_INVALID_VALUE;
  if (node->operation.parameters == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  const auto& call = *static_cast<const KernelCall*>(node->operation.parameters.get());
  const Launch& launch = call.launch;
  *out = {call.function,   launch.grid[0],      launch.grid[1],
          launch.grid[2],  launch.block[0],     launch.block[1],
          launch.block[2], launch.shared_bytes, const_cast<void**>(call.pointers.data()),
          nullptr};
  return CUDA_SUCCESS;
}

}  // namespace

CUresult MakeKernelNode(const CUDA_KERNEL_NODE_PARAMS_v1* p, CUfunction function, CUcontext context,
                        Operation* operation) {
  if (p == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SimDevice* device = DeviceOf(context);
  if (device == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  const Launch launch{
      {p->gridDimX, p->gridDimY, p->gridDimZ}, {p->blockDimX, p->blockDimY, p->blockDimZ}, p->sharedMemBytes};
  return MakeLaunch(*device, function, launch, p->kernelParams, p->extra, /*remember=*/true, operation);
}

CUresult MakeKernelNode(const void* params, bool v2, Operation* operation) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!v2) {
    const auto* p = static_cast<const CUDA_KERNEL_NODE_PARAMS_v1*>(params);
    return MakeKernelNode(p, p->func, nullptr, operation);
  }
  const auto* p = static_cast<const CUDA_KERNEL_NODE_PARAMS_v2*>(params);
  auto* function = p->v1.func != nullptr ? p->v1.func : reinterpret_cast<CUfunction>(p->kern);
  return MakeKernelNode(&p->v1, function, p->ctx, operation);
}

CUresult MakeCopyNode(const CUDA_MEMCPY3D* copy, CUcontext context, Operation* operation) {
  if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SimDevice* device = DeviceOf(context);
  if (device == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  CopyShape shape;
  if (const CUresult read = ReadShape(*copy, &shape); read != CUDA_SUCCESS) return read;
  *operation = MakeCopy(*device, shape);
  operation->parameters = Keep(*copy);
  return CUDA_SUCCESS;
}

CUresult MakeFillNode(const void* params, CUcontext context, Operation* operation) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SimDevice* device = DeviceOf(context);
  if (device == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  const auto& p = *static_cast<const CUDA_MEMSET_NODE_PARAMS*>(params);
  const CUresult made =
      MakeFill(*device, {p.dst, p.pitch, p.value, p.elementSize, p.width, p.height}, operation);
  operation->parameters = Keep(p);
  return made;
}

CUresult MakeHostNode(const void* params, Operation* operation) {
  const auto* p = static_cast<const CUDA_HOST_NODE_PARAMS*>(params);
  if (p == nullptr || p->fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  operation->type = NodeType::kHost;
  operation->work.kind = WorkKind::kHost;
  operation->run = [function = p->fn, data = p->userData] { function(data); };
  operation->parameters = Keep(*p);
  return CUDA_SUCCESS;
}

CUresult MakeEventNode(CUevent handle, bool record, Operation* operation) {
  SimEvent* event = FindEvent(handle);
  if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  operation->type = record ? NodeType::kRecordEvent : NodeType::kWaitEvent;
  (record ? operation->record : operation->wait) = event;
  operation->parameters = Keep(handle);
  return CUDA_SUCCESS;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): the interface's names
#define MORTAR_ADD_NODE(name, parameters, call)                                                 \
  MORTAR_SIMCUDA_EXPORT CUresult name parameters {                                              \
    Operation operation;                                                                        \
    const CUresult made = call;                                                                 \
    return Add(phGraphNode, hGraph, dependencies, numDependencies, made, std::move(operation)); \
  }
#define MORTAR_NODE_PLACE \
  CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies, std::size_t numDependencies

MORTAR_ADD_NODE(cuGraphAddKernelNode, (MORTAR_NODE_PLACE, const void* nodeParams),
                MakeKernelNode(nodeParams, false, &operation))
MORTAR_ADD_NODE(cuGraphAddKernelNode_v2, (MORTAR_NODE_PLACE, const void* nodeParams),
                MakeKernelNode(nodeParams, true, &operation))
MORTAR_ADD_NODE(cuGraphAddMemcpyNode, (MORTAR_NODE_PLACE, const CUDA_MEMCPY3D* copyParams, CUcontext ctx),
                MakeCopyNode(copyParams, ctx, &operation))
MORTAR_ADD_NODE(cuGraphAddMemsetNode, (MORTAR_NODE_PLACE, const void* memsetParams, CUcontext ctx),
                MakeFillNode(memsetParams, ctx, &operation))
MORTAR_ADD_NODE(cuGraphAddHostNode, (MORTAR_NODE_PLACE, const void* nodeParams),
                MakeHostNode(nodeParams, &operation))
MORTAR_ADD_NODE(cuGraphAddEmptyNode, (MORTAR_NODE_PLACE), CUDA_SUCCESS)
MORTAR_ADD_NODE(cuGraphAddEventRecordNode, (MORTAR_NODE_PLACE, CUevent event),
                MakeEventNode(event, true, &operation))
MORTAR_ADD_NODE(cuGraphAddEventWaitNode, (MORTAR_NODE_PLACE, CUevent event),
                MakeEventNode(event, false, &operation))

MORTAR_SIMCUDA_EXPORT CUresult cuGraphAddChildGraphNode(MORTAR_NODE_PLACE, CUgraph childGraph) {
  Operation operation;
  operation.type = NodeType::kGraph;
  const CUresult added = Add(phGraphNode, hGraph, dependencies, numDependencies, CUDA_SUCCESS, operation);
  if (added != CUDA_SUCCESS) return added;
  const std::lock_guard lock(TheGraphs().mutex);
  Node* node = FindNode(*phGraphNode);
  const SimGraph* child = FindGraph(childGraph);
  if (child == nullptr || child == node->graph) {
    SimGraph& graph = *node->graph;
    TheGraphs().nodes.erase(node);
    graph.nodes.pop_back();
    return CUDA_ERROR_INVALID_VALUE;
  }
  node->child = CloneGraph(*child);
  node->child->owned = true;
  TheGraphs().graphs.insert(node->child.get());
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode hNode, CUgraph* phGraph) {
  const std::lock_guard lock(TheGraphs().mutex);
  const Node* node = FindNode(hNode);
  if (node == nullptr || phGraph == nullptr || node->child == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *phGraph = HandleOf<CUgraph>(node->child.get());
  return CUDA_SUCCESS;
}

#define MORTAR_SET_NODE(name, parameters, call)    \
  MORTAR_SIMCUDA_EXPORT CUresult name parameters { \
    Operation operation;                           \
    const CUresult made = call;                    \
    return Set(hNode, made, std::move(operation)); \
  }
MORTAR_SET_NODE(cuGraphKernelNodeSetParams, (CUgraphNode hNode, const void* nodeParams),
                MakeKernelNode(nodeParams, false, &operation))
MORTAR_SET_NODE(cuGraphKernelNodeSetParams_v2, (CUgraphNode hNode, const void* nodeParams),
                MakeKernelNode(nodeParams, true, &operation))
MORTAR_SET_NODE(cuGraphMemcpyNodeSetParams, (CUgraphNode hNode, const CUDA_MEMCPY3D* nodeParams),
                MakeCopyNode(nodeParams, nullptr, &operation))
MORTAR_SET_NODE(cuGraphMemsetNodeSetParams, (CUgraphNode hNode, const void* nodeParams),
                MakeFillNode(nodeParams, nullptr, &operation))
MORTAR_SET_NODE(cuGraphHostNodeSetParams, (CUgraphNode hNode, const void* nodeParams),
                MakeHostNode(nodeParams, &operation))
MORTAR_SET_NODE(cuGraphEventRecordNodeSetEvent, (CUgraphNode hNode, CUevent event),
                MakeEventNode(event, true, &operation))
MORTAR_SET_NODE(cuGraphEventWaitNodeSetEvent, (CUgraphNode hNode, CUevent event),
                MakeEventNode(event, false, &operation))

MORTAR_SIMCUDA_EXPORT CUresult cuGraphKernelNodeGetParams(CUgraphNode hNode, void* nodeParams) {
  return GetKernel(hNode, static_cast<CUDA_KERNEL_NODE_PARAMS_v1*>(nodeParams));
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode hNode, void* nodeParams) {
  auto* out = static_cast<CUDA_KERNEL_NODE_PARAMS_v2*>(nodeParams);
  const CUresult got = GetKernel(hNode, out != nullptr ? &out->v1 : nullptr);
  if (got != CUDA_SUCCESS) return got;
  out->kern = nullptr;
  out->ctx = nullptr;
  return CUDA_SUCCESS;
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphMemcpyNodeGetParams(CUgraphNode hNode, CUDA_MEMCPY3D* nodeParams) {
  return Get(hNode, NodeType::kMemcpy, nodeParams);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphMemsetNodeGetParams(CUgraphNode hNode, void* nodeParams) {
  return Get(hNode, NodeType::kMemset, static_cast<CUDA_MEMSET_NODE_PARAMS*>(nodeParams));
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphHostNodeGetParams(CUgraphNode hNode, void* nodeParams) {
  return Get(hNode, NodeType::kHost, static_cast<CUDA_HOST_NODE_PARAMS*>(nodeParams));
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode hNode, CUevent* event_out) {
  return Get(hNode, NodeType::kRecordEvent, event_out);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode hNode, CUevent* event_out) {
  return Get(hNode, NodeType::kWaitEvent, event_out);
}
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)
