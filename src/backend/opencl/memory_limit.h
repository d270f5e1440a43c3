// Device memory that the program holds: counted where objects are made and destroyed, refused beyond what
// `--memory` allows, and shown in what the program can query.
#pragma once

#include <CL/cl_icd.h>

namespace mortar::opencl {

// Wraps what stands in `table`; so after all other handlers are in place.
void InstallMemoryLimit(cl_icd_dispatch* table);

}  // namespace mortar::opencl
