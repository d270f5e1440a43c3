// The duration table's parser on arbitrary bytes: never crashes, and what it accepts stays within its bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "emulated/table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar::emulated;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = Table::Parse(text, "fuzz");
  if (!table) return 0;
  for (const std::string_view name : {std::string_view("conv_1"), text.substr(0, 40)}) {
    const std::int64_t ns = KernelNs(*table, table->RuleFor(name), 1, size, size);
    if (ns < 0 || ns > 10'000'000'000) std::abort();
  }
  if (table->TransferNs(size) < 0 || table->device.empty()) std::abort();
  return 0;
}
