// Any bytes as a scenario: read or refused, never more.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sim/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto scenario = mortar::sim::ReadScenario({reinterpret_cast<const char*>(data), size}, "scenario");
  if (scenario.ok() && (scenario->clients.empty() || scenario->for_ns < 1'000'000)) __builtin_trap();
  return 0;
}
