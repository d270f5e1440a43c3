#include "emulated/table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/glob.h"
#include "base/hash.h"
#include "base/owner.h"

namespace mortar::emulated {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kMaxFileBytes = 1 << 20;  // chosen: a table is written by hand
constexpr double kMaxDurationUs = 10'000'000;   // chosen: 10 s, the farthest instant that counts
constexpr std::size_t kMaxWords = 6;            // one more than any entry has

using Words = std::vector<std::string_view>;

Words Split(std::string_view line) {
  Words words;
  std::size_t at = 0;
  while (words.size() < kMaxWords) {
    at = line.find_first_not_of(" \t\r", at);
    if (at == std::string_view::npos || line[at] == '#') break;
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// A decimal number without sign or exponent, from 0 to `most`.
std::optional<double> ParseNumber(std::string_view word, double most) {
  if (word.empty() || word.size() > 30) return std::nullopt;
  for (const char c : word) {
    if ((c < '0' || c > '9') && c != '.') return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !(value <= most)) return std::nullopt;
  return value;
}

std::optional<std::int32_t> ParseJitter(std::string_view word) {
  const auto percent = ParseNumber(word, 100);
  if (!percent) return std::nullopt;
  return static_cast<std::int32_t>(std::lround(*percent * 10'000));
}

std::int64_t UsToNs(double us) { return std::llround(us * 1000); }

bool IsName(std::string_view word) {
  return word.size() <= 64 && word != "." && word != ".." &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '-' || c == '_';
         });
}

// Each returns what is wrong with the entry, or nothing.
using Complaint = std::optional<std::string>;

std::string Quote(std::string_view word) { return "'" + std::string(word.substr(0, 60)) + "'"; }

Complaint ReadNumber(std::string_view word, const char* what, double most, double* out) {
  const auto value = ParseNumber(word, most);
  if (!value) {
    return Quote(word) + " is not a valid " + what + ": a decimal number up to " +
           std::to_string(static_cast<std::int64_t>(most)) + " is needed";
  }
  *out = *value;
  return std::nullopt;
}

// DURATION_US [NS_PER_WORK_ITEM] [JITTER%], from words[at] on.
Complaint ReadRule(const Words& words, std::size_t at, Rule* rule) {
  if (words.size() <= at || words.size() > at + 3) {
    return Quote(words[0]) + " needs DURATION_US [NS_PER_WORK_ITEM] [JITTER%]" +
           (at == 2 ? " after the name pattern" : "");
  }
  double us = 0;
  if (auto wrong = ReadNumber(words[at], "duration in microseconds", kMaxDurationUs, &us)) return wrong;
  rule->duration_ns = UsToNs(us);
  for (std::size_t i = at + 1; i < words.size(); ++i) {
    if (words[i].back() == '%') {
      const auto jitter = ParseJitter(words[i].substr(0, words[i].size() - 1));
      if (!jitter || i + 1 != words.size())
        return Quote(words[i]) + ": a jitter from 0% to 100% may stand last";
      rule->jitter_ppm = *jitter;
    } else {
      if (i != at + 1) return Quote(words[i]) + ": only a jitter, such as 20%, may follow NS_PER_WORK_ITEM";
      if (auto wrong = ReadNumber(words[i], "time per work item in ns", 1e9, &rule->ns_per_item))
        return wrong;
    }
  }
  return std::nullopt;
}

Complaint ReadCopy(const Words& words, Table* table) {
  if (words.size() != 3) return "'copy' needs GB_PER_S LATENCY_US";
  double latency_us = 0;
  if (auto wrong = ReadNumber(words[1], "rate in GB/s", 1e6, &table->copy_bytes_per_ns)) return wrong;
  if (table->copy_bytes_per_ns < 1e-6) return "the rate of 'copy' must be above 0 GB/s";
  if (auto wrong = ReadNumber(words[2], "latency in microseconds", kMaxDurationUs, &latency_us)) return wrong;
  table->copy_latency_ns = UsToNs(latency_us);
  return std::nullopt;
}

Complaint ReadSetting(const Words& words, Table* table) {
  if (words.size() != 2) return Quote(words[0]) + " needs exactly one value";
  const std::string_view key = words[0];
  const std::string_view value = words[1];
  double number = 0;
  if (key == "device") {
    if (!IsName(value)) return Quote(value) + " is not a device name: use letters, digits, '.', '-', '_'";
    table->device = value;
  } else if (key == "seed") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), table->seed);
    if (error != std::errc() || end != value.data() + value.size())
      return Quote(value) + " is not a whole number";
  } else if (key == "launch_latency_us") {
    if (auto wrong = ReadNumber(value, "latency in microseconds", kMaxDurationUs, &number)) return wrong;
    table->launch_latency_ns = UsToNs(number);
  } else {
    const auto jitter = ParseJitter(value.back() == '%' ? value.substr(0, value.size() - 1) : value);
    if (!jitter) return Quote(value) + " is not a jitter from 0 to 100 percent";
    table->jitter_ppm = *jitter;
  }
  return std::nullopt;
}

