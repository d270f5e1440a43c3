// Prometheus' text format of what boards say. Pure; any thread.
//
// Names follow Prometheus' conventions: base units (seconds, ratios), counters end in _total. Counters start
// at 0 when a client joins.
#pragma once

#include <string>

#include "mortar/watch.h"

namespace mortar::cli {

inline constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

std::string ToMetrics(const Sample& sample);

}  // namespace mortar::cli
