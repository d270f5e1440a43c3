// The readers of module images on arbitrary bytes: never crash, and what they accept has bounded parameters.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "simcuda/image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  mortar::simcuda::LooksLikePtx(text);
  const auto kernels = mortar::simcuda::ReadPtx(text);
  if (!kernels) return 0;
  for (const auto& kernel : kernels.value()) {
    std::uint64_t all = 0;
    for (const std::uint32_t bytes : kernel.parameter_bytes) all += bytes;
    if (kernel.name.empty() || all > 32'764) std::abort();
  }
  return 0;
}
