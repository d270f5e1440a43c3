#include "client/pieces.h"

#include <array>

namespace mortar::client {
namespace {

constexpr std::size_t kSizes = 1024;  // chosen; commands beyond that many are submitted whole
constinit std::array<PieceSize, kSizes> sizes = {};

}  // namespace

std::size_t UnitsWithin(std::int64_t limit_ns, std::size_t known_units, std::int64_t known_ns) {
  const double units = static_cast<double>(known_units) * static_cast<double>(limit_ns) /
                       static_cast<double>(std::max<std::int64_t>(known_ns, 1));
  return static_cast<std::size_t>(std::clamp(units, 1.0, static_cast<double>(kMostUnits)));
}

PieceSize* FindPieceSize(model::KernelId whole) noexcept {
  for (std::size_t i = 0; i < 16; ++i) {
    PieceSize& size = sizes[(whole + i) % kSizes];
    model::KernelId seen = size.whole.load(std::memory_order_relaxed);
    if (seen == whole) return &size;
    if (seen == 0 && (size.whole.compare_exchange_strong(seen, whole) || seen == whole)) return &size;
  }
  return nullptr;
}

}  // namespace mortar::client
