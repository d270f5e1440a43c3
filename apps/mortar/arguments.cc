#include "mortar/arguments.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "board/view.h"

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;

Error Invalid(std::string_view text, const std::string& rest) {
  return {Code::kInvalid, "\"" + board::CleanText(text) + "\" " + rest};
}

struct Quantity {
  double value;
  std::string_view unit;  // what follows the number, spaces between them removed
};

// A decimal number without sign, exponent, "inf" or "nan", and its unit.
std::optional<Quantity> ReadQuantity(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  Quantity quantity{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, quantity.value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(quantity.value)) return std::nullopt;
  quantity.unit = {rest, static_cast<std::size_t>(end - rest)};
  while (!quantity.unit.empty() && quantity.unit.front() == ' ') quantity.unit.remove_prefix(1);
  return quantity;
}

}  // namespace

base::Result<std::uint32_t> ParsePercent(std::string_view text) {
  const auto quantity = ReadQuantity(text);
  if (!quantity || (quantity->unit != "%" && !quantity->unit.empty())) {
    return Invalid(text, "is not a percentage; write it as 2%");
  }
  if (quantity->unit.empty()) {
    return Invalid(text, "may be meant as a share or as a percentage; write it with the sign, as 2%");
  }
  if (quantity->value > 1000) return Invalid(text, "is beyond 1000%, the most that can be allowed");
  return static_cast<std::uint32_t>(std::llround(quantity->value * 10'000));
}

base::Result<std::int64_t> ParseDuration(std::string_view text) {
  const auto quantity = ReadQuantity(text);
  if (!quantity) return Invalid(text, "is not a duration; write it as 20us, 1.5ms or 200ns");
  double scale = 0;
  if (quantity->unit == "ns") scale = 1;
  if (quantity->unit == "us" || quantity->unit == "\u00b5s") scale = 1e3;
  if (quantity->unit == "ms") scale = 1e6;
  if (quantity->unit == "s") scale = 1e9;
  if (quantity->unit.empty() && quantity->value == 0) scale = 1;
  if (scale == 0) return Invalid(text, "lacks its unit (ns, us, ms or s); write it as 20us");
  if (quantity->value * scale > 1e9) return Invalid(text, "is beyond 1s, the longest that makes sense here");
  return std::llround(quantity->value * scale);
}

base::Result<std::uint32_t> ParseWeight(std::string_view text) {
  const auto quantity = ReadQuantity(text);
  const long long permille = quantity ? std::llround(std::min(quantity->value, 1e6) * 1000) : 0;
  if (!quantity || !quantity->unit.empty() || permille < 1 || permille > 1'000'000) {
    return Invalid(text, "is not a weight; write a number above 0 and up to 1000, as 2 or 0.5");
  }
  return static_cast<std::uint32_t>(permille);
}

base::Result<std::uint32_t> ParseShare(std::string_view text) {
  const auto quantity = ReadQuantity(text);
  if (!quantity || quantity->unit != "%") {
    return Invalid(text, "is not a share of the device; write it with the sign, as 10%");
  }
  const long long ppm = std::llround(std::min(quantity->value, 1e6) * 10'000);
  if (ppm > 1'000'000) return Invalid(text, "is more than the whole device; write at most 100%");
  if (ppm < 1) return Invalid(text, "is no share; leave it out, or write more than 0%");
  return static_cast<std::uint32_t>(ppm);
}

base::Result<std::uint64_t> ParseBytes(std::string_view text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr Unit kUnits[] = {{"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
                             {"KB", 1e3}, {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
  const auto quantity = ReadQuantity(text);
  if (!quantity) return Invalid(text, "is not an amount of memory; write it as 4GiB or 512MiB");
  for (const Unit& unit : kUnits) {
    if (quantity->unit != unit.name) continue;
    const double bytes = quantity->value * unit.bytes;
    if (bytes > 0x1p52) return Invalid(text, "is beyond 4096TiB, more than any device has");
    if (bytes < 1) return Invalid(text, "is no memory; leave it out for no limit, or write more than 0");
    return static_cast<std::uint64_t>(std::llround(bytes));
  }
  return Invalid(text, "lacks its unit (MiB, GiB, MB, GB, …); write it as 4GiB");
}

base::Result<std::uint32_t> ParseShareOrNone(std::string_view text) {
  if (text == "none") return std::uint32_t{0};
  return ParseShare(text);
}

base::Result<std::uint64_t> ParseBytesOrNone(std::string_view text) {
  if (text == "none") return std::uint64_t{0};
  return ParseBytes(text);
}

base::Result<std::uint32_t> ParsePriority(std::string_view text) {
  if (text.size() == 1 && text.front() >= '0' && text.front() <= '9') {
    return static_cast<std::uint32_t>(text.front() - '0');
  }
  return Invalid(text, "is not a priority; write 0 (highest) to 9 (lowest)");
}

base::Result<std::string> ParseName(std::string_view text) {
  if (text.empty())
    return Error{Code::kInvalid, "a name cannot be empty; leave --name out to have one chosen"};
  if (text.size() > sizeof(board::Slot::name) - 1)
    return Invalid(text, "is longer than 63 bytes; shorten it");
  if (board::CleanText(text) != text) {
    return Invalid(text, "contains control characters or bytes that are not UTF-8; use plain text");
  }
  return std::string(text);
}

base::Result<model::PolicyId> ParsePolicy(std::string_view text) {
  if (const auto id = model::FindPolicy(text)) return *id;
  std::string known;
  for (const auto id : model::kPolicies)
    known += (known.empty() ? "" : ", ") + std::string(model::PolicyName(id));
  return Invalid(text, "is not a policy; choose one of " + known);
}

base::Result<model::DeviceMode> ParseDeviceMode(std::string_view text) {
  for (const auto mode : {model::DeviceMode::kFifo, model::DeviceMode::kSliced, model::DeviceMode::kMerged}) {
    if (text == model::DeviceModeName(mode)) return mode;
  }
  return Invalid(text, "is not a device mode; choose one of fifo, sliced, merged");
}

}  // namespace mortar::cli
