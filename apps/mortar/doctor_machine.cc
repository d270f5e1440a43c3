// The checks of what lies around: clock, containers, other interposers, the environment. Pure.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mortar/doctor.h"

namespace mortar::cli {
namespace {

constexpr char kMachineArea[] = "machine";

// Libraries known to put themselves between programs and the driver, by a part of the file's name.
struct Known {
  const char* part;
  const char* what;
  bool schedules;
};
constexpr std::array<Known, 9> kKnown = {{{"libvgpu", "HAMi's limiter", true},
                                          {"libnvshare", "nvshare's scheduler", true},
                                          {"libcuda-control", "the limiter of vCUDA and GaiaGPU", true},
                                          {"libgemhook", "KubeShare's Gemini", true},
                                          {"libtgs", "a scheduler of GPU work", true},
                                          {"libToolsInjection", "NVIDIA's profiler", false},
                                          {"libcupti", "NVIDIA's profiler", false},
                                          {"libclIntercept", "the OpenCL intercept layer", false},
                                          {"apitrace", "apitrace", false}}};

const Known* FindKnown(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  const auto* found = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& known) {
    return file.find(known.part) != std::string::npos;
  });
  return found == kKnown.end() ? nullptr : found;
}

bool IsOurs(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return file.starts_with("libmortar-");
}

std::string MendOf(const System& system, const Interposer& one) {
  if (one.by.front() == '/') return "sudo sed -i " + Quoted("\\|" + one.path + "|d") + " " + one.by;
  std::string rest;
  for (const auto& part : Parts(Value(system, one.by), one.by == "LD_PRELOAD")) {
    if (part != one.path) rest += (rest.empty() ? "" : ":") + part;
  }
  return rest.empty() ? "unset " + one.by : "export " + one.by + "=" + Quoted(rest);
}

void CheckInterposer(const System& system, const Interposer& one, std::vector<Finding>& findings) {
  if (IsOurs(one.path) && one.exists) return;
  const std::string what = one.by + " brings " + one.path;
  const Known* known = FindKnown(one.path);
  if (!one.exists) {
    findings.push_back(
        {kMachineArea, "interposer", Level::kWrong, one.by + " names " + one.path + ", which is not there",
         "what it was to do is not done; the dynamic linker complains at every start", MendOf(system, one)});
  } else if (known != nullptr && known->schedules) {
    findings.push_back({kMachineArea, "interposer", Level::kWrong, what + ": " + known->what,
                        "two schedulers hold each other's programs; harm and gaps are mistaken",
                        MendOf(system, one)});
  } else if (known != nullptr) {
    findings.push_back({kMachineArea, "interposer", Level::kNote, what + ": " + known->what,
                        "submits and kernels take longer while it records; predictions learn that",
                        MendOf(system, one)});
  } else if (one.names_opencl || one.names_cuda) {
    findings.push_back({kMachineArea, "interposer", Level::kNote,
                        what + ", which knows how to submit to " + (one.names_cuda ? "CUDA" : "OpenCL"),
                        "what it submits, delays or takes past Mortar is mistaken for the program's",
                        MendOf(system, one)});
  }
}

}  // namespace

std::vector<Finding> CheckClock(const System& system) {
  std::vector<Finding> findings;
  const bool any_monotonic =
      std::any_of(system.boards.begin(), system.boards.end(),
                  [](const BoardFacts& board) { return board.problem.empty() && !board.counter_clock; });
  if (!system.counter_invariant) {
    findings.push_back(
        {kMachineArea, "clock", Level::kNote,
         "the processor's counter does not tick evenly: boards use CLOCK_MONOTONIC",
         "each submit reads a slower clock, and all programs must be in one time namespace",
         "grep -o -w -e constant_tsc -e nonstop_tsc /proc/cpuinfo | sort -u   # both must show; a virtual "
         "machine needs them passed through"});
  }
  const std::string& source = system.clocksource;
  if (system.counter_invariant && (source == "hpet" || source == "acpi_pm" || source == "jiffies")) {
    findings.push_back(
        {kMachineArea, "clock", Level::kNote,
         "the kernel keeps time by " + source +
             ", though the processor's counter should do: it may have found it unsteady",
         "if the counters of two cores differ, predictions and harm are off by as much",
         "sudo dmesg | grep -i -e tsc -e clocksource   # if it was only cautious, start with tsc=reliable"});
  }
  if (system.namespaces.count("time") != 0 && (any_monotonic || !system.counter_invariant)) {
    findings.push_back({kMachineArea, "clock", Level::kWrong,
                        "this is a time namespace of its own, and boards use CLOCK_MONOTONIC",
                        "boards of programs outside are refused: programs in here run unscheduled",
                        "nsenter -T -t 1 -- $SHELL   # or start the container without a time namespace"});
  }
  if (findings.empty()) {
    findings.push_back(
        {kMachineArea, "clock", Level::kOk,
         "the processor's counter, invariant" + (source.empty() ? "" : "; the kernel's is " + source)});
  }
  return findings;
}

std::vector<Finding> CheckContainers(const System& system) {
  const bool inside = !system.container.empty() || system.namespaces.count("pid") != 0;
  if (!inside) return {{kMachineArea, "container", Level::kOk, "none"}};
  const std::string kind = system.container.empty() ? "a pid namespace of its own" : system.container;
  const bool own_memory = system.directory.mount_source == "shm" || system.directory.origin == "private";
  if (own_memory && system.directory.problem.empty()) {
    return {{kMachineArea, "container", Level::kNote,
             "this is " + kind + ", and the boards' directory " + system.directory.path + " is its own",
             "programs of other containers, and outside, are not met: they neither wait nor are held",
             "docker run -v /run/mortar:/run/mortar -e MORTAR_DIR=/run/mortar …   # start all of them so"}};
  }
  return {{kMachineArea, "container", Level::kOk, kind + "; boards in " + system.directory.path}};
}

std::vector<Finding> CheckInterposers(const System& system) {
  std::vector<Finding> findings;
  for (const auto& one : system.interposers) CheckInterposer(system, one, findings);
  if (findings.empty())
    findings.push_back(
        {kMachineArea, "interposer", Level::kOk, "no other library in between that is known to matter"});
  return findings;
}

std::vector<Finding> CheckEnvironment(const System& system) {
  std::vector<Finding> findings;
  if (!system.options_problem.empty()) {
    const std::size_t start = system.options_problem.find("MORTAR_");
    const std::size_t end = system.options_problem.find('=', start == std::string::npos ? 0 : start);
    const bool named = start != std::string::npos && end != std::string::npos;
    findings.push_back(
        {kMachineArea, "environment", Level::kWrong, system.options_problem,
         "programs started here run unscheduled (with MORTAR_STRICT=1 they find no device)",
         named ? "unset " + system.options_problem.substr(start, end - start) : "env | grep ^MORTAR_"});
  }
  const std::string disabled = Value(system, "MORTAR_DISABLE");
  if (!disabled.empty() && disabled != "0") {
    findings.push_back({kMachineArea, "environment", Level::kWrong, "MORTAR_DISABLE=" + disabled + " is set",
                        "Mortar loads into programs started here, and does nothing", "unset MORTAR_DISABLE"});
  }
  if (findings.empty())
    findings.push_back({kMachineArea, "environment", Level::kOk, "no variable that would stand in the way"});
  return findings;
}

}  // namespace mortar::cli
