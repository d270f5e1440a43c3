// The log-linear pieces of `gmd`'s model: the effect of each dimension on times and powers.
//
// Pure values; one owner at a time. Included by gmd_strategy.cc alone.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "plan/problem.h"

namespace mortar::plan {

inline constexpr int kParts = 4;  // t_in, p_in, t_bg, p_bg

using Parts = std::array<double, kParts>;

inline Parts LogsOf(const Sample& sample) {
  const auto log_of = [](double value) { return value > 0 && value < kNoLimit ? std::log(value) : 0.0; };
  return {log_of(sample.t_in), log_of(sample.p_in), log_of(sample.t_bg), log_of(sample.p_bg)};
}

// One dimension: a knob, the batch, or the background's batch. Its effect is piecewise linear through what
// was measured along it, relative to the start.
struct Axis {
  std::vector<double> places;  // of each value, logarithmic where possible
  std::vector<int> known;      // measured values, ascending, the start included
  std::vector<Parts> effects;  // of the known
  std::vector<Parts> factors;  // of every value, exponentiated

  void Learn(int value, const Parts& effect) {
    const auto at = std::lower_bound(known.begin(), known.end(), value) - known.begin();
    known.insert(known.begin() + at, value);
    effects.insert(effects.begin() + at, effect);
    Refresh();
  }

  void Refresh() {
    factors.assign(places.size(), Parts{1, 1, 1, 1});
    if (known.size() < 2) return;
    for (std::size_t v = 0; v < places.size(); ++v) {
      auto right = static_cast<std::size_t>(
          std::lower_bound(known.begin(), known.end(), static_cast<int>(v)) - known.begin());
      right = std::clamp(right, std::size_t{1}, known.size() - 1);
      const double x0 = places[static_cast<std::size_t>(known[right - 1])];
      const double x1 = places[static_cast<std::size_t>(known[right])];
      const double part = (places[v] - x0) / (x1 - x0);
      for (std::size_t q = 0; q < kParts; ++q) {
        factors[v][q] = std::exp(effects[right - 1][q] + part * (effects[right][q] - effects[right - 1][q]));
      }
    }
  }
};

inline std::vector<double> PlacesOf(const std::vector<double>& values) {
  std::vector<double> places;
  for (std::size_t i = 0; i < values.size(); ++i) {
    places.push_back(values.front() > 0 ? std::log(values[i]) : static_cast<double>(i));
  }
  return places;
}

}  // namespace mortar::plan
