// When requests arrive: instants in seconds from the start, ascending. Pure; the same seed, the same
// instants.
#pragma once

#include <cstdint>

#include "common/digits.h"

namespace examples {

enum class ArrivalKind { kPoisson, kPeriodic };

class Arrivals {
 public:
  // At `rate` a second.
  Arrivals(ArrivalKind kind, double rate, std::uint64_t seed) : kind_(kind), rate_(rate), random_(seed) {}
  double Next();

 private:
  ArrivalKind kind_;
  double rate_;
  Random random_;
  double now_ = 0;
};

}  // namespace examples
