#include "serve/arrivals.h"

#include <cmath>

#include "common/digits.h"

namespace examples {

std::vector<double> PlanArrivals(ArrivalKind kind, double rate, int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> arrivals;
  arrivals.reserve(static_cast<std::size_t>(count));
  double now = 0;
  for (int i = 0; i < count; ++i) {
    now += kind == ArrivalKind::kPeriodic ? 1.0 / rate : -std::log1p(-random.Uniform()) / rate;
    arrivals.push_back(now);
  }
  return arrivals;
}

}  // namespace examples
