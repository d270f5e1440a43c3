// Kernel identity: name, grid, block, dynamic shared memory.
//
// Reconstructed: FIKIT's abstract says kernels are identified; by what, its text alone tells. Name and launch shape
// are what every driver API shows and what decides most of a kernel's duration.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace mortar::model {

using KernelId = std::uint64_t;  // 0: none

struct LaunchShape {
  std::array<std::uint64_t, 3> grid{1, 1, 1};    // OpenCL: global work size
  std::array<std::uint64_t, 3> block{0, 0, 0};   // OpenCL: local work size, 0 where the driver chooses
  std::uint64_t shared_bytes = 0;                // dynamic shared memory; a copy's or fill's size in bytes
};

constexpr std::uint64_t HashShape(const LaunchShape& shape) {
  std::uint64_t hash = shape.shared_bytes;
  for (const auto v : shape.grid) hash = base::Combine(hash, v);
  for (const auto v : shape.block) hash = base::Combine(hash, v);
  return hash;
}

inline KernelId MakeKernelId(std::string_view name, const LaunchShape& shape) {
  const KernelId id = base::Combine(base::HashBytes(name.data(), name.size()), HashShape(shape));
  return id == 0 ? 1 : id;
}

}  // namespace mortar::model
