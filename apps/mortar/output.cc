#include "mortar/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>

#include "base/result.h"

namespace mortar::cli {
namespace {

int print_error = 0;  // errno of the first write to stdout that failed

// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t Columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

void Complain(const std::string& text) {
  const bool named = text.rfind("mortar ", 0) == 0 || text.rfind("mortar:", 0) == 0;
  const std::string line = (named ? "" : "mortar: ") + text + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void Print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && print_error == 0)
    print_error = errno;
}

bool PrintedAll() {
  if (std::fflush(stdout) != 0 && print_error == 0) print_error = errno;
  if (print_error == 0 || print_error == EPIPE) return true;
  Complain("write to stdout: " + base::SystemError("", print_error).message.substr(2));
  return false;
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows,
                        const std::vector<std::size_t>& right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - Columns(row[i]), ' ');
      const bool flush_right = std::find(right.begin(), right.end(), i) != right.end();
      line += (i == 0 ? "" : "  ") + (flush_right ? padding + row[i] : row[i] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string FormatDuration(std::int64_t ns) {
  const double value = static_cast<double>(ns);
  if (ns == 0) return "0";
  if (std::abs(value) < 1e6) return fmt::format("{:.3g} us", value / 1e3);
  if (std::abs(value) < 1e9) return fmt::format("{:.3g} ms", value / 1e6);
  return fmt::format("{:.4g} s", value / 1e9);
}

std::string FormatBytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.4g} {}", value, kUnits[unit]);
}

std::string FormatPercent(double share) { return fmt::format("{:.3g} %", 100 * share); }

}  // namespace mortar::cli
