// The reader of kernel lengths on arbitrary bytes: never crashes, what it accepts stays within its bounds,
// and what it refuses is one line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "simcuda/device/durations.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar::simcuda;
  const auto rules =
      ParseDurations(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz", KernelRule{});
  if (!rules) {
    if (rules.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const KernelRule& rule : *rules) {
    const std::int64_t ns = KernelNs(rule, rule.grid);
    const bool within = ns >= 1 && ns <= 10'000'000'000 && rule.occupancy_permille >= 1 &&
                        rule.occupancy_permille <= 1000 && rule.error >= 0 && rule.error < 1000 &&
                        rule.grid[0] >= 1 && rule.grid[1] >= 1 && rule.grid[2] >= 1 && !rule.glob.empty();
    if (!within) std::abort();
  }
  return 0;
}
