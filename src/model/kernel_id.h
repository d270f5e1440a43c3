// Kernel identity: name, grid, block, dynamic shared memory.
//
// Reconstructed: FIKIT's abstract says kernels are identified; by what, its text alone tells. Name and launch
// shape are what every driver API shows and what decides most of a kernel's duration.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace mortar::model {

using KernelId = std::uint64_t;  // 0: none

// Parts of a device that work side by side, each one operation at a time.
enum class Engine : std::uint8_t { kCompute = 0, kCopyIn = 1, kCopyOut = 2 };
inline constexpr int kEngines = 3;
// The copy engines that an operation uses, as a bitmap; several: one of these, and which one is not known.
using Copies = std::uint8_t;
inline constexpr Copies kNoCopies = 0;
inline constexpr Copies kAnyCopies = 0b110;
constexpr Copies CopiesOf(Engine engine) {
  return engine == Engine::kCompute ? kNoCopies : static_cast<Copies>(1U << static_cast<unsigned>(engine));
}

struct LaunchShape {
  std::array<std::uint64_t, 3> grid{1, 1, 1};   // OpenCL: global work size
  std::array<std::uint64_t, 3> block{0, 0, 0};  // OpenCL: local work size, 0 where the driver chooses
  std::uint64_t shared_bytes = 0;               // dynamic shared memory; a copy's or fill's size in bytes
};

// A sum of odd multiples, which the machine computes side by side; to be mixed once.
constexpr std::uint64_t SumShape(const LaunchShape& shape) {
  return shape.grid[0] * 0x9e3779b97f4a7c15ULL + shape.grid[1] * 0xc2b2ae3d27d4eb4fULL +
         shape.grid[2] * 0x165667b19e3779f9ULL + shape.block[0] * 0xd6e8feb86659fd93ULL +
         shape.block[1] * 0xa0761d6478bd642fULL + shape.block[2] * 0xe7037ed1a0b428dbULL +
         shape.shared_bytes * 0x8ebc6af09c88c6e3ULL;
}

// The hash of a name is taken once, when a kernel is created; MakeKernelId then costs a few nanoseconds.
inline std::uint64_t HashName(std::string_view name) { return base::HashBytes(name.data(), name.size()); }

inline KernelId MakeKernelId(std::uint64_t name_hash, const LaunchShape& shape) {
  const KernelId id = base::Mix(name_hash + SumShape(shape));
  return id == 0 ? 1 : id;
}
inline KernelId MakeKernelId(std::string_view name, const LaunchShape& shape) {
  return MakeKernelId(HashName(name), shape);
}

}  // namespace mortar::model
