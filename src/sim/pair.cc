#include "sim/pair.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "sim/slowdown.h"
#include "trace/read_recording.h"

namespace mortar::sim {
namespace {

constexpr double kNone64 = std::numeric_limits<double>::quiet_NaN();

double Seconds(const RunResult& run) {
  return static_cast<double>(std::max<Ns>(1, run.window_end_ns - run.window_begin_ns)) * 1e-9;
}

double WorkPerSecond(const RunResult& run, std::size_t client) {
  return static_cast<double>(run.clients[client].work_ns) / Seconds(run);
}

double Busy(const RunResult& run) { return static_cast<double>(run.busy_ns) * 1e-9 / Seconds(run); }

// The most that a filler could have, against alone: on each device no more than the holder leaves idle.
double Fluid(const RunResult& holder, const RunResult& filler) {
  double most = 0;
  double alone = 0;
  for (std::size_t i = 0; i < filler.device_busy_ns.size(); ++i) {
    const double wanted = static_cast<double>(filler.device_busy_ns[i]) * 1e-9 / Seconds(filler);
    const bool shared = i < holder.device_busy_ns.size();
    const double busy = shared ? static_cast<double>(holder.device_busy_ns[i]) * 1e-9 / Seconds(holder) : 0;
    most += std::min(std::max(0.0, 1 - busy), wanted);
    alone += wanted;
  }
  return alone > 0 ? most / alone : kNone64;
}

double MeanRequest(const ClientResult& client) {
  double sum = 0;
  for (const RequestTimes& r : client.requests) sum += static_cast<double>(r.end_ns - r.arrival_ns);
  return client.requests.empty() ? kNone64 : sum / static_cast<double>(client.requests.size());
}

std::vector<double> ByNumber(const ClientResult& client) {
  std::vector<double> times;
  for (const RequestTimes& r : client.requests) {
    if (times.size() <= r.number) times.resize(r.number + 1, kNone64);
    times[r.number] = static_cast<double>(r.end_ns - r.arrival_ns);
  }
  return times;
}

}  // namespace

base::Error NoRequest(const Source& holder, const trace::ArrivalSpec& arrivals, bool exhausted) {
  std::string cause = "no request of it ends in the time simulated; simulate longer with --for";
  if (exhausted) {
    cause = "its arrivals are over before it is learned (20 requests and a fifth of the time): ";
    cause += arrivals.kind == trace::ArrivalKind::kFile
                 ? "name a file with more instants in the time simulated"
                 : "give it a higher rate, or simulate longer";
  }
  return {base::Code::kInvalid, "simulate " + holder.path + " as holder: " + cause};
}

base::Result<Source> ReadSource(const std::string& path) {
  auto recording = trace::ReadRecording(path);
  if (!recording) return recording.error();
  auto shared = std::make_shared<const trace::Recording>(std::move(recording).value());
  return Source{path, ProgramName(path), std::move(shared)};
}

std::shared_ptr<Bench::Slot> Bench::Find(std::map<std::string, std::shared_ptr<Slot>>* slots,
                                         const std::string& key) {
  const std::lock_guard lock(mutex_);
  auto& slot = (*slots)[key];
  if (slot == nullptr) slot = std::make_shared<Slot>();
  return slot;
}

base::Result<std::shared_ptr<const Bench::Alone>> Bench::HolderAlone(const Source& holder) {
  const auto slot = Find(&holders_, holder.path);
  std::call_once(slot->once, [&] { slot->made = std::make_unique<Made>(MakeHolder(holder)); });
  return *slot->made;
}

base::Result<std::shared_ptr<const Bench::Alone>> Bench::FillerAlone(const Source& filler) {
  const auto slot = Find(&fillers_, filler.path);
  std::call_once(slot->once, [&] { slot->made = std::make_unique<Made>(MakeFiller(filler)); });
  return *slot->made;
}

RunSpec Bench::Frame() const {
  RunSpec spec;
  spec.device = options_.device;
  spec.settings.in_flight_bound_ns = options_.in_flight_bound_ns;
  spec.settings.margin_ns = options_.margin_ns;
  spec.for_ns = options_.for_ns;
  spec.max_requests = options_.max_requests;
  spec.threshold = options_.threshold;
  spec.seed = options_.seed;
  spec.gate_ns = options_.gate_ns;
  return spec;
}

Bench::Made Bench::MakeHolder(const Source& holder) const {
  auto alone = std::make_shared<Alone>();
  CompileOptions compile;
  compile.learns = true;
  compile.blocking = options_.blocking;
  compile.drain_requests = options_.arrivals.kind != trace::ArrivalKind::kBackToBack;
  auto program = Compile(*holder.recording, compile);
  if (!program) return program.error();
  alone->program = *program;
  RunSpec spec = Frame();
  spec.policy = Policy::kShare;
  spec.clients.resize(1);
  ClientSpec& client = spec.clients[0];
  client.name = holder.name;
  client.program = alone->program;
  client.judged = true;
  client.jitter = options_.jitter;
  client.max_slowdown = options_.max_slowdown;
  spec.record_offline = true;
  RunResult first = Run(spec);
  alone->offline = std::make_shared<const std::vector<OfflineMeans>>(std::move(first.clients[0].offline));
  spec.record_offline = false;
  if (compile.drain_requests) {
    if (first.clients[0].requests.empty()) {
      // A request outlasts what is simulated; its rate may be asked for all the same.
      RunSpec longer = spec;
      longer.for_ns *= 10;
      first = Run(longer);
    }
    alone->rate = 1e9 / MeanRequest(first.clients[0]);
    auto arrivals = MakeArrivalInstants(options_, alone->rate);
    if (!arrivals) return arrivals.error();
    alone->arrivals = std::make_shared<const std::vector<Ns>>(std::move(arrivals).value());
    client.arrivals = alone->arrivals;
  }
  spec.keep_schedule = true;
  alone->run = Run(spec);
  const ClientResult& had = alone->run.clients[0];
  if (had.requests.empty() && compile.drain_requests) {
    return NoRequest(holder, options_.arrivals, had.exhausted);
  }
  alone->request_ns = ByNumber(alone->run.clients[0]);
  alone->work_per_s = WorkPerSecond(alone->run, 0);
  return std::shared_ptr<const Alone>(std::move(alone));
}

Bench::Made Bench::MakeFiller(const Source& filler) const {
  auto alone = std::make_shared<Alone>();
  // What it does alone is measured whole: cutting is a cost of sharing.
  auto whole = Compile(*filler.recording, {});
  if (!whole) return whole.error();
  CompileOptions compile;
  compile.split_ns = options_.split_ns;
  compile.split_cost_ns = options_.split_cost_ns;
  auto program = Compile(*filler.recording, compile);
  if (!program) return program.error();
  alone->program = *program;
  RunSpec spec = Frame();
  spec.policy = Policy::kShare;
  spec.max_requests = UINT64_MAX;
  spec.clients.resize(1);
  spec.clients[0].name = filler.name;
  spec.clients[0].program = *whole;
  alone->run = Run(spec);
  alone->work_per_s = WorkPerSecond(alone->run, 0);
  alone->rate = 1e9 / MeanRequest(alone->run.clients[0]);
  spec.clients[0].program = alone->program;
  spec.record_offline = true;
  RunResult recorded = Run(spec);
  alone->offline = std::make_shared<const std::vector<OfflineMeans>>(std::move(recorded.clients[0].offline));
  alone->known = std::make_shared<const Durations>(std::move(recorded.clients[0].durations));
  return std::shared_ptr<const Alone>(std::move(alone));
}

RunSpec Bench::Pair(const Alone& holder, const Alone& filler, Policy policy) const {
  RunSpec spec = Frame();
  spec.policy = policy;
  spec.clients.resize(2);
  ClientSpec& first = spec.clients[0];
  first.program = holder.program;
  first.arrivals = holder.arrivals;
  first.judged = true;
  first.learn_laps = holder.run.learn_laps;
  first.jitter = options_.jitter;
  first.max_slowdown = options_.max_slowdown;
  first.offline = policy == Policy::kFikit ? holder.offline : nullptr;
  first.name = holder.program->name;
  ClientSpec& second = spec.clients[1];
  second.program = filler.program;
  second.priority = model::kLowestPriority;
  second.known = options_.cold ? nullptr : filler.known;
  second.offline = policy == Policy::kFikit ? filler.offline : nullptr;
  second.request_ns = std::isfinite(filler.rate) ? static_cast<Ns>(1e9 / filler.rate) : INT64_MAX / 4;
  second.name = filler.program->name;
  if (IsYardstick(policy)) spec.holder = holder.run.schedule;
  return spec;
}

base::Result<double> Bench::Yardstick(const Source& holder, const Source& filler, Policy policy) {
  auto first = HolderAlone(holder);
  if (!first) return first.error();
  auto second = FillerAlone(filler);
  if (!second) return second.error();
  if (!options_.yardsticks) return kNone64;
  std::shared_ptr<Work> work;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = yardsticks_[holder.path + '\n' + filler.path + '\n' + std::string(PolicyName(policy))];
    if (slot == nullptr) slot = std::make_shared<Work>();
    work = slot;
  }
  std::call_once(work->once, [&] { work->per_s = WorkPerSecond(Run(Pair(**first, **second, policy)), 1); });
  return work->per_s;
}

