#include "trace/live_trace.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "trace/json_text.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;

// Instants of a timeline are drawn off their true place by less, where it says nothing.
constexpr std::int64_t kDrawnOffNs = 1100;
constexpr std::int64_t kLongestNs =
    std::int64_t{24} * 3600 * 1'000'000'000;  // what differs by more is damaged

std::string_view Before(std::string_view text, std::string_view mark) {
  return text.substr(0, text.rfind(mark));
}

std::string_view Behind(std::string_view text, std::string_view mark) {
  const auto place = text.find(mark);
  return place == std::string_view::npos ? std::string_view() : text.substr(place + mark.size());
}

// The OpenCL layer's names for what is no kernel.
void SetKind(std::string_view name, SeenOp* op) {
  constexpr std::tuple<std::string_view, OpKind, CopyPath> kKinds[] = {
      {"read buffer", OpKind::kCopy, CopyPath::kDeviceToHost},
      {"write buffer", OpKind::kCopy, CopyPath::kHostToDevice},
      {"copy buffer", OpKind::kCopy, CopyPath::kDeviceToDevice},
      {"map buffer", OpKind::kCopy, CopyPath::kUnsaid},
      {"unmap", OpKind::kCopy, CopyPath::kUnsaid},
      {"fill buffer", OpKind::kSet, CopyPath::kUnsaid}};
  for (const auto& [known, kind, path] : kKinds) {
    if (name != known) continue;
    op->kind = kind;
    op->path = path;
  }
}

bool Near(std::int64_t difference_ns) { return difference_ns >= -kLongestNs && difference_ns <= kLongestNs; }

bool HasTimes(const ChromeEvent& event) {
  if (!Near(event.drawn_late_ns) || !Near(event.drawn_short_ns)) return false;
  if (event.submitted_before_ns != kMissing && !Near(event.submitted_before_ns)) return false;
  return !event.bad_time && event.ts_ns != kMissing && (event.dur_ns == kMissing || event.dur_ns >= 0);
}

}  // namespace

LiveTrace::Program& LiveTrace::ProgramOf(std::string_view pid) {
  const auto found = programs_.find(pid);
  if (found != programs_.end()) return found->second;
  Program& program = programs_[std::string(pid)];
  if (!ParseTrailingNumber(pid, &program.process)) program.process = 0;
  return program;
}

void LiveTrace::AddName(const ChromeEvent& event) {
  if (event.name == "process_name") {
    ProgramOf(event.pid).name = Before(event.label, " (priority ");
  } else if (event.name == "process_labels") {
    ProgramOf(event.pid).device = Behind(event.label, ", device ");
  } else if (event.name == "thread_name") {
    // A thread's requests and its calls are on tracks of their own.
    const std::string_view label = Before(event.label, ", row ");
    const bool host = label.starts_with("host") || label.starts_with("requests");
    const std::string_view number = Behind(label, ", thread ");
    std::int64_t lane = 1;
    if (host && (number.empty() || ParseTrailingNumber(number, &lane)))
      ProgramOf(event.pid).lanes.emplace(event.tid, lane);
  }
}

base::Status LiveTrace::AddKernel(const ChromeEvent& event) {
  if (!HasTimes(event)) return {};
  Op& op = ProgramOf(event.pid).ops.emplace_back();
  op.start_ns = event.ts_ns - event.drawn_late_ns;
  op.duration_ns = std::max<std::int64_t>(
      std::max<std::int64_t>(event.dur_ns, 0) + event.drawn_late_ns + event.drawn_short_ns, 0);
  if (event.submitted_before_ns != kMissing) op.submitted_ns = op.start_ns - event.submitted_before_ns;
  op.name = event.name.starts_with("fill: ") ? event.name.substr(6) : event.name;
  op.measured = event.measured;
  ++kernels_;
  return {};
}

base::Status LiveTrace::AddHostEvent(const ChromeEvent& event) {
  if (!HasTimes(event)) return {};
  HostEvent& host = ProgramOf(event.pid).host.emplace_back();
  host.start_ns = event.ts_ns;
  host.duration_ns = std::max<std::int64_t>(event.dur_ns, 0);
  host.what = event.what;
  const auto& lanes = ProgramOf(event.pid).lanes;
  const auto lane = lanes.find(event.tid);
  if (lane != lanes.end()) {
    host.thread = lane->second;
  } else if (!ParseTrailingNumber(event.tid, &host.thread)) {
    host.thread = 0;
  }
  return {};
}

