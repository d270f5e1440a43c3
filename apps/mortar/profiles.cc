// mortar profiles: check, show, import and simulate profile CSVs.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "mortar/invocation.h"
#include "mortar/output.h"
#include "plan/csv.h"
#include "plan/import.h"
#include "power/simulated/orin_agx.h"

namespace mortar::cli {
namespace {

int Refuse(const std::string& what) {
  Complain("mortar profiles: " + what);
  return kBadInput;
}

struct Extent {
  double low = plan::kAbsent;
  double high = plan::kAbsent;
  int count = 0;
  void Add(double value) {
    if (std::isnan(value)) return;
    ++count;
    low = count == 1 ? value : std::min(low, value);
    high = count == 1 ? value : std::max(high, value);
  }
};

std::string RangeText(const Extent& extent, const char* unit) {
  return fmt::format("{:.4g} … {:.4g} {}", extent.low, extent.high, unit);
}

int Check(const std::string& file) {
  plan::CsvReport report;
  const auto table = plan::ReadProfiles(file, &report);
  if (!table) return Refuse(table.error().message);
  for (const std::string& warning : report.warnings)
    Complain(fmt::format("mortar profiles: {}: {}", file, warning));
  Print(fmt::format("{}: good: device {}, {} rows, {} modes of {} knobs, {} series\n", file, table->device,
                    report.rows, table->mode_count(), table->knobs.size(), table->series.size()));
  return kDone;
}

int Show(const std::string& file, bool json) {
  const auto table = plan::ReadProfiles(file);
  if (!table) return Refuse(table.error().message);
  std::vector<std::vector<std::string>> rows{{"workload", "role", "batch", "modes", "time", "power"}};
  auto list = nlohmann::ordered_json::array();
  for (const plan::Series& series : table->series) {
    for (std::size_t b = 0; b < series.batches.size(); ++b) {
      Extent time;
      Extent power;
      for (std::size_t m = 0; m < table->mode_count(); ++m) {
        time.Add(series.time_ms[b * table->mode_count() + m]);
        power.Add(series.power_w[b * table->mode_count() + m]);
      }
      rows.push_back({series.workload, std::string(plan::RoleName(series.role)),
                      std::to_string(series.batches[b]), std::to_string(time.count), RangeText(time, "ms"),
                      RangeText(power, "W")});
      list.push_back({{"workload", series.workload},
                      {"role", plan::RoleName(series.role)},
                      {"batch", series.batches[b]},
                      {"modes", time.count},
                      {"time_ms", {time.low, time.high}},
                      {"power_w", {power.low, power.high}}});
    }
  }
  if (json) {
    Print(nlohmann::ordered_json{{"device", table->device},
                                 {"knobs", table->knobs},
                                 {"modes", table->mode_count()},
                                 {"series", list}}
              .dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
          "\n");
    return kDone;
  }
  std::string knobs;
  for (std::size_t k = 0; k < table->knobs.size(); ++k) {
    Extent extent;
    for (const auto& mode : table->modes) extent.Add(mode[k]);
    knobs += fmt::format("  {}  {} … {}\n", table->knobs[k], plan::NumberText(extent.low),
                         plan::NumberText(extent.high));
  }
  Print(fmt::format("device {}, {} modes\n{}\n", table->device, table->mode_count(), knobs) +
        FormatTable(rows, {2, 3}));
  return kDone;
}

struct ImportArguments {
  std::string format, file;
  plan::ImportOptions options;
  std::vector<std::string> samples;
};

int Import(const ImportArguments& arguments) {
  plan::ImportOptions options = arguments.options;
  for (const std::string& text : arguments.samples) {
    const auto equals = text.find('=');
    double count = 0;
    const char* from = text.data() + (equals == std::string::npos ? text.size() : equals + 1);
    const auto parsed = std::from_chars(from, text.data() + text.size(), count);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !(count >= 1)) {
      return Refuse("--samples " + text + ": DATASET=N");
    }
    options.samples[text.substr(0, equals)] = count;
  }
  const auto text = plan::ReadFile(arguments.file);
  if (!text) return Refuse(text.error().message);
  const auto table = plan::ImportProfiles(arguments.format, *text, arguments.file, options);
  if (!table) return Refuse(table.error().message);
  Print(plan::FormatProfiles(*table));
  return kDone;
}

void AddImport(CLI::App& profiles, Invocation& invocation) {
  auto* command =
      profiles.add_subcommand("import", "Turn other projects' measurements into a profile CSV, on stdout");
  auto arguments = std::make_shared<ImportArguments>();
  command->add_option("format", arguments->format, "perseus or zeus")->required()->type_name("FORMAT");
  command->add_option("file", arguments->file, "The measurements")->required()->type_name("FILE");
  command->add_option("--device", arguments->options.device, "The device's name")->type_name("NAME");
  command->add_option("--workload", arguments->options.workload, "perseus: the model's name")
      ->type_name("NAME");
  command->add_option("--samples", arguments->samples, "zeus: the size of a training set")
      ->type_name("DATASET=N");
  command->footer(
      "Example:\n  mortar profiles import perseus bloom.csv --device a100 --workload bloom > bloom-a100.csv");
  command->callback(
      [&invocation, arguments] { invocation.action = [arguments] { return Import(*arguments); }; });
}

}  // namespace

void AddProfiles(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("profiles", "Check, show, import and simulate profile CSVs");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n  mortar profiles check orin.csv\n  mortar profiles simulate > orin-simulated.csv");
  auto file = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  auto* check = command->add_subcommand("check", "Read a profile and say what is wrong with it");
  check->add_option("file", *file, "The profile")->required()->type_name("FILE");
  check->callback([&invocation, file] { invocation.action = [file] { return Check(*file); }; });
  auto* show = command->add_subcommand("show", "Say what a profile holds");
  show->add_option("file", *file, "The profile")->required()->type_name("FILE");
  show->add_flag("--json", *json, "Machine-readable");
  show->callback(
      [&invocation, file, json] { invocation.action = [file, json] { return Show(*file, *json); }; });
  AddImport(*command, invocation);
  auto sigma = std::make_shared<double>(0);
  auto seed = std::make_shared<std::uint64_t>(1);
  auto* simulate =
      command->add_subcommand("simulate", "Print the simulated Jetson Orin AGX as a profile CSV");
  simulate->add_option("--noise-sigma", *sigma, "Noise of its sensors, as 0.02")->type_name("X");
  simulate->add_option("--seed", *seed, "Seed of the noise")->type_name("N");
  simulate->callback([&invocation, sigma, seed] {
    invocation.action = [sigma, seed] {
      if (!(*sigma >= 0) || *sigma > 1) return Refuse("--noise-sigma: from 0 to 1");
      Print(power::OrinProfileCsv(*sigma, *seed));
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace mortar::cli
