// Kernel lengths as CSV, beside a description's [[kernel]] entries: tables written by hand, and what
// profilers export. Parsing, pure; any thread. Not recordings to replay (src/trace): only how long which
// kernel lasts.
//
//   name,grid,us,occupancy             the first line names the columns, in any order; case does not matter
//   gemm_*,64x2x1,185,0.5
//   "void relu<float, 4>(float*)",,3.5,
//
// Columns that are read; others are ignored, since profilers export many:
//   name                               as in [[kernel]]: `*` any run of characters, `?` any one
//   us or ns; else Duration, Duration (ns), Med (ns), Median (ns), Avg (ns)
//   grid or GridXYZ (64, 64x2, 64 2 1, absent or empty: of any); else GrdX, GrdY and GrdZ
//   ns_per_block, occupancy, error     as in [[kernel]]; an empty cell: as [default] says
//
// Lines of one name and grid are launches of one kernel, whose length is their median (of an even number the
// greater of the middle two). Names that begin with "[CUDA " are copies and fills of a profiler's export:
// skipped.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "simcuda/device/description.h"

namespace mortar::simcuda {

// In the file's order. Errors: kInvalid, with a message "FILE:LINE: what is wrong".
base::Result<std::vector<KernelRule>> ParseDurations(std::string_view text, std::string_view file,
                                                     const KernelRule& fallback);

}  // namespace mortar::simcuda
