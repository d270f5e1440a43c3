// From request times to what is reported of them. Pure; any thread.
#pragma once

#include <vector>

#include "sim/pair.h"

namespace mortar::sim {

inline constexpr std::uint64_t kRequestsForP99 = 1000;

// The sample at share `q` of the sorted values (nearest rank). REQUIRES: not empty.
double QuantileOf(const std::vector<double>& sorted, double q);

// Sets what `row` says of the holder: each request's time over the same request's alone (`alone_ns`, by
// number). What there are too few requests for stays NaN: p99s under kRequestsForP99. Windows: means of 100
// consecutive requests after 20 of warm-up.
void Judge(const ClientResult& holder, const std::vector<double>& alone_ns, double max_slowdown, Row* row);

// Instants of the holder's requests, from the start of learning.
base::Result<std::vector<Ns>> MakeArrivalInstants(const PairOptions& options, double solo_rate);

std::string ProgramName(const std::string& path);

}  // namespace mortar::sim
