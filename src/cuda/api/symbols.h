// The functions that a CUDA driver exports, as data: names, what Mortar does at each, and which symbol
// cuGetProcAddress means by a name, a version and a stream flag. Made from the headers (tools/cuda).
//
// Pure and constant; any thread. Not the functions themselves: see forwarders.h and src/simcuda.
#pragma once

#include <cstdint>
#include <string_view>

namespace mortar::cuda {

// Every symbol by its name, in the order of names: Symbol::cuInit.
enum class Symbol : int {
// NOLINTBEGIN(readability-identifier-naming): the interface's names
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) symbol,
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
  // NOLINTEND(readability-identifier-naming)
  kEnd,
};
inline constexpr int kSymbols = static_cast<int>(Symbol::kEnd);
constexpr int Index(Symbol symbol) { return static_cast<int>(symbol); }

// What tools/cuda/classes.py says of it, where the words are explained.
enum class Class {
  kPlain,
  kLaunch,
  kTransfer,
  kOrder,
  kCallback,
  kRecord,
  kWait,
  kPoll,
  kCapture,
  kResolve,
  kContext,
  kGraph,
  kBegin,
  kMemory
};
constexpr bool IsSubmit(Class c) { return c >= Class::kLaunch && c <= Class::kRecord; }

const char* NameOf(Symbol symbol);  // NUL-terminated
Class ClassOf(Symbol symbol);
// kEnd: not known.
Symbol FindSymbol(std::string_view name);

// The symbol that a driver of CUDA `version` (as 12000) or later answers for `name`: its newest form
// that is not newer than `version`; the per-thread default stream's where asked for and where there is
// one. kEnd: none.
Symbol SymbolFor(std::string_view name, int version, bool per_thread);
// The version since which `symbol` is known to cuGetProcAddress.
int VersionOf(Symbol symbol);
// Of the headers that the tables were made from: newer drivers may know more.
inline constexpr int kTableVersion = 13000;

}  // namespace mortar::cuda
