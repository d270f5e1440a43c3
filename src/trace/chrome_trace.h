// Writes a timeline as a Chrome JSON trace, which https://ui.perfetto.dev and chrome://tracing open.
//
// One process track a client; in it threads: requests, host (submits and waits), gate (held submits), device
// (kernels, fills marked), gaps; and a counter of its harm. Events ascend by time; none overlaps another in
// its thread. Pure but for the sink.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "trace/output_file.h"
#include "trace/spool.h"
#include "trace/timeline.h"

namespace mortar::trace {

// What a number in the `detail` of a held submit means (policy::ReasonName, which lies above this library).
using ReasonNamer = const char* (*)(std::uint32_t detail);

// REQUIRES: `timeline` was built from `clients`. Errors: the sink's.
base::Status WriteChromeTrace(const std::vector<Client>& clients, const Timeline& timeline,
                              ReasonNamer reason, TextSink* sink);

}  // namespace mortar::trace
