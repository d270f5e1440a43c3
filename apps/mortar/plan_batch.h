// The subcommands of `mortar plan`. One thread.
#pragma once

#include "mortar/invocation.h"

namespace mortar::cli {

void AddPlanBatch(CLI::App& plan, Invocation& invocation);
void AddPlanEval(CLI::App& plan, Invocation& invocation);

}  // namespace mortar::cli
