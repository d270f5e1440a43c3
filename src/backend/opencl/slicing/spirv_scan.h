// Reads a SPIR-V module and says whether its kernels can be cut into pieces without the program seeing a
// difference; one answer for all of its kernels. What is not certain makes it kNever: unknown instructions,
// functions imported from elsewhere, modules that break off.
//
// As source_scan.h: neither built-in variables that a piece would answer otherwise, nor atomics, fences or
// volatile memory together with a loop. Pure; any thread.
#pragma once

#include <cstddef>

#include "backend/opencl/slicing/cut.h"

namespace mortar::slicing {

Safety ScanSpirv(const void* module, std::size_t size);

}  // namespace mortar::slicing
