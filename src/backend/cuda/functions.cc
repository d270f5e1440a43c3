#include "backend/cuda/functions.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include "base/handle_map.h"
#include "base/hash.h"
#include "model/kernel_id.h"

namespace mortar::cuda {
namespace {

constinit base::HandleMap<Function> functions;
constinit base::HandleMap<Function> graphs;
constinit std::atomic<int> graphs_made{0};
// Which handles are CUkernels, so that the driver is not asked about them as functions.
constinit base::HandleMap<Function> kernels;

Function* Make(const char* name) {
  auto* made = new (std::nothrow) Function;
  if (made == nullptr) return nullptr;
  const std::size_t size = std::strlen(name);
  made->name_hash = model::HashName({name, size});
  made->name_size = static_cast<std::uint8_t>(std::min(size, sizeof made->name - 1));
  std::memcpy(made->name, name, made->name_size);
  return made;
}

// Names since CUDA 12.3; before, those under which functions were looked up.
const char* AskName(const void* handle, bool is_kernel) {
  const char* name = nullptr;
  const bool known =
      is_kernel ? Real<Symbol::cuKernelGetName>()(&name, static_cast<CUkernel>(const_cast<void*>(handle))) ==
                      CUDA_SUCCESS
                : Real<Symbol::cuFuncGetName>()(&name, static_cast<CUfunction>(const_cast<void*>(handle))) ==
                      CUDA_SUCCESS;
  return known && name != nullptr ? name : nullptr;
}

Function* Learn(const void* handle, const char* name) {
  Function* old = functions.Find(handle);
  if (old != nullptr && old->name_hash == model::HashName(name)) return old;
  Function* made = Make(name);
  if (made != nullptr) functions.Put(handle, made);
  return made;
}

}  // namespace

Function* FindFunction(const void* handle) noexcept { return functions.Find(handle); }

void LearnFunction(const void* handle, const char* name) noexcept {
  if (handle == nullptr) return;
  if (name == nullptr) name = AskName(handle, false);
  if (name == nullptr) name = AskName(handle, true);
  Learn(handle, name != nullptr ? name : "kernel");
}

void LearnKernel(CUkernel kernel, const char* name) noexcept {
  if (kernel == nullptr) return;
  if (name == nullptr) name = AskName(kernel, true);
  if (name == nullptr) return;
  if (Function* made = Learn(kernel, name)) kernels.Put(kernel, made);
}

void LearnAlias(CUfunction handle, CUkernel kernel) noexcept {
  if (handle == nullptr || functions.Find(handle) != nullptr) return;
  if (Function* known = functions.Find(kernel)) {
    functions.Put(handle, known);
  } else {
    LearnFunction(handle, nullptr);
  }
}

Function* FindGraph(CUgraphExec handle) noexcept {
  if (Function* known = graphs.Find(handle)) return known;
  Function* made = Make("graph");
  if (made != nullptr) graphs.Put(handle, made);
  return made;
}

void LearnGraph(CUgraphExec handle, CUgraph source) noexcept {
  if (handle == nullptr) return;
  std::size_t nodes = 0;
  Real<Symbol::cuGraphGetNodes>()(source, nullptr, &nodes);
  char name[64];
  std::snprintf(name, sizeof name, "graph %d (%zu nodes)", graphs_made.fetch_add(1) + 1, nodes);
  Function* made = Make(name);
  if (made != nullptr) graphs.Put(handle, made);
}

namespace {

const Parameters* AskParameters(Function& function, const void* handle) {
  auto* asked = new (std::nothrow) Parameters;
  if (asked == nullptr) return nullptr;
  const bool is_kernel = kernels.Find(handle) != nullptr;
  for (; asked->count < Parameters::kMost; ++asked->count) {
    std::size_t offset = 0;
    std::size_t size = 0;
    auto* mutable_handle = const_cast<void*>(handle);
    const CUresult status = is_kernel
                                ? Real<Symbol::cuKernelGetParamInfo>()(static_cast<CUkernel>(mutable_handle),
                                                                       asked->count, &offset, &size)
                                : Real<Symbol::cuFuncGetParamInfo>()(static_cast<CUfunction>(mutable_handle),
                                                                     asked->count, &offset, &size);
    if (status != CUDA_SUCCESS) break;
    // Up to four bytes: a number, never a pointer.
    asked->sizes[asked->count] = static_cast<std::uint8_t>(size <= 4 ? size : 0);
  }
  const Parameters* expected = nullptr;
  if (function.parameters.compare_exchange_strong(expected, asked)) return asked;
  delete asked;
  return expected;
}

}  // namespace

std::uint64_t HashArguments(Function& function, const void* handle, void** arguments) noexcept {
  const Parameters* parameters =
      function.parameters.load(std::memory_order_acquire);  // pairs with AskParameters
  if (parameters == nullptr) parameters = AskParameters(function, handle);
  if (parameters == nullptr || arguments == nullptr) return 0;
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < parameters->count; ++i) {
    if (parameters->sizes[i] == 0 || arguments[i] == nullptr) continue;
    std::uint32_t word = 0;
    std::memcpy(&word, arguments[i], parameters->sizes[i]);
    hash ^= base::Mix((std::uint64_t{i + 1} << 32) | word);
  }
  return hash;
}

}  // namespace mortar::cuda
