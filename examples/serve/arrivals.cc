#include "serve/arrivals.h"

#include <cmath>

namespace examples {

double Arrivals::Next() {
  now_ += kind_ == ArrivalKind::kPeriodic ? 1.0 / rate_ : -std::log1p(-random_.Uniform()) / rate_;
  return now_;
}

}  // namespace examples
