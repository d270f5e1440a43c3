#include "plan/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace mortar::plan {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kTrain:
      return "train";
    case Role::kInfer:
      return "infer";
    case Role::kIdle:
      return "idle";
  }
  return "?";
}

const Series* Table::Find(std::string_view workload, Role role) const {
  for (const Series& one : series) {
    if (one.role == role && (role == Role::kIdle || one.workload == workload)) return &one;
  }
  return nullptr;
}

int Table::FindMode(const std::vector<double>& values) const {
  const auto found = std::find(modes.begin(), modes.end(), values);
  return found == modes.end() ? -1 : static_cast<int>(found - modes.begin());
}

int Table::LargestMode() const {
  if (modes.empty()) return -1;
  std::vector<double> largest = modes.front();
  for (const auto& mode : modes) {
    for (std::size_t k = 0; k < mode.size(); ++k) largest[k] = std::max(largest[k], mode[k]);
  }
  return FindMode(largest);
}

std::string NumberText(double value) {
  std::array<char, 32> text;
  if (std::abs(value) < 1e15 && value == std::floor(value)) {
    const auto end = std::to_chars(text.data(), text.data() + text.size(), static_cast<long long>(value)).ptr;
    return std::string(text.data(), end);
  }
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return std::string(text.data(), end);
}

std::string ModeText(const Table& table, int mode) {
  if (mode < 0 || static_cast<std::size_t>(mode) >= table.modes.size()) return "none";
  std::string text;
  for (std::size_t k = 0; k < table.knobs.size(); ++k) {
    if (k > 0) text += ' ';
    text += table.knobs[k] + "=" + NumberText(table.modes[static_cast<std::size_t>(mode)][k]);
  }
  return text;
}

}  // namespace mortar::plan
