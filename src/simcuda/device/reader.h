// TOML text to a Description: for description.cc alone, so that toml++ is seen by one file.
#pragma once

#include <string_view>

#include "simcuda/device/description.h"

namespace mortar::simcuda {

// As Description::Parse.
base::Result<Description> ReadDescription(std::string_view text, std::string_view file);

}  // namespace mortar::simcuda
