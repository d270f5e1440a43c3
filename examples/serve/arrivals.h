// When requests arrive: instants in seconds from the start, ascending. Pure; the same seed, the same
// instants.
#pragma once

#include <cstdint>
#include <vector>

namespace examples {

enum class ArrivalKind { kPoisson, kPeriodic };

// `count` arrivals at `rate` a second.
std::vector<double> PlanArrivals(ArrivalKind kind, double rate, int count, std::uint64_t seed);

}  // namespace examples
