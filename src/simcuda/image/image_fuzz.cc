// The readers of module images on arbitrary bytes: never crash, and what they accept has bounded parameters.
// PTX, ELF and fat binaries alike, told apart by their first bytes as programs' images are.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "simcuda/image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar::simcuda;
  const auto image = ReadImage({reinterpret_cast<const char*>(data), size}, 90);
  if (!image) {
    if (image.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const auto& kernel : image->kernels) {
    if (kernel.name.empty()) std::abort();
    for (const auto& parameter : kernel.parameters) {
      if (parameter.offset + parameter.bytes > kMaxParameterBytes) std::abort();
    }
  }
  for (const auto& global : image->globals) {
    if (global.start.size() > global.bytes) std::abort();
  }
  return 0;
}
