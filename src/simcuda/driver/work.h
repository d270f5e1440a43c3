// What streams are asked to do: submitting, waiting, and letting what has ended take effect. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "simcuda/driver/world.h"

namespace mortar::simcuda {

// CUgraphNodeType.
enum class NodeType : int {
  kKernel = 0,
  kMemcpy = 1,
  kMemset = 2,
  kHost = 3,
  kGraph = 4,
  kEmpty = 5,
  kWaitEvent = 6,
  kRecordEvent = 7,
  kAlloc = 10,
  kFree = 11,
  kMemoryOps = 12,
};

// One thing that a stream is asked to do: once, or as a node of a graph again and again.
struct Operation {
  NodeType type = NodeType::kEmpty;
  Work work;
  std::function<void()> run;    // takes effect when the work is done; kHost: is called when it is due
  std::function<bool()> until;  // kHost, instead of `run`: ends once this answers true
  bool despite_error = false;   // also where an error has stuck to the context
  SimEvent* record = nullptr;   // recorded when it is done
  SimEvent* wait = nullptr;     // its latest record must be done first
  std::shared_ptr<const void> parameters{};  // of the node, by type (graph_nodes.cc)
};

// Puts it into a stream; where that is being captured, into the graph instead. Waits for room. `id`, if not
// null: the command, none in a capture. Errors: of captures, and the error that has stuck.
CUresult Enqueue(SimStream& stream, const Operation& operation, CommandId* id = nullptr);
// Puts it into a stream that is not being captured.
CommandId Submit(const SimStream& stream, const Operation& operation);

// What has ended takes effect now: copies and results become visible. Before any answer that something is
// done.
void Settle(SimDevice& device);
// Blocks until `id` is done and has taken effect. Returns the error that has stuck to the context.
CUresult WaitDone(SimContext& context, CommandId id);
// The same without blocking: CUDA_ERROR_NOT_READY.
CUresult AskDone(SimContext& context, CommandId id);

}  // namespace mortar::simcuda
