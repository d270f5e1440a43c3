// Which programs were made from code that can be read, and what their kernels' code shows: whether they can
// be cut into pieces. Used only where the client asked for that (client::SliceNs). Any thread; not for the
// submit path.
#pragma once

#include <CL/cl_icd.h>

#include <cstdint>

#include "backend/opencl/slicing/cut.h"

namespace mortar::opencl {

// Of the kernel with this name (model::HashName); kNever also where the program came from a binary, from
// linking, or was built with options that say who knows what.
slicing::Safety SafetyOf(cl_program program, std::uint64_t kernel_name_hash) noexcept;

}  // namespace mortar::opencl
