#include "mortar/run_options.h"

#include <cstdlib>

#include "client/options.h"
#include "emulated/table.h"
#include "mortar/arguments.h"
#include "mortar/layers.h"

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;

// Reads one flag where it was given and sets its variable.
template <typename Parse>
void Read(const char* flag, const std::string& text, Parse parse, const char* variable,
          std::map<std::string, std::string>& environment, std::string& error) {
  if (text.empty() || !error.empty()) return;
  const auto result = parse(text);
  if (result.ok()) {
    environment[variable] = std::to_string(*result);
  } else {
    error = std::string(flag) + ": " + result.error().message;
  }
}

base::Result<std::int64_t> ParseSlice(std::string_view text) {
  auto parsed = ParseDuration(text);
  if (parsed.ok() && (*parsed < client::kLeastSliceNs || *parsed > client::kMostSliceNs)) {
    return Error{Code::kInvalid, "\"" + std::string(text) + "\" is not from 10us to 1s"};
  }
  return parsed;
}

}  // namespace

void AddRunOptions(CLI::App& command, RunOptions& options) {
  command.add_option("--name", options.name, "What to call it (else the program's name and process number)")
      ->type_name("NAME")
      ->check([](const std::string& text) {
        return text.empty() ? ParseName(text).error().message : std::string();
      });
  command.add_option("--priority", options.priority, "0 (highest) to 9 (lowest); 5 if not given")
      ->type_name("0-9");
  command
      .add_option("--max-slowdown", options.max_slowdown,
                  "How much longer its requests may take; 2% if not given")
      ->type_name("PERCENT");
  command.add_option("--weight", options.weight, "Its share among clients of equal priority; 1 if not given")
      ->type_name("NUMBER");
  auto* floor = command.add_option("--min-share", options.min_share,
                                   "A floor under its share of device time, as 10%; none if not given");
  floor->type_name("PERCENT");
  command
      .add_flag("--floor-first", options.floor_first,
                "The floor is kept even where that slows others more than they allow")
      ->needs(floor);
  command
      .add_option("--memory", options.memory,
                  "Device memory that it may hold, as 4GiB; no limit if not given")
      ->type_name("SIZE");
  command
      .add_option(
          "--slice", options.slice,
          "Submit long copies, and OpenCL kernels where that is safe, in pieces of about this; whole if "
          "not given")
      ->type_name("TIME");
  command.add_flag("--strict", options.strict, "Refuse to start where it could not be scheduled");
  command.add_option("--emulate", options.emulate, "Run on the emulated device that this table describes")
      ->type_name("TABLE");
  auto* device = command.add_option("--sim-device", options.sim_device,
                                    "Run CUDA programs on the simulated device that this file describes");
  device->type_name("FILE.toml");
  command
      .add_flag("--unscheduled", options.unscheduled,
                "On the simulated device: leave Mortar's scheduling out")
      ->needs(device);
}

base::Result<std::map<std::string, std::string>> ComposeEnvironment(const RunOptions& options) {
  std::map<std::string, std::string> environment;
  std::string error;
  if (!options.name.empty()) {
    const auto name = ParseName(options.name);
    if (!name.ok()) return Error{Code::kInvalid, "--name: " + name.error().message};
    environment["MORTAR_NAME"] = *name;
  }
  Read("--priority", options.priority, ParsePriority, "MORTAR_PRIORITY", environment, error);
  Read("--max-slowdown", options.max_slowdown, ParsePercent, "MORTAR_MAX_SLOWDOWN", environment, error);
  Read("--weight", options.weight, ParseWeight, "MORTAR_WEIGHT", environment, error);
  Read("--min-share", options.min_share, ParseShare, "MORTAR_MIN_SHARE", environment, error);
  Read("--memory", options.memory, ParseBytes, "MORTAR_MEMORY", environment, error);
  Read("--slice", options.slice, ParseSlice, "MORTAR_SLICE", environment, error);
  if (!error.empty()) return Error{Code::kInvalid, error};
  // A floor of its own brings its own rank; what the environment says of another does not count.
  if (!options.min_share.empty()) environment["MORTAR_FLOOR_FIRST"] = options.floor_first ? "1" : "0";
  if (options.strict) environment["MORTAR_STRICT"] = "1";
  return environment;
}

base::Result<LayerSetup> SetUpLayers(const RunOptions& options, const std::string& existing) {
  LayerSetup setup;
  std::string emulated;
  if (!options.emulate.empty()) {
    if (const auto table = emulated::Table::Read(options.emulate); !table.ok()) {
      return Error{Code::kInvalid, "--emulate: " + table.error().message};
    }
    emulated = FindLibrary(kEmulatedLayer);
    if (emulated.empty()) {
      return Error{Code::kNotFound, std::string("--emulate: ") + kEmulatedLayer +
                                        " is not installed; build it, or set MORTAR_LIB to its folder"};
    }
    char* real =
        realpath(options.emulate.c_str(), nullptr);  // the program may change its folder before it reads
    setup.environment["MORTAR_EMULATED"] = real != nullptr ? real : options.emulate;
    std::free(real);
  }
  setup.scheduling = FindLibrary(kSchedulingLayer);
  if (setup.scheduling.empty()) {
    setup.problem =
        std::string(kSchedulingLayer) +
        " is not installed: nothing would be scheduled; build it, or set MORTAR_LIB to its folder";
  } else if ((setup.scheduling + emulated).find(':') != std::string::npos) {
    setup.problem =
        "the path " + setup.scheduling +
        " contains a colon, which OPENCL_LAYERS cannot express: nothing would be scheduled; install Mortar "
        "elsewhere";
  }
  const std::string layers = ComposeLayers(existing, setup.scheduling, emulated);
  if (!layers.empty()) setup.environment["OPENCL_LAYERS"] = layers;
  return setup;
}

}  // namespace mortar::cli
