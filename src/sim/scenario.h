// A mix of any number of programs, written down in TOML: who runs, how important, when requests come, on
// which device, under which policy.
//
//   policy = "fill"
//   for = "5s"
//   [device]
//   mode = "sliced"            # fifo, sliced
//   [[client]]
//   recording = "bert.json.gz" # paths count from the scenario's own folder
//   priority = 0
//   arrivals = "poisson:20/s"
//
// Reading is pure but for nothing (the text comes from the caller) and treats it as untrusted: errors name
// file and line. Running reads the recordings named.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/pair.h"

namespace mortar::sim {

struct ScenarioClient {
  std::string name;
  std::string recording;
  int priority = model::kLowestPriority;
  trace::ArrivalSpec arrivals;
  double max_slowdown = 0.02;
  double weight = 1;
  double min_share = 0;
  bool floor_first = false;
  std::uint32_t device = 0;
  Ns split_ns = 0;
  Ns split_cost_ns = 0;
  bool blocking = false;
};

struct Scenario {
  Policy policy = Policy::kFill;
  Ns for_ns = 5'000'000'000;
  std::uint64_t seed = 1;
  DeviceOptions device;
  Ns gate_ns = 0;
  Ns in_flight_bound_ns = 200'000;
  Ns margin_ns = 0;
  std::uint32_t threshold = 4;
  bool jitter = true;
  std::vector<ScenarioClient> clients;
};

// Errors: kInvalid with "name:line: what; what to write".
base::Result<Scenario> ReadScenario(std::string_view text, const std::string& name);

// What one client had, beside what it has alone with the same requests.
struct ScenarioRow {
  std::string name, recording;
  int priority = 0;
  Row row;  // requests, times and slowdowns
  double work_vs_alone = 0;
  double work_ns = 0;        // per second
  std::uint64_t floors = 0;  // of its fills, those that went by its floor
  double floor_harm = 0;     // modelled, by others' floor fills, over undisturbed request time
  double left_out = 0;       // Program::left_out
};
struct ScenarioResult {
  std::vector<ScenarioRow> clients;  // as written
  RunResult run;                     // by priority, then as written: see order
  std::vector<std::size_t> order;    // run.clients[i] is clients[order[i]]
};
// Runs it. `folder`: what relative paths count from. Errors: recordings that cannot be read or repeated.
base::Result<ScenarioResult> RunScenario(const Scenario& scenario, const std::string& folder,
                                         bool keep_trace);

}  // namespace mortar::sim
