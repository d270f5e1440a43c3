// Running a scenario: each client alone, then all together.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "sim/scenario.h"
#include "sim/slowdown.h"

namespace mortar::sim {
namespace {

double PerSecond(const RunResult& run, std::size_t client) {
  return static_cast<double>(run.clients[client].work_ns) * 1e9 /
         static_cast<double>(std::max<Ns>(1, run.window_end_ns - run.window_begin_ns));
}

RunSpec Frame(const Scenario& scenario) {
  RunSpec spec;
  spec.device = scenario.device;
  spec.settings.in_flight_bound_ns = scenario.in_flight_bound_ns;
  spec.settings.margin_ns = scenario.margin_ns;
  spec.gate_ns = scenario.gate_ns;
  spec.for_ns = scenario.for_ns;
  spec.threshold = scenario.threshold;
  spec.seed = scenario.seed;
  return spec;
}

struct Prepared {
  ClientSpec spec;
  RunResult alone;
};

// One client by itself: its arrivals settled, its times known.
base::Result<Prepared> Prepare(const Scenario& scenario, const ScenarioClient& client, const Source& source,
                               bool judged) {
  CompileOptions compile;
  compile.learns = judged;
  compile.blocking = client.blocking;
  compile.split_ns = client.split_ns;
  compile.split_cost_ns = client.split_cost_ns;
  compile.drain_requests = client.arrivals.kind != trace::ArrivalKind::kBackToBack;
  auto program = Compile(*source.recording, compile);
  if (!program) return program.error();
  Prepared prepared;
  prepared.spec.name = client.name;
  prepared.spec.program = *program;
  prepared.spec.priority = client.priority;
  prepared.spec.judged = judged;
  prepared.spec.jitter = scenario.jitter && judged;
  prepared.spec.max_slowdown = client.max_slowdown;
  prepared.spec.weight = client.weight;
  prepared.spec.min_share_ppm = static_cast<std::uint32_t>(std::llround(client.min_share * 1e6));
  prepared.spec.floor_first = client.floor_first;
  prepared.spec.first_device = client.device;
  RunSpec alone = Frame(scenario);
  alone.policy = Policy::kShare;
  alone.clients = {prepared.spec};
  alone.record_offline = true;
  RunResult first = Run(alone);
  prepared.spec.offline =
      std::make_shared<const std::vector<OfflineMeans>>(std::move(first.clients[0].offline));
  double sum = 0;
  for (const RequestTimes& r : first.clients[0].requests) sum += static_cast<double>(r.end_ns - r.arrival_ns);
  const double mean = sum / std::max<double>(1, static_cast<double>(first.clients[0].requests.size()));
  prepared.spec.request_ns = first.clients[0].requests.empty() ? INT64_MAX / 4 : static_cast<Ns>(mean);
  alone.record_offline = false;
  if (compile.drain_requests) {
    PairOptions arrivals;
    arrivals.arrivals = client.arrivals;
    arrivals.for_ns = scenario.for_ns;
    arrivals.seed = scenario.seed;
    auto instants = MakeArrivalInstants(arrivals, mean > 0 ? 1e9 / mean : 0);
    if (!instants) return instants.error();
    prepared.spec.arrivals = std::make_shared<const std::vector<Ns>>(std::move(instants).value());
    alone.clients[0].arrivals = prepared.spec.arrivals;
  }
  alone.keep_schedule = true;
  prepared.alone = Run(alone);
  prepared.spec.learn_laps = prepared.alone.learn_laps;
  const ClientResult& had = prepared.alone.clients[0];
  if (judged && compile.drain_requests && had.requests.empty()) {
    return NoRequest(source, client.arrivals, had.exhausted);
  }
  return prepared;
}

// The client by itself until the end of the window that all had together: each request that ended there has
// then ended here too.
RunResult Alone(const Scenario& scenario, const ClientSpec& client, const RunResult& shared) {
  RunSpec spec = Frame(scenario);
  spec.policy = Policy::kShare;
  spec.clients = {client};
  spec.window_begin_ns = shared.window_begin_ns;
  spec.window_end_ns = shared.window_end_ns;
  return Run(spec);
}

// From the scenario's own folder.
void Resolve(const std::string& folder, std::string* path) {
  if (!path->empty() && path->front() != '/' && !folder.empty()) *path = folder + "/" + *path;
}

std::vector<double> ByNumber(const ClientResult& client) {
  std::vector<double> times;
  for (const RequestTimes& r : client.requests) {
    if (times.size() <= r.number) times.resize(r.number + 1, std::numeric_limits<double>::quiet_NaN());
    times[r.number] = static_cast<double>(r.end_ns - r.arrival_ns);
  }
  return times;
}

}  // namespace

base::Result<ScenarioResult> RunScenario(const Scenario& scenario, const std::string& folder,
                                         bool keep_trace) {
  ScenarioResult result;
  result.order.resize(scenario.clients.size());
  std::iota(result.order.begin(), result.order.end(), std::size_t{0});
  std::stable_sort(result.order.begin(), result.order.end(), [&](std::size_t a, std::size_t b) {
    return scenario.clients[a].priority < scenario.clients[b].priority;
  });
  const int highest = scenario.clients[result.order[0]].priority;
  std::map<std::string, Source> sources;
  std::vector<Prepared> prepared;
  RunSpec spec = Frame(scenario);
  spec.policy = scenario.policy;
  spec.keep_trace = keep_trace;
  for (const std::size_t at : result.order) {
    ScenarioClient client = scenario.clients[at];
    Resolve(folder, &client.recording);
    Resolve(folder, &client.arrivals.path);
    if (!sources.contains(client.recording)) {
      auto source = ReadSource(client.recording);
      if (!source) return source.error();
      sources.emplace(client.recording, std::move(source).value());
    }
    auto one = Prepare(scenario, client, sources.at(client.recording), client.priority == highest);
    if (!one) return one.error();
    spec.clients.push_back(one->spec);
    if (scenario.policy != Policy::kFikit) spec.clients.back().offline = nullptr;
    prepared.push_back(std::move(one).value());
  }
  if (IsYardstick(scenario.policy)) spec.holder = prepared[0].alone.schedule;
  result.run = Run(spec);
  result.clients.resize(scenario.clients.size());
  for (std::size_t i = 0; i < result.order.size(); ++i) {
    const ScenarioClient& client = scenario.clients[result.order[i]];
    ScenarioRow& row = result.clients[result.order[i]];
    row.name = client.name;
    row.recording = client.recording;
    row.priority = client.priority;
    row.floors = result.run.clients[i].floors;
    row.left_out = prepared[i].spec.program->left_out;
    const ClientResult& had = result.run.clients[i];
    const Ns base = had.request_ns - had.harm_ns - had.floor_harm_ns;
    row.floor_harm = base > 0 ? static_cast<double>(had.floor_harm_ns) / static_cast<double>(base) : 0;
    const RunResult by_itself = Alone(scenario, prepared[i].spec, result.run);
    Judge(had, ByNumber(by_itself.clients[0]), client.max_slowdown, &row.row);
    row.work_ns = PerSecond(result.run, i);
    const double alone = PerSecond(by_itself, 0);
    row.work_vs_alone = alone > 0 ? row.work_ns / alone : std::numeric_limits<double>::quiet_NaN();
  }
  return result;
}

}  // namespace mortar::sim
