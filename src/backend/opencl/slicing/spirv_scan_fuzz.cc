// Arbitrary bytes as a SPIR-V module; what is found safe must not be where a decoration says that it asks for
// its group.
#include <cstdint>
#include <cstring>
#include <vector>

#include "backend/opencl/slicing/spirv_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mortar::slicing::Safety;
  using mortar::slicing::ScanSpirv;
  if (ScanSpirv(data, size) == Safety::kNever) return 0;
  std::vector<std::uint32_t> words(size / 4);
  std::memcpy(words.data(), data, words.size() * 4);
  for (const std::uint32_t word : {(4U << 16) | 71, 1U, 11U, 26U}) words.push_back(word);
  if (ScanSpirv(words.data(), words.size() * 4) != Safety::kNever) __builtin_trap();
  return 0;
}
