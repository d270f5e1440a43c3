// Quantities as people write them: 100ms, 1.5s, 60s, 30W, 900mW.
//
// Pure; any thread. A number without a unit is refused: a budget in the wrong unit is worse than none.
#pragma once

#include <string_view>

#include "base/result.h"

namespace mortar::plan {

base::Result<double> ParseMilliseconds(std::string_view text);  // us, ms, s, min, h
base::Result<double> ParseWatts(std::string_view text);         // mW, W, kW

}  // namespace mortar::plan
