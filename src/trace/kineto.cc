#include "trace/kineto.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "trace/chrome_event.h"
#include "trace/json_cutter.h"
#include "trace/live_trace.h"
#include "trace/seen.h"

namespace mortar::trace {
namespace {

using base::Code;

// A complaint about events, with the line of the first.
struct Complaint {
  std::uint64_t count = 0;
  std::uint64_t line = 0;
};

CopyPath PathOf(std::string_view name) {
  constexpr std::pair<std::string_view, CopyPath> kPaths[] = {
      {"HtoD", CopyPath::kHostToDevice},   {"HostToDevice", CopyPath::kHostToDevice},
      {"DtoH", CopyPath::kDeviceToHost},   {"DeviceToHost", CopyPath::kDeviceToHost},
      {"DtoD", CopyPath::kDeviceToDevice}, {"DeviceToDevice", CopyPath::kDeviceToDevice},
      {"PtoP", CopyPath::kPeerToPeer},     {"Peer", CopyPath::kPeerToPeer},
      {"HtoH", CopyPath::kHostToHost}};
  for (const auto& [word, path] : kPaths) {
    if (name.find(word) != std::string_view::npos) return path;
  }
  return CopyPath::kUnsaid;
}

class Collector {
 public:
  Collector(ByteSource& source, const ReadOptions& options)
      : cutter_(source), source_(source), options_(options), live_(options.client) {}

  base::Result<Recording> Read();

 private:
  base::Status Take(const JsonCutter::Piece& piece);
  base::Status AddEvent(const ChromeEvent& event);
  base::Status AddOp(const ChromeEvent& event, OpKind kind);
  base::Status AddCall(const ChromeEvent& event);
  base::Status AddSync(const ChromeEvent& event);
  base::Status AddStep(const ChromeEvent& event);
  base::Status AddFlow(const ChromeEvent& event);
  void AddName(const ChromeEvent& event);
  void AddMember(std::string_view key, std::string_view value);
  bool HasTimes(const ChromeEvent& event);
  void Complain(const char* what) {
    Complaint& complaint = complaints_[what];
    if (complaint.count++ == 0) complaint.line = line_;
  }
  base::Result<Index> StreamOf(std::int64_t device, std::int64_t number);
  base::Result<Index> ThreadOf(std::string_view pid, std::string_view tid);
  base::Status CheckShare() const;
  void NameDevices();
  void AddNotes();

