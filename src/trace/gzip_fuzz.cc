// Bytes that may be gzip: read whole, in pieces of a size that they choose, or refused with their place.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "trace/byte_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar::trace;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::size_t kEnough = 1 << 20;
  const auto whole = ReadAll(*MemorySource(bytes, "f"), kEnough);
  std::string pieces;
  std::vector<char> piece(static_cast<std::size_t>(data[0]) + 1);
  const auto source = MemorySource(bytes, "f");
  bool failed = false;
  while (pieces.size() <= kEnough) {
    const auto got = source->Read(piece);
    failed = !got;
    if (failed) break;
    pieces.append(piece.data(), *got);
    if (*got < piece.size()) break;
  }
  if (whole && (failed || pieces != *whole)) std::abort();
  return 0;
}