void LiveTrace::AddSpool(const Client& client) {
  using model::TraceKind;
  Program& program = programs_[std::to_string(client.pid) + "/" + std::to_string(programs_.size())];
  program.name = client.name;
  program.device = client.device;
  program.process = client.pid;
  std::map<std::pair<std::uint64_t, std::int64_t>, std::size_t> by_submit;
  for (const model::TraceRecord& record : client.records) {
    const auto kind = static_cast<TraceKind>(record.kind);
    if (kind == TraceKind::kSubmit) {
      by_submit.emplace(std::pair{record.id, record.begin_ns}, program.ops.size());
      Op& op = program.ops.emplace_back();
      op.start_ns = std::max(record.begin_ns, record.end_ns - record.value_ns);
      op.duration_ns = record.end_ns - op.start_ns;
      op.submitted_ns = record.begin_ns;
      const auto name = client.kernels.find(record.id);
      op.name = name != client.kernels.end() ? name->second : "kernel " + std::to_string(record.id);
      op.measured = false;
      program.host.push_back({record.begin_ns, 0, record.lane, EventClass::kSubmit});
      ++kernels_;
    } else if (kind == TraceKind::kDevice) {
      const auto found = by_submit.find({record.id, record.value_ns});
      if (found == by_submit.end()) continue;
      Op& op = program.ops[found->second];
      op.start_ns = record.begin_ns;
      op.duration_ns = record.end_ns - record.begin_ns;
      op.measured = true;
    } else if (kind == TraceKind::kWait || kind == TraceKind::kRequest) {
      program.host.push_back({record.begin_ns, record.end_ns - record.begin_ns, record.lane,
                              kind == TraceKind::kWait ? EventClass::kWait : EventClass::kRequest});
    }
  }
}

base::Result<LiveTrace::Program*> LiveTrace::Choose(const std::string& source) {
  std::vector<Program*> fitting;
  std::string names;
  for (auto& [pid, program] : programs_) {
    if (program.ops.empty()) continue;
    names += (names.empty() ? "" : ", ") + Excerpt(program.name);
    if (wanted_.empty() || program.name == wanted_) fitting.push_back(&program);
  }
  if (fitting.size() == 1) return fitting.front();
  const std::string called = "programs called " + Excerpt(wanted_);
  const std::string what =
      fitting.empty() ? "no " + called : "several " + (wanted_.empty() ? "programs" : called);
  return Error{Code::kInvalid,
               "read " + source + ": " + what + " in it; name one of " + names + " as FILE#NAME"};
}

// One stream, in the order of submission: what was measured stays, predictions make room.
Seen LiveTrace::ToSeen(Program& program) {
  Seen seen;
  seen.recorder = "mortar trace record";
  seen.devices.push_back({0, program.device});
  seen.streams.push_back({0, 0, {}});
  const Index submit = seen.call_names.Of("submit");
  const Index wait = seen.call_names.Of("wait");
  std::map<std::int64_t, Index> threads;
  std::multimap<std::int64_t, std::int64_t> correlations;  // by instant of the submit
  std::int64_t next = 1;
  for (const HostEvent& host : program.host) {
    const auto [place, is_new] = threads.try_emplace(host.thread, static_cast<Index>(threads.size()));
    if (is_new) seen.threads.push_back({program.process, host.thread, {}, false});
    if (host.what == EventClass::kRequest) {
      seen.steps.push_back(
          {host.start_ns, host.duration_ns, static_cast<std::int64_t>(seen.steps.size()), place->second});
      continue;
    }
    SeenCall& call = seen.calls.emplace_back();
    call.start_ns = host.start_ns;
    call.duration_ns = host.duration_ns;
    call.thread = place->second;
    call.name = host.what == EventClass::kSubmit ? submit : wait;
    if (host.what != EventClass::kSubmit) continue;
    call.correlation = next++;
    correlations.emplace(call.start_ns, call.correlation);
  }
  std::stable_sort(program.ops.begin(), program.ops.end(),
                   [](const Op& a, const Op& b) { return a.start_ns < b.start_ns; });
  std::uint64_t predicted = 0;
  std::int64_t free_at = std::numeric_limits<std::int64_t>::min();
  for (const Op& from : program.ops) {
    SeenOp& op = seen.ops.emplace_back();
    op.start_ns = from.measured ? from.start_ns : std::max(from.start_ns, free_at);
    op.duration_ns = from.duration_ns;
    op.name = seen.op_names.Of(from.name);
    SetKind(from.name, &op);
    free_at = std::max(free_at, op.start_ns + op.duration_ns);
    predicted += from.measured ? 0 : 1;
    if (from.submitted_ns == kMissing) continue;
    const auto found = correlations.lower_bound(from.submitted_ns - kDrawnOffNs);
    if (found == correlations.end() || found->first > from.submitted_ns + kDrawnOffNs) continue;
    op.correlation = found->second;
    correlations.erase(found);
  }
  if (predicted > 0) {
    seen.notes.push_back(
        {"operations whose time on the device was predicted, not measured", predicted, false});
  }
  return seen;
}

base::Result<Recording> LiveTrace::Make(const std::string& source) {
  const auto program = Choose(source);
  if (!program) return program.error();
  Seen seen = ToSeen(**program);
  seen.source = source;
  return Assemble(std::move(seen));
}

}  // namespace mortar::trace
