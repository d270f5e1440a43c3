// Parameters of graph nodes, as the interface has them, made into operations (graph_nodes.cc). Any thread;
// the graphs' mutex is not held. Errors: those of the calls that take such parameters.
#pragma once

#include "simcuda/driver/graphs.h"

namespace mortar::simcuda {

CUresult MakeKernelNode(const void* params, bool v2, Operation* operation);
CUresult MakeCopyNode(const CUDA_MEMCPY3D* copy, CUcontext context, Operation* operation);
CUresult MakeFillNode(const void* params, CUcontext context, Operation* operation);
CUresult MakeHostNode(const void* params, Operation* operation);
CUresult MakeEventNode(CUevent event, bool record, Operation* operation);

}  // namespace mortar::simcuda
