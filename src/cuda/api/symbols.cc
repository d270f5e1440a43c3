#include "cuda/api/symbols.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace mortar::cuda {
namespace {

struct Row {
  const char* name;
  Class kind;
};
constexpr Row kRows[] = {
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) {#symbol, Class::k##class},
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
};

// Ordered by name, then per-thread, then version.
struct Version {
  std::string_view name;
  bool per_thread;
  int since;
  Symbol symbol;
};
constexpr Version kVersions[] = {
#define MORTAR_CUDA_VERSION(name, per_thread, since, symbol) \
  {#name, (per_thread) != 0, since, Symbol::symbol},
#include "cuda/generated/versions.def"
#undef MORTAR_CUDA_VERSION
};

}  // namespace

const char* NameOf(Symbol symbol) { return kRows[Index(symbol)].name; }

Class ClassOf(Symbol symbol) { return kRows[Index(symbol)].kind; }

Symbol FindSymbol(std::string_view name) {
  const auto* found = std::lower_bound(std::begin(kRows), std::end(kRows), name,
                                       [](const Row& row, std::string_view n) { return row.name < n; });
  return found != std::end(kRows) && found->name == name ? static_cast<Symbol>(found - kRows) : Symbol::kEnd;
}

Symbol SymbolFor(std::string_view name, int version, bool per_thread) {
  const auto* row = std::lower_bound(std::begin(kVersions), std::end(kVersions), name,
                                     [](const Version& v, std::string_view n) { return v.name < n; });
  Symbol legacy = Symbol::kEnd;
  Symbol own = Symbol::kEnd;
  for (; row != std::end(kVersions) && row->name == name; ++row) {
    if (row->since <= version) (row->per_thread ? own : legacy) = row->symbol;
  }
  return per_thread && own != Symbol::kEnd ? own : legacy;
}

int VersionOf(Symbol symbol) {
  const auto* row = std::find_if(std::begin(kVersions), std::end(kVersions),
                                 [&](const Version& v) { return v.symbol == symbol; });
  return row != std::end(kVersions) ? row->since : 0;
}

}  // namespace mortar::cuda
