// mortar run: sets the environment, makes sure that it will be heeded, and becomes the program.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mortar/arguments.h"
#include "mortar/boards.h"
#include "mortar/cuda_setup.h"
#include "mortar/invocation.h"
#include "mortar/launch.h"
#include "mortar/layers.h"
#include "mortar/output.h"
#include "mortar/run_options.h"

namespace mortar::cli {
namespace {

struct Run {
  RunOptions options;
  bool check = false;
  bool no_check = false;
};

int Refuse(int code, const std::string& why) {
  Complain("mortar run: " + why);
  return code;
}

// Which device the program will use is not known yet: refused is what no board has room for.
base::Status CheckFloor(const Boards& boards, const std::string& text, const std::string& name) {
  const auto asked = ParseShare(text);
  if (!asked.ok() || boards.open.empty()) return {};
  std::uint64_t least = UINT64_MAX;
  for (const auto& one : boards.open) least = std::min(least, SumOfFloors(one, name));
  if (least + *asked <= kWholePpm) return {};
  return base::Error{base::Code::kExists,
                     "--min-share: the floors of running clients leave " +
                         FormatPercent(static_cast<double>(kWholePpm - std::min(least, kWholePpm)) / 1e6) +
                         " of the device, not " + text + "; lower one with mortar set NAME --min-share"};
}

// The boards' directory, the name on them and the floor: what can be wrong there. kExists: in use by others.
base::Status CheckBoards(const RunOptions& options) {
  const std::string& name = options.name;
  const auto boards = OpenBoards();
  if (!boards.ok()) return boards.error();
  if (auto status = CheckFloor(*boards, options.min_share, name); !status.ok()) return status;
  if (name.empty()) return {};
  const std::string owner = OwnerOf(*boards, name);
  if (owner.empty()) return {};
  return base::Error{base::Code::kExists, "--name: \"" + name + "\" is in use by " + owner +
                                              "; choose another name, or leave --name out"};
}

// Whether OpenCL programs would be scheduled, as far as can be told beforehand; empty: yes.
std::string FindOpenClProblem(const Run& run, const LayerSetup& setup) {
  if (!setup.problem.empty()) return setup.problem;
  if (run.no_check) return "";
  const auto layers = setup.environment.find("OPENCL_LAYERS");
  return Verdict(ProbeOpenCl(layers->second, setup.scheduling));
}

// The same for the program, whichever of the two it uses.
std::string FindProblem(const Run& run, const LayerSetup& setup, const CudaSetup& cuda) {
  if (!cuda.problem.empty()) return cuda.problem;
  // A machine with a CUDA driver need not have OpenCL; the program is not made to wait for finding out.
  return cuda.environment.empty() ? FindOpenClProblem(run, setup) : "";
}

// Reports a problem that does not keep the program from running. False: with --strict, it does.
bool Tolerate(const Run& run, const std::string& problem) {
  if (problem.empty()) return true;
  const char* end = run.options.strict ? " (refused: --strict)"
                    : run.check        ? ""
                                       : "; the program runs unscheduled";
  Complain("mortar run: " + problem + end);
  return !run.options.strict;
}

// mortar run --check: one line for each of the two that this machine has.
int Check(const Run& run, const LayerSetup& setup, const CudaSetup& cuda, bool boards_usable) {
  const bool has_cuda = !cuda.environment.empty() && cuda.problem.empty();
  if (has_cuda && boards_usable) {
    Print("CUDA programs would be scheduled by " + cuda.shim + " over " + cuda.driver + "\n");
  }
  bool well = cuda.problem.empty();
  Tolerate(run, cuda.problem);
  const std::string opencl = FindOpenClProblem(run, setup);
  if (opencl.empty()) {
    if (boards_usable) Print("OpenCL programs would be scheduled by " + setup.scheduling + "\n");
  } else if (!has_cuda) {
    Tolerate(run, opencl);
    well = false;
  }
  return well && boards_usable ? kDone : kFailed;
}

int RunProgram(const Run& run, const std::vector<std::string>& program) {
  if (program.empty() && !run.check) {
    return Refuse(kBadInput,
                  "no program given; write it behind --, as in: mortar run --name serve -- ./server");
  }
  auto environment = ComposeEnvironment(run.options);
  if (!environment.ok()) return Refuse(kBadInput, environment.error().message);
  if (!run.options.sim_device.empty()) {
    if (const auto used = UseSimDevice(run.options.sim_device); !used.ok())
      return Refuse(kBadInput, used.error().message);
  }
  const char* existing = std::getenv("OPENCL_LAYERS");
  const auto setup = SetUpLayers(run.options, existing != nullptr ? existing : "");
  if (!setup.ok()) return Refuse(kBadInput, setup.error().message);
  base::Result<std::string> path = std::string();
  if (!program.empty()) path = FindProgram(program.front());
  if (!path.ok()) return Refuse(ExitOf(path.error()), path.error().message);
  if (run.options.unscheduled && !run.check) return Launch(*path, program, *environment);
  const auto boards = CheckBoards(run.options);
  if (!boards.ok() && boards.error().code == base::Code::kExists)
    return Refuse(kBadInput, boards.error().message);
  if (!boards.ok() && !Tolerate(run, boards.error().message)) return kFailed;
  const CudaSetup cuda = SetUpCuda(ReadCudaSurroundings(run.options.priority), *path);
  if (run.check) return Check(run, *setup, cuda, boards.ok());
  if (!Tolerate(run, FindProblem(run, *setup, cuda))) return kFailed;
  environment->insert(setup->environment.begin(), setup->environment.end());
  environment->insert(cuda.environment.begin(), cuda.environment.end());
  return Launch(*path, program, *environment);
}

}  // namespace

void AddRun(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("run", "Run a program under Mortar");
  auto run = std::make_shared<Run>();
  AddRunOptions(*command, run->options);
  auto* check = command->add_flag("--check", run->check, "Only say whether programs would be scheduled");
  command->add_flag("--no-check", run->no_check, "Start at once, without trying the OpenCL loader first")
      ->excludes(check);
  AddDirectoryOption(*command, invocation);
  command->footer(
      "Examples:\n  mortar run --name serve --priority 0 --max-slowdown 2% -- ./server --port 80\n"
      "  mortar run --name train --priority 5 -- python3 train.py\n"
      "  mortar run --name train --priority 5 --min-share 10% --memory 4GiB -- python3 train.py\n"
      "  mortar run --emulate examples/tables/demo.txt -- ./train\n"
      "  mortar run --sim-device examples/devices/h100.toml -- ./cuda_program\n\n"
      "Where something keeps the program from being scheduled, one line says so and it runs all the same.");
  invocation.take_program.push_back(command);
  command->callback([&invocation, run] {
    // By value: the action outlives nothing that it uses, whoever calls it.
    invocation.action = [&invocation, run] { return RunProgram(*run, invocation.program); };
  });
}

}  // namespace mortar::cli
