// Reading structures out of untrusted bytes. Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace mortar::simcuda {

// The T that lies at `offset`. False: it does not lie inside.
template <typename T>
bool ReadAt(std::string_view bytes, std::uint64_t offset, T* out) {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) return false;
  std::memcpy(out, bytes.data() + offset, sizeof(T));
  return true;
}

// The bytes from `offset` on, `count` of them, where they lie inside; else none.
inline std::string_view PartOf(std::string_view bytes, std::uint64_t offset, std::uint64_t count) {
  if (offset > bytes.size() || count > bytes.size() - offset) return {};
  return bytes.substr(offset, count);
}

}  // namespace mortar::simcuda