  JsonCutter cutter_;
  ByteSource& source_;
  const ReadOptions& options_;
  EventParser parser_;
  Seen seen_;
  LiveTrace live_;
  std::uint64_t line_ = 0;
  std::uint64_t usable_ = 0;
  std::map<std::string, Complaint> complaints_;  // by text
  std::map<std::pair<std::int64_t, std::int64_t>, Index> streams_;
  std::unordered_map<std::string, Index> threads_;
  std::string thread_key_, last_thread_key_;
  Index last_thread_ = 0;
  std::vector<CallClass> classes_;  // of Seen::call_names
  std::vector<std::pair<std::int64_t, std::string>> device_names_;
  std::map<std::string, std::string> thread_names_;
  bool rocm_ = false;
  bool legacy_ = false;
};

constexpr const char* kBadTime = "events whose time is no number or out of range";
constexpr const char* kNegative = "events of negative length";
constexpr const char* kNotObject = "events that are no objects";
constexpr const char* kWrongText = "events with text that is not UTF-8";

base::Result<Index> Collector::StreamOf(std::int64_t device, std::int64_t number) {
  const auto [place, is_new] =
      streams_.try_emplace({device, number}, static_cast<Index>(seen_.streams.size()));
  if (!is_new) return place->second;
  if (seen_.streams.size() == kMostStreams) {
    return cutter_.Here("more than " + std::to_string(kMostStreams) +
                        " streams; these are no streams' numbers, or the file holds many programs");
  }
  auto known = std::find_if(seen_.devices.begin(), seen_.devices.end(),
                            [&](const Device& d) { return d.number == device; });
  if (known == seen_.devices.end()) {
    known = seen_.devices.insert(known, Device{static_cast<std::int32_t>(device), {}});
  }
  seen_.streams.push_back({static_cast<Index>(known - seen_.devices.begin()), number, {}});
  return place->second;
}

base::Result<Index> Collector::ThreadOf(std::string_view pid, std::string_view tid) {
  thread_key_.assign(pid).append(1, '/').append(tid);
  if (thread_key_ == last_thread_key_) return last_thread_;
  const auto [place, is_new] = threads_.try_emplace(thread_key_, static_cast<Index>(seen_.threads.size()));
  if (is_new) {
    if (seen_.threads.size() == kMostThreads) {
      return cutter_.Here("more than " + std::to_string(kMostThreads) + " host threads");
    }
    SeenThread& thread = seen_.threads.emplace_back();
    if (!ParseTrailingNumber(pid, &thread.process)) thread.process = 0;
    if (!ParseTrailingNumber(tid, &thread.number)) thread.number = place->second;
  }
  last_thread_key_ = thread_key_;
  last_thread_ = place->second;
  return place->second;
}

bool Collector::HasTimes(const ChromeEvent& event) {
  if (event.bad_time || event.ts_ns == kMissing) {
    Complain(kBadTime);
    return false;
  }
  if (event.dur_ns != kMissing && event.dur_ns < 0) {
    Complain(kNegative);
    return false;
  }
  ++usable_;
  return true;
}

base::Status Collector::AddOp(const ChromeEvent& event, OpKind kind) {
  if (!HasTimes(event)) return {};
  std::int64_t device = event.device;
  std::int64_t number = event.stream;
  if (device == kMissing && !ParseTrailingNumber(event.pid, &device)) device = 0;
  if (number == kMissing && !ParseTrailingNumber(event.tid, &number)) number = 0;
  if (device < 0 || device > INT32_MAX) {
    Complain("device operations of a device that no number names");
    return {};
  }
  const auto stream = StreamOf(device, number);
  if (!stream) return stream.error();
  SeenOp& op = seen_.ops.emplace_back();
  op.start_ns = event.ts_ns;
  op.duration_ns = std::max<std::int64_t>(event.dur_ns, 0);
  if (event.correlation > 0) op.correlation = event.correlation;
  op.name = seen_.op_names.Of(event.name);
  op.stream = *stream;
  op.line = static_cast<std::uint32_t>(std::min<std::uint64_t>(line_, UINT32_MAX));
  op.kind = kind;
  model::LaunchShape shape = event.shape;
  if (kind != OpKind::kKernel) {
    shape = {};
    shape.shared_bytes = event.bytes > 0 ? static_cast<std::uint64_t>(event.bytes) : 0;
    op.shape = seen_.shapes.Of(shape);
  } else if (event.shape_known) {
    op.shape = seen_.shapes.Of(shape);
  }
  if (kind == OpKind::kCopy) {
    op.path = PathOf(event.name);
    op.pageable = event.name.find("Pageable") != std::string_view::npos;
  }
  return {};
}

base::Status Collector::AddCall(const ChromeEvent& event) {
  const Index name = seen_.call_names.Of(event.name);
  if (name >= classes_.size()) {
    classes_.push_back(ClassifyCall(event.name));
    rocm_ = rocm_ || event.name.starts_with("hip");
  }
  if (classes_[name] == CallClass::kUseless || !HasTimes(event)) return {};
  const auto thread = ThreadOf(event.pid, event.tid);
  if (!thread) return thread.error();
  SeenCall& call = seen_.calls.emplace_back();
  call.start_ns = event.ts_ns;
  call.duration_ns = std::max<std::int64_t>(event.dur_ns, 0);
  if (event.correlation > 0) call.correlation = event.correlation;
  call.name = name;
  call.thread = *thread;
  call.line = static_cast<std::uint32_t>(std::min<std::uint64_t>(line_, UINT32_MAX));
  if (event.shape_known) call.shape = seen_.shapes.Of(event.shape);
  return {};
}

base::Status Collector::AddSync(const ChromeEvent& event) {
  if (event.correlation <= 0) return {};
  std::int64_t device = event.device;
  if (device == kMissing && !ParseTrailingNumber(event.pid, &device)) return {};
  if (device < 0 || device > INT32_MAX) return {};
  SeenSync sync;
  sync.correlation = event.correlation;
  if (event.wait_on_record > 0) sync.record = event.wait_on_record;
  for (const auto& [number, place] :
       {std::pair{event.stream, &sync.stream}, {event.wait_on_stream, &sync.wait_on}}) {
    if (number < 0) continue;
    const auto stream = StreamOf(device, number);
    if (!stream) return stream.error();
    *place = *stream;
  }
  seen_.syncs.push_back(sync);
  return {};
}

base::Status Collector::AddStep(const ChromeEvent& event) {
  if (!HasTimes(event)) return {};
  const auto thread = ThreadOf(event.pid, event.tid);
  if (!thread) return thread.error();
  SeenStep& step = seen_.steps.emplace_back();
  step.start_ns = event.ts_ns;
  step.duration_ns = std::max<std::int64_t>(event.dur_ns, 0);
  step.thread = *thread;
  if (!ParseTrailingNumber(event.name, &step.number))
    step.number = static_cast<std::int64_t>(seen_.steps.size());
  return {};
}

base::Status Collector::AddFlow(const ChromeEvent& event) {
  const auto thread = ThreadOf(event.pid, event.tid);
  if (!thread) return thread.error();
  seen_.threads[*thread].hands_over = true;
  return {};
}

void Collector::AddName(const ChromeEvent& event) {
  if (event.name == "thread_name" && thread_names_.size() < kMostThreads) {
    thread_names_[std::string(event.pid) + '/' + std::string(event.tid)] = event.label;
  }
  live_.AddName(event);
}

base::Status Collector::AddEvent(const ChromeEvent& event) {
  switch (event.what) {
    case EventClass::kOther:
      return {};
    case EventClass::kHalf:
      Complain("device operations written as a begin and an end (ph B and E); whole ones (ph X) are read");
      return {};
    case EventClass::kKernel:
      if (event.predicted_seen) return live_.AddKernel(event);
      return AddOp(event, OpKind::kKernel);
    case EventClass::kLegacy:
      legacy_ = true;
      return AddOp(event, OpKind::kKernel);
    case EventClass::kCopy:
      return AddOp(event, OpKind::kCopy);
    case EventClass::kSet:
      return AddOp(event, OpKind::kSet);
    case EventClass::kCall:
      return AddCall(event);
    case EventClass::kSync:
      return AddSync(event);
    case EventClass::kStep:
      return AddStep(event);
    case EventClass::kFlow:
      return AddFlow(event);
    case EventClass::kName:
      AddName(event);
      return {};
    case EventClass::kSubmit:
    case EventClass::kWait:
    case EventClass::kRequest:
      return live_.AddHostEvent(event);
  }
  return {};
}

base::Status Collector::Take(const JsonCutter::Piece& piece) {
  line_ = piece.line;
  if (piece.text.front() != '{') {
    Complain(kNotObject);
    return {};
  }
  const auto event = parser_.Parse(piece.text);
  if (event) return AddEvent(*event);
  if (event.error().code == Code::kInvalid) {
    Complain(kWrongText);
    return {};
  }
  return cutter_.Here("not JSON: " + event.error().message);
}

void Collector::AddMember(std::string_view key, std::string_view value) {
  if (key == "deviceProperties") device_names_ = ParseDeviceProperties(value);
  if (key == "roctracer_version" || key == "hip_runtime_version") rocm_ = true;
}

// A few damaged events are named and left out; a file in which they are many is not to be trusted.
base::Status Collector::CheckShare() const {
  for (const char* what : {kBadTime, kNegative, kNotObject, kWrongText}) {
    const auto found = complaints_.find(what);
    if (found == complaints_.end() || found->second.count * 100 <= usable_) continue;
    return cutter_.At(found->second.line, std::to_string(found->second.count) + " " + what +
                                              ", more than one in a hundred; the first is here");
  }
  return {};
}

void Collector::NameDevices() {
  for (Device& device : seen_.devices) {
    for (const auto& [number, name] : device_names_) {
      if (number == device.number) device.name = name;
    }
  }
  for (const auto& [key, index] : threads_) {
    if (const auto name = thread_names_.find(key); name != thread_names_.end())
      seen_.threads[index].name = name->second;
  }
}

void Collector::AddNotes() {
  for (const auto& [what, complaint] : complaints_) {
    seen_.notes.push_back(
        {what + " (the first in line " + std::to_string(complaint.line) + ")", complaint.count, true});
  }
}

base::Result<Recording> Collector::Read() {
  while (true) {
    const auto piece = cutter_.Next();
    if (!piece) return piece.error();
    if (piece->what == JsonCutter::What::kEnd) break;
    if (piece->what == JsonCutter::What::kMember) {
      AddMember(piece->key, piece->text);
    } else if (auto status = Take(*piece); !status.ok()) {
      return status.error();
    }
  }
  if (auto status = CheckShare(); !status.ok()) return status.error();
  if (seen_.ops.empty() && live_.found()) return live_.Make(source_.name());
  seen_.source = source_.name();
  seen_.recorder = legacy_ ? "torch.autograd.profiler" : rocm_ ? "Kineto (ROCm)" : "Kineto (CUDA)";
  seen_.device_only = options_.device_only;
  NameDevices();
  AddNotes();
  return Assemble(std::move(seen_));
}

}  // namespace

base::Result<Recording> ReadChromeTrace(ByteSource& source, const ReadOptions& options) {
  return Collector(source, options).Read();
}

}  // namespace mortar::trace
