// Unpacking what compilers packed, by the libraries of those formats, which are opened when first needed. Any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mortar::simcuda {

enum class Packing { kLz4, kZstd };

// Exactly `bytes` bytes. Errors: kInvalid, the data is damaged; kNotFound, the library is not installed.
base::Result<std::string> Unpack(Packing packing, std::string_view data, std::size_t bytes);

}  // namespace mortar::simcuda
