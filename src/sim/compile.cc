#include "sim/compile.h"

#include <algorithm>

#include "sim/jitter.h"
#include "sim/lap_builder.h"
#include "sim/run.h"
#include "sim/slowdown.h"

namespace mortar::sim {
namespace {

constexpr Ns kDrainTailNs = 5'000;     // chosen: return of a wait, where the recording shows none
constexpr Ns kLongestTailNs = 20'000;  // a longer one is not the wait's
constexpr Ns kLaunchNs = 5'000;        // chosen: a launch call, where only durations are known

Ns DrainTail(const trace::Recording& r) {
  std::vector<Ns> tails;
  for (const trace::HostCall& call : r.calls) {
    if (call.waits.count > 0 && call.tail_ns >= 0 && call.tail_ns <= kLongestTailNs)
      tails.push_back(call.tail_ns);
  }
  if (tails.empty()) return kDrainTailNs;
  std::sort(tails.begin(), tails.end());
  return tails[tails.size() / 2];
}

Program Frame(const trace::Recording& r) {
  Program program;
  program.name = ProgramName(r.source);
  program.source = r.source;
  program.drain_tail_ns = DrainTail(r);
  for (const trace::Stream& stream : r.streams) program.streams.push_back({stream.device, stream.number});
  program.devices = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(r.devices.size()));
  return program;
}

// A recording without a host: one thread that launches everything, ahead of the device or when it ran.
trace::Recording WithHost(const trace::Recording& recording) {
  trace::Recording r = recording;
  if (r.form == trace::Form::kClosedLoop) return r;
  r.call_names = {"launch"};
  r.calls.clear();
  std::vector<trace::Index> order(r.ops.size());
  for (trace::Index i = 0; i < order.size(); ++i) order[i] = i;
  if (r.form == trace::Form::kDeviceOnly) {
    std::stable_sort(order.begin(), order.end(),
                     [&](trace::Index a, trace::Index b) { return r.ops[a].start_ns < r.ops[b].start_ns; });
    std::vector<trace::Op> ops;
    for (const trace::Index i : order) ops.push_back(r.ops[i]);
    std::vector<trace::Index> where(order.size());
    for (trace::Index i = 0; i < order.size(); ++i) where[order[i]] = i;
    for (trace::Index& op : r.stream_ops) op = where[op];
    for (trace::Dependency& d : r.dependencies) d = {where[d.op], where[d.after]};
    std::sort(r.dependencies.begin(), r.dependencies.end(),
              [](const auto& a, const auto& b) { return a.op < b.op; });
    r.ops = std::move(ops);
  }
  Ns at = 0;
  for (trace::Index i = 0; i < r.ops.size(); ++i) {
    trace::HostCall call;
    if (r.form == trace::Form::kDeviceOnly) at = std::max(at, r.ops[i].start_ns - kLaunchNs);
    call.start_ns = at;
    call.duration_ns = r.form == trace::Form::kDeviceOnly ? 0 : kLaunchNs;
    call.ops = {i, 1};
    r.ops[i].call = i;
    r.calls.push_back(call);
    at += call.duration_ns;
  }
  r.threads = {trace::HostThread{0, 0, "launches", {0, static_cast<trace::Index>(r.calls.size())}}};
  r.end_ns = std::max(r.end_ns, at);
  r.form = trace::Form::kClosedLoop;
  return r;
}

void SetJitter(const trace::Recording& r, LapBuilder* builder, Program* program) {
  Jitter jitter = MeasureJitter(r);
  program->pools = std::move(jitter.pools);
  builder->set_pools(std::move(jitter.by_call));
}

// A recording without requests begins with its first submit: what is before is setting up.
Ns FirstSubmit(const trace::Recording& r) {
  Ns first = r.end_ns;
  for (const trace::HostCall& call : r.calls) {
    if (call.ops.count > 0) first = std::min(first, call.start_ns);
  }
  return first;
}

// Of the device's time, what no call in the recording submitted: no host brings it there again. What is in
// front of all that was submitted in its stream is no part of it: the time before the recording left it
// there.
double LeftOut(const trace::Recording& r) {
  double all = 0;
  double left_out = 0;
  const auto submitted = [&](trace::Index op) { return r.ops[op].call != trace::kNone; };
  for (const trace::Stream& stream : r.streams) {
    const auto begin = r.stream_ops.begin() + stream.ops.first;
    const auto end = begin + stream.ops.count;
    const auto first = std::find_if(begin, end, submitted);
    for (auto op = begin; op != end; ++op) {
      const auto duration = static_cast<double>(r.ops[*op].duration_ns);
      all += duration;
      if (!submitted(*op) && (first == end || op > first)) left_out += duration;
    }
  }
  return all > 0 ? left_out / all : 0;
}

base::Result<ProgramPtr> CompileHosted(const trace::Recording& r, const CompileOptions& options) {
  auto program = std::make_shared<Program>(Frame(r));
  const std::vector<OpTiming> timing = MeasureTiming(r, options.median_latencies, /*repeated=*/true);
  LapBuilder builder(r, options, timing, program.get());
  SetJitter(r, &builder, program.get());
  const auto requests = static_cast<trace::Index>(r.requests.size());
  const auto stretch = [&](trace::Index first, trace::Index count) {
    return Stretch{r.requests[first].start_ns, r.requests[first + count - 1].end_ns, first, count, false};
  };
  if (requests == 0) {
    program->judge = builder.Build({FirstSubmit(r), r.end_ns + 1, 0, 0, false});
  } else if (options.learns && requests > 1) {
    program->learn = builder.Build(stretch(0, requests / 2));
    program->judge = builder.Build(stretch(requests / 2, requests - requests / 2));
  } else {
    program->judge = builder.Build(stretch(0, requests));
  }
  program->repeats_itself = requests < 2;
  program->left_out = LeftOut(r);
  if (program->judge.ops.empty() || (!program->learn.empty() && program->learn.ops.empty())) {
    return base::Error{
        base::Code::kInvalid,
        "simulate " + r.source + ": its requests put nothing on a device; profile steps that do"};
  }
  return ProgramPtr(std::move(program));
}

Ns Quantile(std::vector<Ns>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

// Times in which nothing runs on any engine of any device, between the first start and the last end.
std::vector<Ns> Gaps(std::vector<std::pair<Ns, Ns>> busy, Ns* span) {
  std::sort(busy.begin(), busy.end());
  std::vector<Ns> gaps;
  Ns until = busy.front().first;
  for (const auto& [start, end] : busy) {
    if (start > until) gaps.push_back(start - until);
    until = std::max(until, end);
  }
  *span = until - busy.front().first;
  return gaps;
}

}  // namespace

base::Result<ProgramPtr> Compile(const trace::Recording& recording, const CompileOptions& options) {
  if (recording.ops.empty()) {
    return base::Error{
        base::Code::kInvalid,
        "simulate " + recording.source + ": nothing runs on a device in it; record with GPU activities on"};
  }
  if (recording.form == trace::Form::kClosedLoop) return CompileHosted(recording, options);
  return CompileHosted(WithHost(recording), options);
}

base::Result<ReplayReport> Replay(const trace::Recording& recording, bool median_latencies) {
  if (recording.ops.empty()) {
    return base::Error{base::Code::kInvalid,
                       "replay " + recording.source + ": nothing runs on a device in it"};
  }
  if (recording.form != trace::Form::kClosedLoop) return Replay(WithHost(recording), median_latencies);
  const trace::Recording& r = recording;
  auto program = std::make_shared<Program>(Frame(r));
  const std::vector<OpTiming> timing = MeasureTiming(r, median_latencies, /*repeated=*/false);
  LapBuilder builder(r, {}, timing, program.get());
  // From just before the first instant: there is room in front of a call that begins then.
  program->judge = builder.Build({-1, r.end_ns + 1, 0, 0, true});
  RunSpec spec;
  ClientSpec client;
  client.program = program;
  client.arrivals = std::make_shared<std::vector<Ns>>(1, 0);
  spec.clients.push_back(client);
  spec.for_ns = INT64_MAX / 4;
  spec.keep_schedule = true;
  const RunResult result = Run(spec);
  std::vector<std::pair<Ns, Ns>> recorded;
  for (const trace::Op& op : r.ops) recorded.emplace_back(op.start_ns, op.end_ns());
  std::vector<std::pair<Ns, Ns>> replayed;
  for (const auto& engine : result.schedule->engines) {
    for (const ScheduledOp& op : engine) replayed.emplace_back(op.start_ns, op.start_ns + op.duration_ns);
  }
  if (replayed.size() != recorded.size()) {
    return base::Error{base::Code::kInvalid, "replay " + r.source + ": " + std::to_string(replayed.size()) +
                                                 " of " + std::to_string(recorded.size()) +
                                                 " operations ran; its hand-overs form a circle"};
  }
  ReplayReport report;
  std::vector<Ns> gaps = Gaps(std::move(recorded), &report.span_ns);
  std::vector<Ns> again = Gaps(std::move(replayed), &report.replayed_span_ns);
  report.span_error =
      static_cast<double>(report.replayed_span_ns) / static_cast<double>(std::max<Ns>(1, report.span_ns)) - 1;
  report.gap_p50_ns = Quantile(gaps, 0.5);
  report.gap_p90_ns = Quantile(gaps, 0.9);
  report.replayed_gap_p50_ns = Quantile(again, 0.5);
  report.replayed_gap_p90_ns = Quantile(again, 0.9);
  return report;
}

}  // namespace mortar::sim