base::Result<Row> Bench::Measure(const Source& holder, const Source& filler, Policy policy, bool keep_trace) {
  auto first = HolderAlone(holder);
  if (!first) return first.error();
  auto second = FillerAlone(filler);
  if (!second) return second.error();
  auto gap = Yardstick(holder, filler, Policy::kOracleGap);
  if (!gap) return gap.error();
  auto slack = Yardstick(holder, filler, Policy::kOracleSlack);
  if (!slack) return slack.error();
  const Alone& alone = **first;
  const Alone& rest = **second;
  RunSpec spec = Pair(alone, rest, policy);
  spec.keep_trace = keep_trace;
  Row row;
  row.run = Run(spec);
  row.holder = holder.name;
  row.filler = filler.name;
  row.policy = policy;
  row.repeats_itself = alone.program->repeats_itself;
  row.alone_requests = alone.run.clients[0].requests.size();
  row.filler_work_ns = WorkPerSecond(row.run, 1);
  row.gap_work_ns = *gap;
  row.slack_work_ns = *slack;
  row.alone_work_ns = rest.work_per_s;
  const auto ratio = [](double a, double b) { return b > 0 ? a / b : kNone64; };
  row.filler_vs_alone = ratio(row.filler_work_ns, rest.work_per_s);
  row.filler_vs_gap = ratio(row.filler_work_ns, *gap);
  row.filler_vs_slack = ratio(row.filler_work_ns, *slack);
  row.fluid = Fluid(alone.run, rest.run);
  row.device_busy = Busy(row.run);
  row.filler_jct_x = ratio(MeanRequest(row.run.clients[1]) * rest.rate, 1e9);
  Judge(row.run.clients[0], alone.request_ns, options_.max_slowdown, &row);
  return row;
}

}  // namespace mortar::sim
