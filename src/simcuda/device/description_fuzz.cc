// The device description's parser on arbitrary bytes: never crashes, what it accepts stays within its bounds,
// and what it refuses is one line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "simcuda/device/description.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar::simcuda;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto device = Description::Parse(text, "fuzz");
  if (!device) {
    if (device.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const std::string_view name : {std::string_view("gemm_1"), text.substr(0, 40)}) {
    const Grid grid{static_cast<std::uint32_t>(size) + 1, 0xffffffffU, 1};
    const std::int64_t ns = KernelNs(device->RuleFor(name, grid), grid);
    if (ns < 1 || ns > 10'000'000'000) std::abort();
  }
  const std::int64_t copy_ns = device->CopyNs(CopyDirection::kHostToDevice, ~std::uint64_t{0});
  if (copy_ns < 0 || copy_ns > 10'000'000'000 || device->slice_ns < 1000 || device->memory_bytes == 0)
    std::abort();
  return 0;
}
