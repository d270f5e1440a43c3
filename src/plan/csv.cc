#include "plan/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>

#include "plan/csv_units.h"

namespace mortar::plan {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kFixedLeft = 4;   // device, workload, role, batch
constexpr std::size_t kFixedRight = 2;  // time_ms, power_w

std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto comma = line.find(',');
    std::string_view field = line.substr(0, comma);
    while (!field.empty() && (field.front() == ' ' || field.front() == '\t')) field.remove_prefix(1);
    while (!field.empty() && (field.back() == ' ' || field.back() == '\t' || field.back() == '\r')) {
      field.remove_suffix(1);
    }
    fields.push_back(field);
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

bool ParseDouble(std::string_view text, double* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && std::isfinite(*value);
}

// Vectors of knob values as map keys, by their bytes (values are finite, so equal bytes but for ±0).
std::string ModeKey(const std::vector<double>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
}

struct Row {
  std::size_t line;
  int series;
  int batch;
  int mode;
  double time_ms;
  double power_w;
};

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  base::Result<Table> Read(std::string_view text, CsvReport* report) {
    std::size_t line_number = 0;
    bool header = false;
    while (!text.empty()) {
      const auto end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++line_number;
      if (line.empty() || line == "\r" || line.front() == '#') continue;
      const base::Status status = header ? ParseRow(line, line_number) : ParseHeader(line, line_number);
      if (!status) return status.error();
      header = true;
    }
    if (!header)
      return Fail(1, "the file is empty; a header device,workload,role,batch,…,time_ms,power_w is needed");
    if (rows_.empty()) return Fail(line_number, "no rows below the header; nothing was profiled");
    return Finish(report);
  }

 private:
  Error Fail(std::size_t line, const std::string& what) const {
    return Error{Code::kInvalid, fmt::format("{}:{}: {}", name_, line, what)};
  }

  base::Status ParseHeader(std::string_view line, std::size_t number) {
    if (line.substr(0, 3) == "\xef\xbb\xbf") line.remove_prefix(3);
    const auto fields = Split(line);
    constexpr std::string_view left[] = {"device", "workload", "role", "batch"};
    for (std::size_t i = 0; i < kFixedLeft; ++i) {
      if (i >= fields.size() || fields[i] != left[i]) {
        return Fail(number, fmt::format("column {} must be '{}'; the header is "
                                        "device,workload,role,batch,<knobs>,time_ms,power_w",
                                        i + 1, left[i]));
      }
    }
    constexpr std::string_view right[] = {"time_ms", "power_w"};
    for (std::size_t i = 0; i < kFixedRight; ++i) {
      const std::size_t at = fields.size() - kFixedRight + i;
      if (fields.size() < kFixedLeft + kFixedRight || fields[at] != right[i]) {
        const std::string_view found = at < fields.size() ? fields[at] : std::string_view("nothing");
        return Fail(number,
                    fmt::format("the last columns must be time_ms,power_w (milliseconds and watts), found "
                                "'{}'; convert the values and rename the column",
                                found.substr(0, 60)));
      }
    }
    const std::size_t knobs = fields.size() - kFixedLeft - kFixedRight;
    if (knobs == 0)
      return Fail(number, "no knob columns; a power mode needs at least one, between batch and time_ms");
    if (knobs > kMaxKnobs) {
      return Fail(number, fmt::format("{} knob columns, at most {} are read; drop those that never change",
                                      knobs, kMaxKnobs));
    }
    for (std::size_t k = 0; k < knobs; ++k) {
      const std::string knob(fields[kFixedLeft + k]);
      if (knob.empty()) return Fail(number, fmt::format("knob column {} has no name", kFixedLeft + k + 1));
      if (std::find(table_.knobs.begin(), table_.knobs.end(), knob) != table_.knobs.end()) {
        return Fail(number, fmt::format("knob column '{}' appears twice", knob.substr(0, 60)));
      }
      table_.knobs.push_back(knob);
    }
    return {};
  }

