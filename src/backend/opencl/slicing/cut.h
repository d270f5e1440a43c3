// How a range of work-items is cut into pieces that together cover it: along one dimension, at whole
// work-groups. Pure arithmetic; any thread.
//
// OpenCL: a piece is the same kernel over a part of the range with a global offset. It sees the same global
// and local ids; what else it could see, and so must not ask for, is source_scan.h's and spirv_scan.h's
// business.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mortar::slicing {

// What a kernel's code shows.
enum class Safety : std::uint8_t {
  kNever,          // it could tell, or nobody can say
  kWithLocalSize,  // only where the program gives the local size: it looks at its place in the work-group
  kAlways,
};

struct Range {
  unsigned dimensions = 1;  // 1 to 3
  std::array<std::size_t, 3> offset{0, 0, 0};
  std::array<std::size_t, 3> global{1, 1, 1};
  std::array<std::size_t, 3> local{1, 1, 1};
  bool has_local = false;
};

struct Cutting {
  unsigned axis = 0;
  std::size_t unit = 1;   // work-items along the axis that stay together
  std::size_t units = 0;  // below 2: not to be cut
  bool ragged = false;    // the last unit is larger: what is left of the range over whole units goes with it
};

// Along which dimension, and in which units. The driver's own choice of local size is left alone by cutting
// at multiples that any device's work-groups divide.
Cutting FindCutting(const Range& range, Safety safety);

// The part of `range` from unit `first` on, `count` units long. REQUIRES: count > 0, first + count <= units.
Range PieceOf(const Range& range, const Cutting& cutting, std::size_t first, std::size_t count);

}  // namespace mortar::slicing
