// Where the program gets functions of the driver and kernels of its own: ours are handed out in the driver's
// place, names are noted.
#include <string>

#include "backend/cuda/functions.h"
#include "backend/cuda/handlers.h"
#include "backend/cuda/places.h"
#include "backend/cuda/submit.h"
#include "base/log.h"

namespace mortar::cuda {
namespace {

// The handler of `symbol`; null where it is only forwarded.
void* HandlerOf(Symbol symbol) {
  static void* const kHandlers[kSymbols] = {
#define MORTAR_CUDA_ADDRESS_Plain(symbol) nullptr
#define MORTAR_CUDA_ADDRESS(symbol) (reinterpret_cast<void*>(&mortar_##symbol))
#define MORTAR_CUDA_ADDRESS_Launch MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Transfer MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Order MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Callback MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Record MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Wait MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Poll MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Capture MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Resolve MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Context MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Graph MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Begin MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_ADDRESS_Memory MORTAR_CUDA_ADDRESS
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) MORTAR_CUDA_ADDRESS_##class(symbol),
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
  };
  return kHandlers[Index(symbol)];
}

// Which symbol the driver handed out as `function`, asked for `name` in `version`. kEnd: not known to Mortar.
Symbol Recognise(std::string_view name, int version, unsigned long long flags, void* function) {
  const bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
  const Symbol symbol = SymbolFor(name, version, per_thread);
  if (symbol == Symbol::kEnd) return symbol;
  // A program built for a newer CUDA than these tables may have been given a newer form,
  // with other parameters.
  if (version <= kTableVersion || FindReal(symbol) == function) return symbol;
  if (IsSubmit(ClassOf(symbol))) {
    base::LogOnce("newer", std::string("the driver has a newer ") + NameOf(symbol) +
                               " than this Mortar knows: such calls are not scheduled; update Mortar");
  }
  return Symbol::kEnd;
}

void Replace(const char* name, void** function, int version, unsigned long long flags) {
  if (name == nullptr || function == nullptr || *function == nullptr || CurrentMode() == Mode::kPassing)
    return;
  const Symbol symbol = Recognise(name, version, flags, *function);
  void* handler = symbol != Symbol::kEnd ? HandlerOf(symbol) : nullptr;
  if (handler != nullptr) *function = handler;
}

}  // namespace

MORTAR_CUDA_HANDLER(cuGetProcAddress)
(const char* name, void** function, int version, unsigned long long flags) noexcept {
  const CUresult status = Real<Symbol::cuGetProcAddress>()(name, function, version, flags);
  if (status == CUDA_SUCCESS) Replace(name, function, version, flags);
  return status;
}

MORTAR_CUDA_HANDLER(cuGetProcAddress_v2)
(const char* name, void** function, int version, unsigned long long flags, int* answer) noexcept {
  const CUresult status = Real<Symbol::cuGetProcAddress_v2>()(name, function, version, flags, answer);
  if (status == CUDA_SUCCESS) Replace(name, function, version, flags);
  return status;
}

MORTAR_CUDA_HANDLER(cuModuleGetFunction)(CUfunction* function, CUmodule module, const char* name) noexcept {
  const CUresult status = Real<Symbol::cuModuleGetFunction>()(function, module, name);
  if (status == CUDA_SUCCESS && function != nullptr && Active()) LearnFunction(*function, name);
  return status;
}

MORTAR_CUDA_HANDLER(cuModuleEnumerateFunctions)
(CUfunction* functions, unsigned int count, CUmodule module) noexcept {
  const CUresult status = Real<Symbol::cuModuleEnumerateFunctions>()(functions, count, module);
  if (status != CUDA_SUCCESS || functions == nullptr || !Active()) return status;
  unsigned int held = 0;
  if (Real<Symbol::cuModuleGetFunctionCount>()(&held, module) != CUDA_SUCCESS) return status;
  for (unsigned int i = 0; i < count && i < held; ++i) LearnFunction(functions[i], nullptr);
  return status;
}

MORTAR_CUDA_HANDLER(cuLibraryGetKernel)(CUkernel* kernel, CUlibrary library, const char* name) noexcept {
  const CUresult status = Real<Symbol::cuLibraryGetKernel>()(kernel, library, name);
  if (status == CUDA_SUCCESS && kernel != nullptr && Active()) LearnKernel(*kernel, name);
  return status;
}

MORTAR_CUDA_HANDLER(cuLibraryEnumerateKernels)
(CUkernel* kernels, unsigned int count, CUlibrary library) noexcept {
  const CUresult status = Real<Symbol::cuLibraryEnumerateKernels>()(kernels, count, library);
  if (status != CUDA_SUCCESS || kernels == nullptr || !Active()) return status;
  unsigned int held = 0;
  if (Real<Symbol::cuLibraryGetKernelCount>()(&held, library) != CUDA_SUCCESS) return status;
  for (unsigned int i = 0; i < count && i < held; ++i) LearnKernel(kernels[i], nullptr);
  return status;
}

MORTAR_CUDA_HANDLER(cuKernelGetFunction)(CUfunction* function, CUkernel kernel) noexcept {
  const CUresult status = Real<Symbol::cuKernelGetFunction>()(function, kernel);
  if (status != CUDA_SUCCESS || function == nullptr || !Active()) return status;
  LearnAlias(*function, kernel);
  return status;
}

}  // namespace mortar::cuda
