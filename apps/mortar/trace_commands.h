// The subcommands of `mortar trace` that read recordings. One thread.
#pragma once

#include <functional>
#include <optional>

#include "mortar/invocation.h"
#include "mortar/show_report.h"
#include "trace/recording.h"

namespace mortar::cli {

void AddTraceImport(CLI::App& trace, Invocation& invocation);

// Replays a recording alone and compares. Nothing where it cannot be replayed.
using SoloReplay = std::function<std::optional<Replayed>(const trace::Recording&)>;

// `replay` may be empty: then nothing is said of a replay.
void AddTraceShow(CLI::App& trace, Invocation& invocation, const SoloReplay& replay);

}  // namespace mortar::cli
