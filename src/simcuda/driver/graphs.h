// Graphs as programs make them, explicitly or by capture, and what can be launched of them. All of it is
// guarded by one mutex, taken after World::mutex; any thread.
//
// A launch puts the nodes into the stream one after another, in an order that their edges allow: branches of
// a graph do not overlap here, as they may on a device.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "simcuda/driver/work.h"

namespace mortar::simcuda {

struct SimGraph;

struct Node {
  SimGraph* graph = nullptr;
  Operation operation;
  std::vector<Node*> needs;         // must be done before
  std::unique_ptr<SimGraph> child;  // kGraph
  const Node* original = nullptr;   // what it is a clone of, while that lives
};

// A program's object with a destructor of its own, which is called soon after the last owner went: by a
// thread of the driver's, as CUDA does it, so that owners may go anywhere and under any lock.
struct SimObject {
  SimObject(void* its_data, CUhostFn its_destroy, unsigned int its_owned)
      : data(its_data), destroy(its_destroy), owned(its_owned) {}
  ~SimObject();
  SimObject(const SimObject&) = delete;
  void* data = nullptr;
  CUhostFn destroy = nullptr;
  unsigned int owned = 0;  // references that are the program's; guarded by mutex
};
// References that a graph, or what was made ready of it, holds; a copy has as many of its own.
struct HeldObject {
  std::shared_ptr<SimObject> object;
  unsigned int count = 0;
};
using Objects = std::map<SimObject*, HeldObject>;

struct SimGraph {
  std::vector<std::unique_ptr<Node>> nodes;
  Objects objects;
  bool owned = false;  // a node's child: not the program's to destroy
};

// One node of a launch; children are taken apart.
struct Step {
  const Node* node = nullptr;  // for identity alone: it may be gone
  Operation operation;
  bool enabled = true;
};

// What is launched, and what must live until it is done.
struct Launchable {
  std::vector<Step> steps;
  Objects objects;  // also those of children
};

struct SimExec {
  std::shared_ptr<const Launchable> launchable;  // replaced as a whole: a launch may be at work on the old
  unsigned long long flags = 0;
  std::vector<std::vector<std::size_t>>
      shape;  // which earlier steps each step of the graph needs, for updates
  // The last command of its last launch: two launches of one do not overlap.
  CommandId last;
  SimDevice* last_device = nullptr;
};

struct Graphs {
  std::mutex mutex;
  // Guarded by mutex.
  std::unordered_set<SimGraph*> graphs;
  std::unordered_set<Node*> nodes;
  std::unordered_set<SimExec*> execs;
  std::unordered_map<SimObject*, std::shared_ptr<SimObject>> objects;  // of which the program has references
};
// Never destroyed.
Graphs& TheGraphs();

// All below REQUIRES: TheGraphs().mutex held.

SimGraph* FindGraph(CUgraph handle);  // null: none that lives; so the others
Node* FindNode(CUgraphNode handle);
SimExec* FindExec(CUgraphExec handle);

SimGraph* MakeGraph();
void DropGraph(SimGraph* graph);
// A copy with nodes of its own, and as many references to objects.
std::unique_ptr<SimGraph> CloneGraph(const SimGraph& graph);
Node* AddNode(SimGraph& graph, Operation operation, std::vector<Node*> needs);
// In an order in which they can run; empty where edges make a circle.
std::vector<const Node*> InOrder(const SimGraph& graph);

}  // namespace mortar::simcuda
