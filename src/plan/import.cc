#include "plan/import.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <vector>

#include "plan/csv.h"

namespace mortar::plan {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kPerseusHeader = "stage,instruction,frequency,time,energy";
constexpr std::string_view kZeusHeader =
    "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power";

std::vector<std::string> Fields(std::string_view line) {
  std::vector<std::string> fields;
  while (true) {
    const auto comma = line.find(',');
    fields.emplace_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

bool Positive(const std::string& text, double* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && *value > 0 &&
         std::isfinite(*value);
}

// Calls `row(fields, line number)` for each line below the header, until one fails.
template <typename Row>
base::Status EachRow(std::string_view text, const std::string& name, std::string_view header, Row row) {
  const std::size_t columns = Fields(header).size();
  bool seen_header = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (!seen_header) {
      if (line != header)
        return Error{Code::kInvalid, fmt::format("{}:{}: the header must be {}", name, number, header)};
      seen_header = true;
      continue;
    }
    const auto fields = Fields(line);
    if (fields.size() != columns) {
      return Error{Code::kInvalid,
                   fmt::format("{}:{}: {} columns, expected {}", name, number, fields.size(), columns)};
    }
    if (auto status = row(fields, number); !status) return status;
  }
  if (!seen_header) return Error{Code::kInvalid, fmt::format("{}:1: the header must be {}", name, header)};
  return {};
}

base::Result<std::string> Perseus(std::string_view text, const std::string& name,
                                  const ImportOptions& options) {
  struct Stage {
    double forward_s = 0, forward_j = 0, backward_s = 0, backward_j = 0;
  };
  std::map<std::pair<std::string, double>, Stage> stages;  // by stage and MHz
  const auto status =
      EachRow(text, name, kPerseusHeader, [&](const auto& fields, std::size_t number) -> base::Status {
        double mhz = 0;
        double seconds = 0;
        double joules = 0;
        if (!Positive(fields[2], &mhz) || !Positive(fields[3], &seconds) || !Positive(fields[4], &joules)) {
          return Error{Code::kInvalid,
                       fmt::format("{}:{}: frequency, time and energy must be positive", name, number)};
        }
        Stage& stage = stages[{fields[0], mhz}];
        if (fields[1] == "forward") {
          stage.forward_s = seconds;
          stage.forward_j = joules;
        } else if (fields[1] == "backward") {
          stage.backward_s = seconds;
          stage.backward_j = joules;
        } else {
          return Error{Code::kInvalid, fmt::format("{}:{}: instruction '{}' is none of forward, backward",
                                                   name, number, fields[1].substr(0, 40))};
        }
        return {};
      });
  if (!status) return status.error();
  std::string csv = "device,workload,role,batch,gpu_mhz,time_ms,power_w\n";
  for (const auto& [key, stage] : stages) {
    const std::string workload = options.workload + "-s" + key.first;
    if (stage.forward_s > 0) {
      csv += fmt::format("{},{},infer,1,{},{},{}\n", options.device, workload, key.second,
                         1000 * stage.forward_s, stage.forward_j / stage.forward_s);
    }
    if (stage.forward_s > 0 && stage.backward_s > 0) {
      const double seconds = stage.forward_s + stage.backward_s;
      csv += fmt::format("{},{},train,1,{},{},{}\n", options.device, workload, key.second, 1000 * seconds,
                         (stage.forward_j + stage.backward_j) / seconds);
    }
  }
  return csv;
}

base::Result<std::string> Zeus(std::string_view text, const std::string& name, const ImportOptions& options) {
  std::string csv = "device,workload,role,batch,power_limit_w,time_ms,power_w\n";
  const auto status =
      EachRow(text, name, kZeusHeader, [&](const auto& fields, std::size_t number) -> base::Status {
        double batch = 0;
        double limit = 0;
        double seconds = 0;
        double watts = 0;
        if (!Positive(fields[2], &batch) || !Positive(fields[4], &limit) || !Positive(fields[5], &seconds) ||
            !Positive(fields[6], &watts)) {
          return Error{Code::kInvalid,
                       fmt::format("{}:{}: batch, limit, time and power must be positive", name, number)};
        }
        auto samples = options.samples.find(fields[0]);
        if (samples == options.samples.end()) {
          samples = KnownSamples().find(fields[0]);
          if (samples == KnownSamples().end()) {
            return Error{Code::kInvalid,
                         fmt::format("{}:{}: dataset '{}': say how many samples it has, --samples {}=N", name,
                                     number, fields[0].substr(0, 40), fields[0].substr(0, 40))};
          }
        }
        csv += fmt::format("{},{}-{}-{}-b{},train,{},{},{},{}\n", options.device, fields[1], fields[0],
                           fields[3], batch, batch, limit,
                           1000 * seconds / std::ceil(samples->second / batch), watts);
        return {};
      });
  if (!status) return status.error();
  return csv;
}

}  // namespace

const std::map<std::string, double>& KnownSamples() {
  static const auto* known = new std::map<std::string, double>{
      {"cifar100", 50000}, {"imagenet", 1281167}, {"sentiment140", 1600000}};
  return *known;
}

base::Result<Table> ImportProfiles(std::string_view format, std::string_view text, const std::string& name,
                                   const ImportOptions& options) {
  if (format != "perseus" && format != "zeus") {
    return Error{Code::kInvalid, fmt::format("format '{}': one of perseus, zeus", format.substr(0, 40))};
  }
  const auto csv = format == "perseus" ? Perseus(text, name, options) : Zeus(text, name, options);
  if (!csv) return csv.error();
  return ParseProfiles(*csv, name + " (imported)");
}

}  // namespace mortar::plan
