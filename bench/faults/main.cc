// The fault injector; see --help.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/faults/scenario.h"
#include "model/model.h"

namespace {

using mortar::faults::Fault;
using mortar::faults::Outcome;
using mortar::faults::Role;
using mortar::faults::Scenario;
using mortar::model::PolicyId;

constexpr char kHelp[] =
    R"(Kills, stops and corrupts clients of a board, and measures how long the others stand still.

Programs share a board through Mortar's client library, on a device that sleeps; no OpenCL, no GPU. A control program
without Mortar runs beside them: a stall that it suffers too is the machine's. Scenarios:
  holder, waiter, claimant   SIGKILL while it holds; is held at the gate; has a claim standing      (fill: N times;
                             other policies: a tenth)
  stop-…                     SIGSTOP instead                                                        (a tenth)
  large                      SIGKILL to a holder with 4 GiB of memory                               (a fiftieth)
  core                       a holder of 512 MiB dumps core                                         (a fiftieth)
  bytes                      random bytes of the board overwritten                                  (a tenth)
  none                       nothing: how long a filler is held by a living holder, by right        (a tenth)

Figures: survivor_max_stall_ms and control_max_stall_ms (longest standstill of any in a window of 60 ms from the fault
on, however long it lasted), worst_excess_ms (largest difference of the two in one window), over_50ms (windows where it
is more than 50 ms), hangs (nothing for 5 s), crashes. Exit status: 0; 1 with a hang or a crash; 2 for bad usage.)";

std::vector<Scenario> AllScenarios(int kills) {
  const int tenth = std::max(1, kills / 10);
  const int fiftieth = std::max(1, kills / 50);
  std::vector<Scenario> all;
  const std::vector<std::pair<std::string, Role>> roles = {
      {"holder", Role::kHolder}, {"waiter", Role::kWaiter}, {"claimant", Role::kClaimant}};
  for (const auto& [name, role] : roles) {
    all.push_back({name, PolicyId::kFill, role, Fault::kKill, kills});
    for (const PolicyId policy : {PolicyId::kFikit, PolicyId::kPriority, PolicyId::kExclusive}) {
      // Nobody fills under `exclusive`, nor under `fikit` without offline means.
      if (role == Role::kClaimant && policy != PolicyId::kPriority) continue;
      all.push_back({name, policy, role, Fault::kKill, tenth});
    }
  }
  for (const auto& [name, role] : roles)
    all.push_back({"stop-" + name, PolicyId::kFill, role, Fault::kStop, tenth});
  all.push_back({"none", PolicyId::kFill, Role::kClaimant, Fault::kNone, tenth});
  all.push_back({"large", PolicyId::kFill, Role::kHolder, Fault::kKill, fiftieth, std::size_t{4} << 30});
  all.push_back({"core", PolicyId::kFill, Role::kHolder, Fault::kCore, fiftieth, std::size_t{512} << 20});
  all.push_back({"bytes", PolicyId::kFill, Role::kHolder, Fault::kBytes, tenth});
  return all;
}

std::size_t AvailableMemory() {
  return static_cast<std::size_t>(sysconf(_SC_AVPHYS_PAGES)) *
         static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void PrintJson(const Scenario& scenario, const Outcome& outcome) {
  const nlohmann::ordered_json line = {{"scenario", scenario.name},
                                       {"policy", mortar::model::PolicyName(scenario.policy)},
                                       {"kills", outcome.times},
                                       {"in_role", outcome.in_role},
                                       {"survivor_max_stall_ms", outcome.survivor_max_stall_ms},
                                       {"survivor_median_stall_ms", outcome.survivor_median_stall_ms},
                                       {"control_max_stall_ms", outcome.control_max_stall_ms},
                                       {"worst_excess_ms", outcome.worst_excess_ms},
                                       {"over_50ms", outcome.over_50ms},
                                       {"hangs", outcome.hangs},
                                       {"crashes", outcome.crashes},
                                       {"device", "none: kernels are sleeps"}};
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

void PrintRow(const Scenario& scenario, const Outcome& outcome) {
  fmt::print("{:<14} {:<9} {:>6} {:>7} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.1f} {:>6} {:>6} {:>7}\n",
             scenario.name, mortar::model::PolicyName(scenario.policy), outcome.times, outcome.in_role,
             outcome.survivor_median_stall_ms, outcome.survivor_max_stall_ms, outcome.control_max_stall_ms,
             outcome.worst_excess_ms, outcome.over_50ms, outcome.hangs, outcome.crashes);
  std::fflush(stdout);
}

int RunAll(int count, char** words) {
  CLI::App app(kHelp, "faults.sh");
  int kills = 1000;
  std::uint64_t seed = 1;
  bool json = false;
  std::vector<std::string> only;
  app.add_option("--kills", kills, "of each role under fill (default 1000)")->check(CLI::Range(1, 1'000'000));
  app.add_option("--scenario", only, "only this one (repeatable)");
  app.add_option("--seed", seed, "of the random instants and bytes (default 1)");
  app.add_flag("--json", json, "one JSON object a line");
  app.footer("Example: bench/faults.sh --kills 100 --scenario holder");
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const std::vector<Scenario> all = AllScenarios(kills);
  for (const std::string& name : only) {
    if (std::none_of(all.begin(), all.end(), [&](const Scenario& each) { return each.name == name; })) {
      fmt::print(stderr, "faults: there is no scenario '{}'; --help lists them\n", name);
      return 2;
    }
  }
  if (!json) {
    fmt::print(
        "Stalls in ms; no device: kernels are sleeps.\n{:<14} {:<9} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9} "
        "{:>6} {:>6} {:>7}\n",
        "scenario", "policy", "faults", "in role", "median", "largest", "control", "excess", ">50 ms",
        "hangs", "crashes");
  }
  mortar::base::Random random(seed);
  bool bad = false;
  for (const Scenario& scenario : all) {
    if (!only.empty() && std::find(only.begin(), only.end(), scenario.name) == only.end()) continue;
    if (scenario.memory * 3 / 2 > AvailableMemory()) {
      fmt::print(stderr, "faults: {} left out: less than {} GiB of memory free\n", scenario.name,
                 (scenario.memory * 3 / 2) >> 30);
      continue;
    }
    const auto outcome = mortar::faults::Run(scenario, random);
    if (!outcome.ok()) {
      fmt::print(stderr, "faults: {}: {}\n", scenario.name, outcome.error().message);
      return 1;
    }
    bad = bad || outcome->hangs > 0 || outcome->crashes > 0;
    json ? PrintJson(scenario, *outcome) : PrintRow(scenario, *outcome);
  }
  return bad ? 1 : 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return RunAll(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faults: %s\n", error.what());
    return 1;
  }
}
