// Packing of Header::fill_until. Pure.
#pragma once

#include <cstdint>

#include "board/layout.h"

namespace mortar::board {

struct FillWord {
  int slot = 0;
  std::uint32_t sequence = 0;  // modulo 512
  std::int64_t until_ns = 0;   // rounded up to 64 ns
  bool floor = false;          // it went by its floor, and not because it fitted
};

constexpr std::uint64_t PackFill(const FillWord& word) {
  const auto units = (static_cast<std::uint64_t>(word.until_ns) + 63) >> kFillUnitShift;
  return (static_cast<std::uint64_t>(word.slot & 63) << 58) | (std::uint64_t{word.floor} << 57) |
         (static_cast<std::uint64_t>(word.sequence & 511) << kFillTimeBits) |
         (units & ((std::uint64_t{1} << kFillTimeBits) - 1));
}

constexpr FillWord UnpackFill(std::uint64_t packed) {
  return {static_cast<int>(packed >> 58), static_cast<std::uint32_t>(packed >> kFillTimeBits) & 511,
          static_cast<std::int64_t>((packed & ((std::uint64_t{1} << kFillTimeBits) - 1)) << kFillUnitShift),
          ((packed >> 57) & 1) != 0};
}

}  // namespace mortar::board
