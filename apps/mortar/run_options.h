// `mortar run`'s flags and the environment that they become. Pure but for reading files. Used by other
// subcommands that start programs, too.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "base/result.h"

namespace mortar::cli {

struct RunOptions {
  std::string name, priority, max_slowdown, weight, min_share, memory, slice, emulate, sim_device;
  bool floor_first = false;
  bool strict = false;
  bool unscheduled = false;  // on the simulated device, without Mortar in between
};

// Adds the flags of `options` to `command`.
void AddRunOptions(CLI::App& command, RunOptions& options);

// Checks the flags and returns the variables that the library inside the program reads (client/options.h).
// Flags not given set nothing, so that what the environment says already stays. Errors: kInvalid, naming the
// flag.
base::Result<std::map<std::string, std::string>> ComposeEnvironment(const RunOptions& options);

struct LayerSetup {
  std::map<std::string, std::string> environment;  // OPENCL_LAYERS, MORTAR_EMULATED
  std::string scheduling;                          // path of our layer; empty: not found
  std::string problem;  // why nothing would be scheduled, found without starting anything
};
// Layers for `options`, ours on top of `existing` (the OPENCL_LAYERS of now). Errors: --emulate without its
// library.
base::Result<LayerSetup> SetUpLayers(const RunOptions& options, const std::string& existing);

}  // namespace mortar::cli
