#include "sim/planned.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/slowdown.h"

namespace mortar::sim {
namespace {

constexpr int kKernels = 64;         // chosen: of a batch and of a minibatch
constexpr double kHostShare = 0.25;  // chosen: of a kernel's time, to launch it
constexpr double kLongestMs = 3'600'000;

// Launches ahead of the device, then waits.
ProgramPtr Launches(const std::string& name, double ms) {
  auto program = std::make_shared<Program>();
  program->name = name;
  program->streams = {{0, 0}};
  program->drain_tail_ns = 0;
  const Ns kernel = std::max<Ns>(1, static_cast<Ns>(ms * 1e6 / kKernels));
  program->launches = {{base::Mix(static_cast<std::uint64_t>(kernel)) | 1, name, kernel}};
  std::vector<Step> steps(1);
  steps[0].kind = StepKind::kBegin;
  for (std::uint32_t i = 0; i < kKernels; ++i) {
    Op op;
    op.duration_ns = op.useful_ns = kernel;
    program->judge.ops.push_back(op);
    Step step;
    step.call_ns = static_cast<Ns>(static_cast<double>(kernel) * kHostShare);
    step.first_op = i;
    step.op_count = 1;
    step.launch = 0;
    steps.push_back(step);
  }
  Step end;
  end.kind = StepKind::kEnd;
  end.waits = end.waits_all = true;
  steps.push_back(end);
  program->judge.threads = {std::move(steps)};
  program->judge.device_ns = kernel * kKernels;
  program->judge.requests = 1;
  return program;
}

PlannedShare Share(const PlannedWork& work, const RunSpec& spec) {
  const RunResult run = Run(spec);
  const double seconds = static_cast<double>(std::max<Ns>(1, run.window_end_ns - run.window_begin_ns)) * 1e-9;
  PlannedShare share;
  std::vector<double> times;
  const double queueing = (work.batch - 1) / work.rate * 1e3;
  for (const RequestTimes& r : run.clients[0].requests) {
    times.push_back(queueing + static_cast<double>(r.end_ns - r.arrival_ns) / 1e6);
  }
  std::sort(times.begin(), times.end());
  share.batches = times.size();
  if (!times.empty()) {
    share.p50_ms = QuantileOf(times, 0.5);
    if (times.size() >= kRequestsForP99) share.p99_ms = QuantileOf(times, 0.99);
    share.max_ms = times.back();
  }
  if (run.clients.size() > 1) {
    share.background_per_s =
        static_cast<double>(run.clients[1].work_ns) / 1e6 / work.t_background_ms / seconds;
  }
  share.device_busy = static_cast<double>(run.busy_ns) * 1e-9 / seconds;
  return share;
}

}  // namespace

base::Result<PlannedWork> ReadPlanned(std::string_view json, const std::string& name) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  const auto wrong = [&](const std::string& what) {
    return base::Error{base::Code::kInvalid, "read the plan " + name + ": " + what};
  };
  if (parsed.is_discarded() || !parsed.is_object()) {
    return wrong("it is no JSON object; write it with: mortar plan … --json");
  }
  if (!parsed.value("feasible", false)) return wrong("it found no plan, so there is nothing to run");
  PlannedWork work;
  const auto number = [&](const char* key, double least, double* value) {
    const auto at = parsed.find(key);
    if (at == parsed.end() || !at->is_number()) return false;
    *value = at->get<double>();
    return *value >= least && *value <= kLongestMs;
  };
  double batch = 0;
  double tau = 0;
  for (const auto& [key, least, value] :
       {std::tuple{"rate", 1e-6, &work.rate}, std::tuple{"batch", 1.0, &batch}, std::tuple{"tau", 0.0, &tau},
        std::tuple{"t_in_ms", 1e-6, &work.t_in_ms}}) {
    if (!number(key, least, value)) {
      return wrong("it has no usable \"" + std::string(key) +
                   "\"; plans with an inference and one rate have one");
    }
  }
  if (!number("t_background_ms", 1e-6, &work.t_background_ms)) work.t_background_ms = 0;
  if (!number("latency_ms", 0, &work.latency_ms)) work.latency_ms = 0;
  work.batch = static_cast<int>(batch);
  work.tau = static_cast<int>(tau);
  if (work.t_in_ms > work.batch / work.rate * 1e3)
    return wrong("a batch takes longer than it is until the next");
  return work;
}

PlannedReport RunPlanned(const PlannedWork& work, Ns for_ns, std::uint64_t seed) {
  PlannedReport report;
  report.work = work;
  RunSpec spec;
  spec.for_ns = for_ns;
  spec.seed = seed;
  spec.policy = Policy::kSlice;
  ClientSpec batches;
  batches.name = "inference";
  batches.program = Launches("inference", work.t_in_ms);
  batches.judged = true;
  const double period = work.batch / work.rate * 1e9;
  std::vector<Ns> arrivals;
  // Learning takes 20 batches or a fifth of the time, but never more than twice the time.
  const double until = static_cast<double>(for_ns) * 3 + 2 * period;
  for (double at = 0; at < until; at += period) arrivals.push_back(static_cast<Ns>(at));
  batches.arrivals = std::make_shared<const std::vector<Ns>>(std::move(arrivals));
  spec.clients = {std::move(batches)};
  if (work.t_background_ms > 0) {
    ClientSpec background;
    background.name = "background";
    background.program = Launches("background", work.t_background_ms);
    background.priority = model::kLowestPriority;
    background.request_ns = static_cast<Ns>(work.t_background_ms * 1e6);
    background.most_between = static_cast<std::uint32_t>(std::max(0, work.tau));
    spec.clients.push_back(std::move(background));
  }
  report.plan = Share(work, spec);
  spec.policy = Policy::kFill;
  report.fill = Share(work, spec);
  return report;
}

}  // namespace mortar::sim
