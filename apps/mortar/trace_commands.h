// The subcommands of `mortar trace` that read recordings. One thread.
#pragma once

#include <functional>
#include <optional>

#include "mortar/invocation.h"
#include "mortar/show_report.h"
#include "trace/recording.h"

namespace mortar::cli {

void AddTraceImport(CLI::App& trace, Invocation& invocation);

// What a replay of a recording alone says of it; nothing where it cannot be replayed.
struct SoloReport {
  std::optional<Replayed> replay;
  // Share of its profiler steps that Mortar finds by itself in what is submitted; nothing below three steps.
  std::optional<double> steps_found;
};
using SoloReplay = std::function<SoloReport(const trace::Recording&)>;

// `replay` may be empty: then nothing is said of a replay.
void AddTraceShow(CLI::App& trace, Invocation& invocation, const SoloReplay& replay);

}  // namespace mortar::cli
