// The subcommands of `mortar trace` that read recordings. One thread.
#pragma once

#include <functional>
#include <optional>

#include "mortar/invocation.h"
#include "trace/recording.h"

namespace mortar::cli {

void AddTraceImport(CLI::App& trace, Invocation& invocation);

// Replays a recording alone and compares: |span replayed ÷ span recorded − 1|. Nothing where it cannot be
// replayed.
using SoloReplay = std::function<std::optional<double>(const trace::Recording&)>;

// `replay` may be empty: then nothing is said of a replay.
void AddTraceShow(CLI::App& trace, Invocation& invocation, const SoloReplay& replay);

}  // namespace mortar::cli