Complaint ReadEntry(const Words& words, Table* table) {
  const std::string_view key = words[0];
  if (key == "kernel") {
    if (words.size() < 2) return "'kernel' needs GLOB DURATION_US [NS_PER_WORK_ITEM] [JITTER%]";
    Rule rule;
    rule.glob = words[1];
    if (auto wrong = ReadRule(words, 2, &rule)) return wrong;
    table->kernels.push_back(std::move(rule));
    return std::nullopt;
  }
  if (key == "default") return ReadRule(words, 1, &table->fallback);
  if (key == "copy") return ReadCopy(words, table);
  if (key == "device" || key == "seed" || key == "launch_latency_us" || key == "jitter_percent") {
    return ReadSetting(words, table);
  }
  return Quote(key) +
         " is unknown: use device, seed, launch_latency_us, copy, jitter_percent, kernel or default";
}

}  // namespace

std::int64_t Jittered(std::int64_t duration_ns, std::int32_t jitter_ppm, std::uint64_t seed,
                      std::uint64_t name_hash, std::uint64_t index) {
  if (jitter_ppm <= 0) return duration_ns;
  const std::uint64_t drawn = base::Combine(base::Combine(seed, name_hash), index);
  const double uniform = static_cast<double>(drawn >> 11) * 0x1.0p-52 - 1;  // [-1, 1)
  return std::llround(static_cast<double>(duration_ns) * (1 + uniform * jitter_ppm * 1e-6));
}

Result<Table> Table::Parse(std::string_view text, std::string_view file) {
  Table table;
  std::vector<std::pair<std::string_view, int>> seen;
  int line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    const Words words = Split(line);
    if (words.empty()) continue;
    Complaint wrong;
    const auto before =
        std::find_if(seen.begin(), seen.end(), [&](const auto& entry) { return entry.first == words[0]; });
    if (line.find('\0') != std::string_view::npos) {
      wrong = "a NUL byte: the table must be text";
    } else if (before != seen.end()) {
      wrong = Quote(words[0]) + " stands already on line " + std::to_string(before->second);
    } else {
      wrong = ReadEntry(words, &table);
    }
    if (wrong)
      return Error{Code::kInvalid, std::string(file) + ":" + std::to_string(line_number) + ": " + *wrong};
    if (words[0] != "kernel") seen.emplace_back(words[0], line_number);
  }
  return table;
}

Result<Table> Table::Read(const std::string& path) {
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::SystemError("open duration table " + path, errno);
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::SystemError("read duration table " + path, errno);
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMaxFileBytes)
      return Error{Code::kInvalid, path + ": longer than 1 MiB: not a duration table"};
  }
  return Parse(text, path);
}

const Rule& Table::RuleFor(std::string_view kernel) const {
  for (const Rule& rule : kernels) {
    if (base::MatchesGlob(rule.glob, kernel)) return rule;
  }
  return fallback;
}

std::int64_t Table::TransferNs(std::uint64_t bytes) const {
  const double ns = static_cast<double>(bytes) / copy_bytes_per_ns;
  return copy_latency_ns + std::llround(std::min(ns, kMaxDurationUs * 1000));
}

std::int64_t KernelNs(const Table& table, const Rule& rule, std::uint64_t name_hash, std::uint64_t index,
                      std::uint64_t items) {
  const double whole = static_cast<double>(rule.duration_ns) + rule.ns_per_item * static_cast<double>(items);
  const std::int64_t bounded = std::llround(std::min(whole, kMaxDurationUs * 1000));
  return std::min(Jittered(bounded, table.JitterOf(rule), table.seed, name_hash, index),
                  UsToNs(kMaxDurationUs));
}

}  // namespace mortar::emulated