  base::Status ParseRow(std::string_view line, std::size_t number) {
    const auto fields = Split(line);
    const std::size_t expected = kFixedLeft + table_.knobs.size() + kFixedRight;
    if (fields.size() != expected) {
      return Fail(number, fmt::format("{} columns, the header has {}", fields.size(), expected));
    }
    if (rows_.size() >= kMaxRows)
      return Fail(number, fmt::format("more than {} rows; split the file", kMaxRows));
    if (table_.device.empty()) table_.device = std::string(fields[0]);
    if (fields[0].empty() || fields[1].empty()) return Fail(number, "device and workload need a name");
    if (fields[0] != table_.device) {
      return Fail(number, fmt::format("device '{}' after '{}'; one device a file", fields[0].substr(0, 60),
                                      table_.device.substr(0, 60)));
    }
    Role role;
    if (fields[2] == "train") {
      role = Role::kTrain;
    } else if (fields[2] == "infer") {
      role = Role::kInfer;
    } else if (fields[2] == "idle") {
      role = Role::kIdle;
    } else {
      return Fail(number, fmt::format("role '{}' is none of train, infer, idle", fields[2].substr(0, 60)));
    }
    return ParseNumbers(fields, role, number);
  }

  base::Status ParseNumbers(const std::vector<std::string_view>& fields, Role role, std::size_t number) {
    double batch = 0;
    if (!ParseDouble(fields[3], &batch) || batch != std::floor(batch) || batch > 1e6 ||
        batch < (role == Role::kIdle ? 0 : 1)) {
      return Fail(number,
                  fmt::format("batch '{}' is not a whole number from 1 to 1000000", fields[3].substr(0, 60)));
    }
    std::vector<double> mode(table_.knobs.size());
    for (std::size_t k = 0; k < mode.size(); ++k) {
      if (!ParseDouble(fields[kFixedLeft + k], &mode[k])) {
        return Fail(number, fmt::format("{} '{}' is not a finite number", table_.knobs[k].substr(0, 60),
                                        fields[kFixedLeft + k].substr(0, 60)));
      }
      mode[k] += 0.0;  // -0 becomes 0
    }
    Row row{};
    row.line = number;
    row.batch = static_cast<int>(batch);
    const std::string_view time = fields[fields.size() - 2];
    const std::string_view power = fields[fields.size() - 1];
    const bool idle = role == Role::kIdle;
    if (!ParseDouble(time, &row.time_ms) || row.time_ms < 0 || (!idle && row.time_ms == 0)) {
      return Fail(number,
                  fmt::format("time_ms '{}' is not a positive number of milliseconds", time.substr(0, 60)));
    }
    if (!ParseDouble(power, &row.power_w) || row.power_w <= 0) {
      return Fail(number, fmt::format("power_w '{}' is not a positive number of watts", power.substr(0, 60)));
    }
    if (row.power_w > kMostWatts) {
      return Fail(number,
                  fmt::format("power_w {} is over {} W for one device; these look like milliwatts, divide by "
                              "1000",
                              row.power_w, kMostWatts));
    }
    row.mode = ModeIndex(mode);
    row.series = SeriesIndex(idle ? "" : std::string(fields[1]), role);
    rows_.push_back(row);
    return {};
  }

  int ModeIndex(const std::vector<double>& mode) {
    const auto [found, fresh] = mode_index_.emplace(ModeKey(mode), static_cast<int>(table_.modes.size()));
    if (fresh) table_.modes.push_back(mode);
    return found->second;
  }

  int SeriesIndex(const std::string& workload, Role role) {
    const auto [found, fresh] =
        series_index_.emplace(std::pair(workload, role), static_cast<int>(table_.series.size()));
    if (fresh) {
      table_.series.emplace_back();
      table_.series.back().workload = workload;
      table_.series.back().role = role;
    }
    return found->second;
  }

