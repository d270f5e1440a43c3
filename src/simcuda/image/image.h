// The kernels of a module's image: their names and parameter sizes. Reads PTX text; pure; any thread. What it
// reads is untrusted. Not here: cubin and fatbin, and anything of what kernels do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mortar::simcuda {

struct KernelImage {
  std::string name;
  std::vector<std::uint32_t> parameter_bytes;  // in order
};

// True where `text` begins as PTX does: comments, then a directive .version.
bool LooksLikePtx(std::string_view text);

// Every .entry of PTX text. Errors: kInvalid, one line.
base::Result<std::vector<KernelImage>> ReadPtx(std::string_view text);

}  // namespace mortar::simcuda
