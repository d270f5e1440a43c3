// The handlers of all functions that are not merely forwarded, by their internal names: mortar_cuLaunchKernel
// and so on. Exported under the driver's names by entries.S; handed out by resolve.cc; called by tests.
#pragma once

#include "cuda/api/types.h"

// NOLINTBEGIN(bugprone-macro-parentheses)
#define MORTAR_CUDA_DECLARE_Plain(symbol, parameters)
#define MORTAR_CUDA_DECLARE(symbol, parameters) extern "C" CUresult mortar_##symbol parameters noexcept;
#define MORTAR_CUDA_DECLARE_Launch MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Transfer MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Order MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Callback MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Record MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Wait MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Poll MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Capture MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Resolve MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Context MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Graph MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Begin MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_DECLARE_Memory MORTAR_CUDA_DECLARE
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) \
  MORTAR_CUDA_DECLARE_##class(symbol, parameters)
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
// NOLINTEND(bugprone-macro-parentheses)