  base::Result<Table> Finish(CsvReport* report) {
    for (const Row& row : rows_) {
      auto& batches = table_.series[static_cast<std::size_t>(row.series)].batches;
      if (std::find(batches.begin(), batches.end(), row.batch) == batches.end()) batches.push_back(row.batch);
    }
    std::size_t cells = 0;
    for (Series& one : table_.series) {
      std::sort(one.batches.begin(), one.batches.end());
      cells += one.batches.size() * table_.modes.size();
      if (cells > kMaxCells) {
        return Fail(
            rows_.back().line,
            fmt::format("{} modes and too many workloads and batches; split the file", table_.modes.size()));
      }
      one.time_ms.assign(one.batches.size() * table_.modes.size(), kAbsent);
      one.power_w = one.time_ms;
    }
    std::unordered_map<std::uint64_t, std::size_t> line_of;
    for (const Row& row : rows_) {
      Series& one = table_.series[static_cast<std::size_t>(row.series)];
      if (one.role == Role::kTrain && row.batch != one.batches.front()) {
        return Fail(row.line,
                    fmt::format("training workload '{}' has batches {} and {}; put the batch into the name",
                                one.workload.substr(0, 60), one.batches.front(), row.batch));
      }
      const auto batch =
          std::lower_bound(one.batches.begin(), one.batches.end(), row.batch) - one.batches.begin();
      const std::size_t cell =
          static_cast<std::size_t>(batch) * table_.modes.size() + static_cast<std::size_t>(row.mode);
      const std::uint64_t key = (static_cast<std::uint64_t>(row.series) << 40) | cell;
      const auto [first, fresh] = line_of.emplace(key, row.line);
      if (!fresh) {
        return Fail(row.line,
                    fmt::format("the same workload, role, batch and mode as line {}; keep one (the median)",
                                first->second));
      }
      one.time_ms[cell] = row.time_ms;
      one.power_w[cell] = row.power_w;
    }
    const auto odd = FindMixedUnits(table_);
    if (odd.has_value()) {
      const std::uint64_t key = (static_cast<std::uint64_t>(odd->series) << 40) | odd->cell;
      return Fail(line_of[key], odd->what);
    }
    if (report != nullptr) *report = Report();
    return std::move(table_);
  }

  CsvReport Report() const {
    CsvReport report;
    report.rows = rows_.size();
    for (const Series& one : table_.series) {
      const auto absent = static_cast<std::size_t>(std::count_if(
          one.time_ms.begin(), one.time_ms.end(), [](double value) { return std::isnan(value); }));
      if (absent > 0) {
        report.warnings.push_back(fmt::format("{} ({}): {} of {} (mode, batch) were not profiled",
                                              one.workload, RoleName(one.role), absent, one.time_ms.size()));
      }
    }
    for (std::size_t k = 0; k < table_.knobs.size(); ++k) {
      double low = table_.modes.front()[k];
      double high = low;
      for (const auto& mode : table_.modes) {
        low = std::min(low, mode[k]);
        high = std::max(high, mode[k]);
      }
      if (low == high)
        report.warnings.push_back(fmt::format("knob {} is {} throughout", table_.knobs[k], low));
    }
    return report;
  }

  const std::string name_;
  Table table_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, int> mode_index_;
  std::map<std::pair<std::string, Role>, int> series_index_;
};

}  // namespace

base::Result<Table> ParseProfiles(std::string_view text, const std::string& name, CsvReport* report) {
  return Reader(name).Read(text, report);
}

base::Result<Table> ReadProfiles(const std::string& path, CsvReport* report) {
  auto text = ReadFile(path);
  if (!text) return text.error();
  return ParseProfiles(*text, path, report);
}

std::string FormatProfiles(const Table& table) {
  std::string out = "device,workload,role,batch";
  for (const auto& knob : table.knobs) out += "," + knob;
  out += ",time_ms,power_w\n";
  for (const Series& one : table.series) {
    for (std::size_t b = 0; b < one.batches.size(); ++b) {
      for (std::size_t m = 0; m < table.modes.size(); ++m) {
        const std::size_t cell = b * table.modes.size() + m;
        if (std::isnan(one.time_ms[cell])) continue;
        out += fmt::format("{},{},{},{}", table.device, one.role == Role::kIdle ? "idle" : one.workload,
                           RoleName(one.role), one.batches[b]);
        for (double value : table.modes[m]) out += "," + NumberText(value);
        out += "," + NumberText(one.time_ms[cell]) + "," + NumberText(one.power_w[cell]) + "\n";
      }
    }
  }
  return out;
}

base::Result<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file == nullptr) {
    const int error = errno;
    Error failed = base::SystemError("open " + path, error);
    if (error == ENOENT) failed.code = Code::kNotFound;
    return failed;
  }
  std::string text;
  char buffer[65536];
  while (true) {
    const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get());
    text.append(buffer, got);
    if (text.size() > (std::size_t{1} << 30))
      return Error{Code::kFull, "read " + path + ": over 1 GiB; split the file"};
    if (got < sizeof buffer) break;
  }
  if (std::ferror(file.get()) != 0) return base::SystemError("read " + path, errno);
  return text;
}

}  // namespace mortar::plan
