#include "plan/csv_units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace mortar::plan {
namespace {

constexpr double kAgainstMedian = 300;  // chosen: between a real range (50 in our tables) and a slip (1000)
constexpr double kAgainstNeighbours = 100;
constexpr std::size_t kMostNeighbourModes = 3000;  // the neighbour search is quadratic

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Modes that differ from a mode in one knob alone.
std::vector<std::vector<std::size_t>> Neighbours(const Table& table) {
  std::vector<std::vector<std::size_t>> lists(table.modes.size());
  if (table.modes.size() > kMostNeighbourModes) return lists;
  for (std::size_t a = 0; a < table.modes.size(); ++a) {
    for (std::size_t b = a + 1; b < table.modes.size(); ++b) {
      int different = 0;
      for (std::size_t k = 0; k < table.knobs.size() && different < 2; ++k) {
        if (table.modes[a][k] != table.modes[b][k]) ++different;
      }
      if (different == 1) {
        lists[a].push_back(b);
        lists[b].push_back(a);
      }
    }
  }
  return lists;
}

bool Off(double value, double reference, double factor) {
  return value > reference * factor || value < reference / factor;
}

}  // namespace

std::optional<MixedUnit> FindMixedUnits(const Table& table) {
  const std::size_t modes = table.modes.size();
  const auto neighbours = Neighbours(table);
  for (std::size_t s = 0; s < table.series.size(); ++s) {
    const Series& one = table.series[s];
    if (one.role == Role::kIdle) continue;
    for (std::size_t b = 0; b < one.batches.size(); ++b) {
      for (const bool power : {false, true}) {
        const auto& column = power ? one.power_w : one.time_ms;
        std::vector<double> present;
        for (std::size_t m = 0; m < modes; ++m) {
          if (!std::isnan(column[b * modes + m])) present.push_back(column[b * modes + m]);
        }
        if (present.size() < 3) continue;
        const double median = Median(std::move(present));
        for (std::size_t m = 0; m < modes; ++m) {
          const double value = column[b * modes + m];
          if (std::isnan(value)) continue;
          std::vector<double> near;
          for (std::size_t other : neighbours[m]) {
            if (!std::isnan(column[b * modes + other])) near.push_back(column[b * modes + other]);
          }
          double reference = median;
          bool off = Off(value, median, kAgainstMedian);
          if (!off && near.size() >= 2) {
            reference = Median(std::move(near));
            off = Off(value, reference, kAgainstNeighbours);
          }
          if (!off) continue;
          const char* unit = power ? "power_w" : "time_ms";
          const char* likely = power ? (value > reference ? "milliwatts" : "kilowatts")
                                     : (value > reference ? "microseconds" : "seconds");
          return MixedUnit{
              s, b * modes + m,
              fmt::format("{} {} beside about {} for the same workload and batch; is it in {}? Use one "
                          "unit throughout",
                          unit, value, reference, likely)};
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace mortar::plan
