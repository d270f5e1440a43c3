#include "predict/profile_file.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

namespace mortar::predict {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kMagicLine = "mortar-profile ";
constexpr double kLongestMeanNs = 6e10;

// Names and devices stand at the end of a line: only line breaks must not pass.
std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  }
  return line;
}

struct KernelLine {
  model::KernelId id = 0;
  double n = 0, duration = 0, gap_n = 0, gap = 0;
  std::vector<std::pair<int, std::uint16_t>> buckets;
  std::string_view name;
};

template <typename T>
bool ParseAll(std::string_view text, T* value, int radix = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, radix);
  return error == std::errc() && end == text.data() + text.size();
}

// Up to the next blank; empty at the end of the line.
std::string_view NextWord(std::string_view* line) {
  const std::size_t end = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

bool ParseCount(std::string_view word, double* value) {
  std::uint64_t whole = 0;
  if (!ParseAll(word, &whole)) return false;
  *value = static_cast<double>(whole);
  return true;
}

bool ParseBuckets(std::string_view text, KernelLine* out) {
  if (text == "-") return true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos) return false;
    int bucket = 0;
    std::uint16_t count = 0;
    if (!ParseAll(item.substr(0, colon), &bucket) || !ParseAll(item.substr(colon + 1), &count)) return false;
    if (bucket < 0 || bucket >= base::Histogram::kBuckets) return false;
    out->buckets.emplace_back(bucket, count);
  }
  return true;
}

bool ParseKernel(std::string_view line, KernelLine* out) {
  if (!ParseAll(NextWord(&line), &out->id, 16) || out->id == 0) return false;
  if (!ParseCount(NextWord(&line), &out->n) || !ParseCount(NextWord(&line), &out->duration)) return false;
  if (!ParseCount(NextWord(&line), &out->gap_n) || !ParseCount(NextWord(&line), &out->gap)) return false;
  if (out->duration > kLongestMeanNs || out->gap > kLongestMeanNs) return false;
  if (!ParseBuckets(NextWord(&line), out)) return false;
  out->name = line;
  return true;
}

void Apply(const KernelLine& line, KernelTable* table) {
  Kernel* kernel = table->FindOrAdd(line.id, line.name);
  if (kernel == nullptr) return;
  const std::lock_guard lock(table->mutex());
  for (const auto& [bucket, count] : line.buckets) {
    kernel->durations.Restore(bucket, count);
    kernel->samples += count;
  }
  kernel->recorded_n = line.n;
  kernel->recorded_duration = line.n * line.duration;
  kernel->recorded_gap_n = line.gap_n;
  kernel->recorded_gap = line.gap_n * line.gap;
  if (line.n > 0) kernel->offline_duration_ns.store(std::llround(line.duration));
  if (line.gap_n > 0) kernel->offline_gap_ns.store(std::llround(line.gap));
  KernelTable::Refresh(*kernel);
}

std::string Hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

std::string WriteProfile(const KernelTable& table, std::string_view device, std::string_view program) {
  std::string out(kMagicLine);
  out += std::to_string(kProfileVersion) + "\ndevice " + OneLine(device) + "\nprogram " + OneLine(program) +
         "\n";
  const std::lock_guard lock(table.mutex());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Kernel& kernel = table.at(i);
    if (kernel.durations.total() == 0) continue;
    const auto mean = [](double sum, double n) { return std::to_string(n > 0 ? std::llround(sum / n) : 0); };
    out += "kernel " + Hex(kernel.id) + ' ' + std::to_string(std::llround(kernel.recorded_n)) + ' ' +
           mean(kernel.recorded_duration, kernel.recorded_n) + ' ' +
           std::to_string(std::llround(kernel.recorded_gap_n)) + ' ' +
           mean(kernel.recorded_gap, kernel.recorded_gap_n) + ' ';
    std::string buckets;
    for (int b = 0; b < base::Histogram::kBuckets; ++b) {
      const std::uint16_t count = kernel.durations.count(b);
      if (count == 0) continue;
      if (!buckets.empty()) buckets += ',';
      buckets += std::to_string(b) + ':' + std::to_string(count);
    }
    out += buckets + ' ' + OneLine(kernel.name) + '\n';
  }
  return out + "checksum " + Hex(base::HashBytes(out.data(), out.size())) + "\n";
}

base::Status ReadProfile(std::string_view text, std::string_view device, KernelTable* table) {
  const std::size_t last = text.rfind("checksum ");
  if (!text.starts_with(kMagicLine)) return Error{Code::kCorrupt, "line 1: not a Mortar profile"};
  int version = 0;
  if (!ParseAll(text.substr(kMagicLine.size(), text.find('\n') - kMagicLine.size()), &version)) {
    return Error{Code::kCorrupt, "line 1: no version"};
  }
  if (version != kProfileVersion) {
    return Error{Code::kMismatch, "is of version " + std::to_string(version) +
                                      ", this Mortar reads version " + std::to_string(kProfileVersion)};
  }
  if (last == std::string_view::npos) return Error{Code::kCorrupt, "no checksum: the file is cut short"};
  std::uint64_t checksum = 0;
  std::string_view stored = text.substr(last + 9);
  if (stored.ends_with('\n')) stored.remove_suffix(1);
  if (!ParseAll(stored, &checksum, 16) || checksum != base::HashBytes(text.data(), last)) {
    return Error{Code::kCorrupt, "its checksum does not match its content"};
  }
  std::vector<KernelLine> lines;
  std::string_view rest = text.substr(0, last);
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with("device ") && line.substr(7) != OneLine(device)) {
      return Error{Code::kMismatch, "was recorded on device '" + std::string(line.substr(7)) +
                                        "', this is '" + std::string(device) + "'"};
    }
    if (!line.starts_with("kernel ")) continue;
    line.remove_prefix(7);
    if (!ParseKernel(line, &lines.emplace_back())) {
      return Error{Code::kCorrupt, "line " + std::to_string(number) + ": not a kernel line"};
    }
  }
  for (const KernelLine& line : lines) Apply(line, table);
  return {};
}

}  // namespace mortar::predict
