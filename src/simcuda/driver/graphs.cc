#include "simcuda/driver/graphs.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "simcuda/driver/abi.h"

namespace mortar::simcuda {
namespace {

Node* Checked(CUgraphNode handle, const SimGraph& graph) {
  Node* node = FindNode(handle);
  return node != nullptr && node->graph == &graph ? node : nullptr;
}

// Copies at most `*count` handles and says how many there are; CUDA's way: null asks for the number alone,
// what is left over is null.
void Fill(const std::vector<Node*>& from, CUgraphNode* to, std::size_t* count) {
  if (to != nullptr) {
    for (std::size_t i = 0; i < *count; ++i)
      to[i] = i < from.size() ? HandleOf<CUgraphNode>(from[i]) : nullptr;
    *count = std::min(*count, from.size());
  } else {
    *count = from.size();
  }
}

CUresult List(CUgraph handle, CUgraphNode* out, std::size_t* count, bool roots_alone) {
  const std::lock_guard lock(TheGraphs().mutex);
  const SimGraph* graph = FindGraph(handle);
  if (graph == nullptr || count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::vector<Node*> found;
  for (const auto& node : graph->nodes) {
    if (!roots_alone || node->needs.empty()) found.push_back(node.get());
  }
  Fill(found, out, count);
  return CUDA_SUCCESS;
}

void ClearEdges(void* edges, const CUgraphNode* nodes, std::size_t count) {
  if (edges != nullptr && nodes != nullptr) std::memset(edges, 0, count * sizeof(CUgraphEdgeData));
}

CUresult Edges(CUgraph handle, CUgraphNode* from, CUgraphNode* to, void* edges, std::size_t* count) {
  const std::lock_guard lock(TheGraphs().mutex);
  const SimGraph* graph = FindGraph(handle);
  if (graph == nullptr || count == nullptr || (from == nullptr) != (to == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  std::vector<Node*> sources;
  std::vector<Node*> targets;
  for (const auto& node : graph->nodes) {
    for (Node* need : node->needs) {
      sources.push_back(need);
      targets.push_back(node.get());
    }
  }
  std::size_t count_of_targets = *count;
  Fill(sources, from, count);
  Fill(targets, to, &count_of_targets);
  ClearEdges(edges, from, *count);
  return CUDA_SUCCESS;
}

CUresult Neighbours(CUgraphNode handle, CUgraphNode* out, void* edges, std::size_t* count, bool before) {
  const std::lock_guard lock(TheGraphs().mutex);
  const Node* node = FindNode(handle);
  if (node == nullptr || count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::vector<Node*> found = before ? node->needs : std::vector<Node*>();
  for (const auto& other : node->graph->nodes) {
    if (!before && std::find(other->needs.begin(), other->needs.end(), node) != other->needs.end())
      found.push_back(other.get());
  }
  Fill(found, out, count);
  ClearEdges(edges, out, *count);
  return CUDA_SUCCESS;
}

CUresult ChangeEdges(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to, std::size_t count,
                     bool add) {
  const std::lock_guard lock(TheGraphs().mutex);
  const SimGraph* graph = FindGraph(handle);
  if (graph == nullptr || (count > 0 && (from == nullptr || to == nullptr))) return CUDA_ERROR_INVALID_VALUE;
  for (std::size_t i = 0; i < count; ++i) {
    Node* source = Checked(from[i], *graph);
    Node* target = Checked(to[i], *graph);
    if (source == nullptr || target == nullptr || source == target) return CUDA_ERROR_INVALID_VALUE;
    const auto found = std::find(target->needs.begin(), target->needs.end(), source);
    if ((found != target->needs.end()) == add) return CUDA_ERROR_INVALID_VALUE;
    if (add) {
      target->needs.push_back(source);
    } else {
      target->needs.erase(found);
    }
  }
  return CUDA_SUCCESS;
}

void ForgetNodes(const SimGraph& graph) {
  for (const auto& node : graph.nodes) {
    TheGraphs().nodes.erase(node.get());
    if (node->child != nullptr) {
      ForgetNodes(*node->child);
      TheGraphs().graphs.erase(node->child.get());
    }
  }
}

void RememberNodes(SimGraph& graph) {
  for (const auto& node : graph.nodes) {
    TheGraphs().nodes.insert(node.get());
    if (node->child == nullptr) continue;
    TheGraphs().graphs.insert(node->child.get());
    RememberNodes(*node->child);
  }
}

const Node* FindClone(const SimGraph& graph, const Node* original) {
  for (const auto& node : graph.nodes) {
    if (node->original == original) return node.get();
  }
  return nullptr;
}

}  // namespace

Graphs& TheGraphs() {
  static auto* graphs = new Graphs;
  return *graphs;
}

SimGraph* FindGraph(CUgraph handle) {
  auto* graph = reinterpret_cast<SimGraph*>(handle);
  return TheGraphs().graphs.contains(graph) ? graph : nullptr;
}
Node* FindNode(CUgraphNode handle) {
  auto* node = reinterpret_cast<Node*>(handle);
  return TheGraphs().nodes.contains(node) ? node : nullptr;
}
SimExec* FindExec(CUgraphExec handle) {
  auto* exec = reinterpret_cast<SimExec*>(handle);
  return TheGraphs().execs.contains(exec) ? exec : nullptr;
}

SimGraph* MakeGraph() {
  auto* graph = new SimGraph;
  TheGraphs().graphs.insert(graph);
  return graph;
}

void DropGraph(SimGraph* graph) {
  ForgetNodes(*graph);
  TheGraphs().graphs.erase(graph);
  delete graph;
}

std::unique_ptr<SimGraph> CloneGraph(const SimGraph& graph) {
  auto clone = std::make_unique<SimGraph>();
  clone->objects = graph.objects;
  std::map<const Node*, Node*> by_original;
  for (const auto& node : graph.nodes) {
    auto copy = std::make_unique<Node>();
    copy->graph = clone.get();
    copy->operation = node->operation;
    copy->original = node.get();
    if (node->child != nullptr) {
      copy->child = CloneGraph(*node->child);
      copy->child->owned = true;
    }
    by_original[node.get()] = copy.get();
    clone->nodes.push_back(std::move(copy));
  }
  for (const auto& node : graph.nodes) {
    for (const Node* need : node->needs) by_original[node.get()]->needs.push_back(by_original[need]);
  }
  RememberNodes(*clone);
  return clone;
}

Node* AddNode(SimGraph& graph, Operation operation, std::vector<Node*> needs) {
  auto node = std::make_unique<Node>();
  node->graph = &graph;
  node->operation = std::move(operation);
  node->needs = std::move(needs);
  TheGraphs().nodes.insert(node.get());
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().get();
}

std::vector<const Node*> InOrder(const SimGraph& graph) {
  std::map<const Node*, std::size_t> open;  // how many of its needs are not in the order yet
  std::map<const Node*, std::vector<const Node*>> dependents;
  for (const auto& node : graph.nodes) {
    open[node.get()] = node->needs.size();
    for (const Node* need : node->needs) dependents[need].push_back(node.get());
  }
  std::vector<const Node*> order;
  for (const auto& node : graph.nodes) {
    if (node->needs.empty()) order.push_back(node.get());
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const Node* dependent : dependents[order[i]]) {
      if (--open[dependent] == 0) order.push_back(dependent);
    }
  }
  if (order.size() != graph.nodes.size()) order.clear();
  return order;
}

}  // namespace mortar::simcuda

using namespace mortar::simcuda;

// NOLINTBEGIN(readability-identifier-naming): the interface's names
MORTAR_SIMCUDA_EXPORT CUresult cuGraphCreate(CUgraph* phGraph, unsigned int flags) {
  if (TheWorld() == nullptr) return CUDA_ERROR_NOT_INITIALIZED;
  if (phGraph == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(TheGraphs().mutex);
  *phGraph = HandleOf<CUgraph>(MakeGraph());
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphDestroy(CUgraph hGraph) {
  const std::lock_guard lock(TheGraphs().mutex);
  SimGraph* graph = FindGraph(hGraph);
  if (graph == nullptr || graph->owned) return CUDA_ERROR_INVALID_VALUE;
  DropGraph(graph);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphClone(CUgraph* phGraphClone, CUgraph originalGraph) {
  const std::lock_guard lock(TheGraphs().mutex);
  const SimGraph* graph = FindGraph(originalGraph);
  if (graph == nullptr || phGraphClone == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SimGraph* clone = CloneGraph(*graph).release();
  TheGraphs().graphs.insert(clone);
  *phGraphClone = HandleOf<CUgraph>(clone);
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeFindInClone(CUgraphNode* phNode, CUgraphNode hOriginalNode,
                                                      CUgraph hClonedGraph) {
  const std::lock_guard lock(TheGraphs().mutex);
  const SimGraph* graph = FindGraph(hClonedGraph);
  const Node* original = FindNode(hOriginalNode);
  if (graph == nullptr || original == nullptr || phNode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Node* found = FindClone(*graph, original);
  if (found == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *phNode = HandleOf<CUgraphNode>(const_cast<Node*>(found));
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphDestroyNode(CUgraphNode hNode) {
  const std::lock_guard lock(TheGraphs().mutex);
  Node* node = FindNode(hNode);
  if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SimGraph& graph = *node->graph;
  for (const auto& other : graph.nodes) std::erase(other->needs, node);
  TheGraphs().nodes.erase(node);
  if (node->child != nullptr) {
    ForgetNodes(*node->child);
    TheGraphs().graphs.erase(node->child.get());
  }
  std::erase_if(graph.nodes, [&](const auto& other) { return other.get() == node; });
  return CUDA_SUCCESS;
}

MORTAR_SIMCUDA_EXPORT CUresult cuGraphGetNodes(CUgraph hGraph, CUgraphNode* nodes, std::size_t* numNodes) {
  return List(hGraph, nodes, numNodes, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphGetRootNodes(CUgraph hGraph, CUgraphNode* rootNodes,
                                                   std::size_t* numRootNodes) {
  return List(hGraph, rootNodes, numRootNodes, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphGetEdges(CUgraph hGraph, CUgraphNode* from, CUgraphNode* to,
                                               std::size_t* numEdges) {
  return Edges(hGraph, from, to, nullptr, numEdges);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphGetEdges_v2(CUgraph hGraph, CUgraphNode* from, CUgraphNode* to,
                                                  void* edgeData, std::size_t* numEdges) {
  return Edges(hGraph, from, to, edgeData, numEdges);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeGetDependencies(CUgraphNode hNode, CUgraphNode* dependencies,
                                                          std::size_t* numDependencies) {
  return Neighbours(hNode, dependencies, nullptr, numDependencies, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeGetDependencies_v2(CUgraphNode hNode, CUgraphNode* dependencies,
                                                             void* edgeData, std::size_t* numDependencies) {
  return Neighbours(hNode, dependencies, edgeData, numDependencies, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeGetDependentNodes(CUgraphNode hNode, CUgraphNode* dependentNodes,
                                                            std::size_t* numDependentNodes) {
  return Neighbours(hNode, dependentNodes, nullptr, numDependentNodes, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode hNode, CUgraphNode* dependentNodes,
                                                               void* edgeData,
                                                               std::size_t* numDependentNodes) {
  return Neighbours(hNode, dependentNodes, edgeData, numDependentNodes, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphAddDependencies(CUgraph hGraph, const CUgraphNode* from,
                                                      const CUgraphNode* to, std::size_t numDependencies) {
  return ChangeEdges(hGraph, from, to, numDependencies, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphAddDependencies_v2(CUgraph hGraph, const CUgraphNode* from,
                                                         const CUgraphNode* to, const void*,
                                                         std::size_t numDependencies) {
  return ChangeEdges(hGraph, from, to, numDependencies, true);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphRemoveDependencies(CUgraph hGraph, const CUgraphNode* from,
                                                         const CUgraphNode* to, std::size_t numDependencies) {
  return ChangeEdges(hGraph, from, to, numDependencies, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphRemoveDependencies_v2(CUgraph hGraph, const CUgraphNode* from,
                                                            const CUgraphNode* to, const void*,
                                                            std::size_t numDependencies) {
  return ChangeEdges(hGraph, from, to, numDependencies, false);
}
MORTAR_SIMCUDA_EXPORT CUresult cuGraphNodeGetType(CUgraphNode hNode, int* type) {
  const std::lock_guard lock(TheGraphs().mutex);
  const Node* node = FindNode(hNode);
  if (node == nullptr || type == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *type = static_cast<int>(node->operation.type);
  return CUDA_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
