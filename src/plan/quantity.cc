#include "plan/quantity.h"

#include <charconv>
#include <cmath>
#include <span>
#include <string>
#include <utility>

namespace mortar::plan {
namespace {

using Unit = std::pair<std::string_view, double>;

base::Result<double> Parse(std::string_view text, std::span<const Unit> units, const char* example) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(result.ptr, static_cast<std::size_t>(text.data() + text.size() - result.ptr));
  if (result.ec == std::errc() && value > 0 && std::isfinite(value)) {
    for (const auto& [name, factor] : units) {
      if (unit == name) return value * factor;
    }
  }
  return base::Error{base::Code::kInvalid, "'" + std::string(text.substr(0, 60)) +
                                               "': a positive number with its unit, as " + example};
}

}  // namespace

base::Result<double> ParseMilliseconds(std::string_view text) {
  static constexpr Unit kUnits[] = {{"us", 1e-3}, {"ms", 1}, {"s", 1e3}, {"min", 6e4}, {"h", 3.6e6}};
  return Parse(text, kUnits, "100ms or 60s");
}

base::Result<double> ParseWatts(std::string_view text) {
  static constexpr Unit kUnits[] = {{"mW", 1e-3}, {"W", 1}, {"kW", 1e3}};
  return Parse(text, kUnits, "30W");
}

}  // namespace mortar::plan
