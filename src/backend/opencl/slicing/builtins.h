// What the names in OpenCL C source mean for cutting a kernel into pieces. Names that the source defines
// itself are not looked up here.
#pragma once

#include <cstdint>
#include <string_view>

#include "backend/opencl/slicing/cut.h"

namespace mortar::slicing {

enum Trait : std::uint32_t {
  kPlain = 0,
  kForbids = 1 << 0,   // tells a piece from the whole, or nobody can say
  kLocal = 1 << 1,     // depends on which work-groups there are within the piece
  kOrdering = 1 << 2,  // could tell a work-group what another has done: harmless, unless it waits for that
  kLoop = 1 << 3,      // could wait
};

// What the traits of all that a kernel reaches amount to.
Safety Judge(std::uint32_t traits);

// The traits of `name` wherever it stands. Names that begin with two underscores and are not known forbid.
std::uint32_t TraitsOf(std::string_view name);

// Is `name`, before a parenthesis, one of OpenCL C's own: a built-in function, a keyword, a type's
// constructor?
bool IsKnownCall(std::string_view name);
// Written as constants are, in capitals: no function of OpenCL C's.
bool IsConstant(std::string_view name);
// A scalar, vector, image or sampler type.
bool IsType(std::string_view name);

}  // namespace mortar::slicing
