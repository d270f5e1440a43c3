// A simulated run as a timeline that ui.perfetto.dev opens. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sim/run.h"

namespace mortar::cli {

// REQUIRES: the run kept its trace; names and priorities are by client of the run. Errors: OutputFile's.
base::Status WriteTimeline(const sim::RunResult& run, const std::vector<std::string>& names,
                           const std::vector<int>& priorities, const std::string& policy,
                           const std::string& path);

}  // namespace mortar::cli
