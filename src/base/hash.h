// 64-bit hashes for tables and file checksums. Not cryptographic. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mortar::base {

// Finaliser of SplitMix64 (Steele et al. 2014): a bijection on 64-bit words that mixes every bit.
constexpr std::uint64_t Mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr std::uint64_t Combine(std::uint64_t seed, std::uint64_t value) {
  return Mix(seed + 0x9e3779b97f4a7c15ULL + value * 0xff51afd7ed558ccdULL);
}

// FNV-1a over `size` bytes, finished with Mix.
inline std::uint64_t HashBytes(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
  return Mix(hash);
}

}  // namespace mortar::base
