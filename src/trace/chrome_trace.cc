#include "trace/chrome_trace.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "trace/json_text.h"

namespace mortar::trace {
namespace {

constexpr std::size_t kFlushAt = 1 << 16;
constexpr std::int64_t kAboveAllPids = 10'000'000;  // Linux gives no process a higher number than 4,194,304

enum class Track : std::uint8_t { kRequests, kHost, kGate, kDevice, kGaps };  // in the order shown

// Where a slice is drawn: threads of a Chrome trace.
struct Place {
  Track track;
  std::uint32_t lane;
  int row;
  auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr): its implied 0
};

enum class What : std::uint8_t { kRequest, kWait, kHeld, kKernel, kGap, kSubmit, kHarm };

struct Event {
  std::int64_t at_ns;
  std::int64_t end_ns;
  std::uint32_t client;
  std::uint32_t tid;
  std::uint32_t index;  // in its track's list
  What what;
};

struct Process {
  std::int64_t pid;
  std::map<Place, std::uint32_t> tids;
};

const char* TrackName(Track track, const ClientTimeline& client) {
  switch (track) {
    case Track::kRequests:
      return "requests";
    case Track::kHost:
      return "host";
    case Track::kGate:
      return "gate";
    case Track::kGaps:
      return "gaps";
    case Track::kDevice:
      break;
  }
  const auto measured = std::count_if(client.kernels.begin(), client.kernels.end(),
                                      [](const Kernel& kernel) { return kernel.measured; });
  if (measured == 0) return "device (predicted)";
  return measured == std::ssize(client.kernels) ? "device (measured)" : "device (measured, else predicted)";
}

class Writer {
 public:
  Writer(const std::vector<Client>& clients, const Timeline& timeline, ReasonNamer reason, TextSink* sink)
      : clients_(clients), timeline_(timeline), reason_(reason), sink_(sink) {}

  base::Status Write() {
    FindProcesses();
    text_ = "{\"traceEvents\":[";
    for (std::uint32_t c = 0; c < clients_.size(); ++c) WriteNames(c);
    for (std::uint32_t c = 0; c < clients_.size(); ++c) WriteHarm({0, 0, c, 0, 0, What::kHarm});
    for (const Event& event : SortedEvents()) {
      WriteEvent(event);
      if (text_.size() < kFlushAt) continue;
      base::Status status = Flush();
      if (!status.ok()) return status;
    }
    // Last: viewers stop reading at a member they do not know.
    WriteAbout();
    return Flush();
  }

 private:
  void FindProcesses();
  std::vector<Event> SortedEvents();
  void AddEvents(std::uint32_t c, std::vector<Event>* events);
  std::uint32_t TidOf(std::uint32_t client, Place place);
  void WriteNames(std::uint32_t c);
  void WriteThread(const Process& process, Track track, std::uint32_t tid, const std::string& name);
  void WriteEvent(const Event& event);
  void WriteKernel(const Event& event, const Kernel& kernel);
  void WriteSpan(const Event& event, const Span& span);
  void WriteGap(const Event& event, const Gap& gap);
  void WriteSubmit(const Event& event, const Kernel& kernel);
  void WriteHarm(const Event& event);
  void WriteAbout();

  // An event's beginning up to, not including, its args: `{"ph":…,"ts":…,"pid":…,"tid":…`.
  void Begin(const char* phase, const Event& event);
  void Named(std::string_view category, std::string_view name, const char* colour);
  void Argument(const char* name, std::int64_t ns);
  void RawArgument(const char* name, std::string_view json);
  void TextArgument(const char* name, std::string_view value);
  std::string KernelName(std::uint32_t client, std::uint64_t id) const;
  base::Status Flush() {
    base::Status status = sink_->Write(text_);
    text_.clear();
    return status;
  }

  const std::vector<Client>& clients_;
  const Timeline& timeline_;
  ReasonNamer reason_;
  TextSink* sink_;
  std::vector<Process> processes_;
  std::vector<std::int64_t> harm_ns_;
  std::uint32_t last_tid_ = 0;
  std::string text_;
  bool first_event_ = true;
  bool first_argument_ = true;
};

// A process that uses two devices, or joins a board twice, comes as two clients: each needs a number of its
// own.
void Writer::FindProcesses() {
  std::set<std::int64_t> taken;
  std::int64_t spare = kAboveAllPids;
  for (const Client& client : clients_) {
    std::int64_t pid = client.pid;
    if (pid <= 0 || pid >= kAboveAllPids || !taken.insert(pid).second) pid = spare++;
    processes_.push_back({pid, {}});
  }
  harm_ns_.assign(clients_.size(), 0);
  // Numbered in the order shown, and no number used twice in the file: some viewers look threads up by it
  // alone.
  for (std::uint32_t c = 0; c < clients_.size(); ++c) {
    auto& tids = processes_[c].tids;
    const ClientTimeline& client = timeline_.clients[c];
    for (const Span& s : client.requests) tids.emplace(Place{Track::kRequests, s.lane, s.row}, 0);
    for (const Span& s : client.waits) tids.emplace(Place{Track::kHost, s.lane, s.row}, 0);
    for (const Span& s : client.held) tids.emplace(Place{Track::kGate, s.lane, s.row}, 0);
    for (const Gap& s : client.gaps) tids.emplace(Place{Track::kGaps, 0, s.row}, 0);
    for (const Kernel& s : client.kernels) {
      tids.emplace(Place{Track::kDevice, 0, s.row}, 0);
      if (s.submitted) tids.emplace(Place{Track::kHost, s.lane, 0}, 0);
    }
    for (auto& [place, tid] : tids) tid = place.row < 0 ? 0 : ++last_tid_;
  }
}

std::uint32_t Writer::TidOf(std::uint32_t client, Place place) { return processes_[client].tids.at(place); }

void Writer::AddEvents(std::uint32_t c, std::vector<Event>* events) {
  const ClientTimeline& client = timeline_.clients[c];
  const auto add = [&](const Slice& slice, Track track, std::uint32_t lane, What what, std::size_t index) {
    if (slice.row < 0) return;
    events->push_back({slice.drawn_begin_ns, slice.drawn_end_ns, c, TidOf(c, {track, lane, slice.row}),
                       static_cast<std::uint32_t>(index), what});
  };
  const auto add_all = [&](const std::vector<Span>& spans, Track track, What what) {
    for (std::size_t i = 0; i < spans.size(); ++i) add(spans[i], track, spans[i].lane, what, i);
  };
  add_all(client.requests, Track::kRequests, What::kRequest);
  add_all(client.waits, Track::kHost, What::kWait);
  add_all(client.held, Track::kGate, What::kHeld);
  for (std::size_t i = 0; i < client.gaps.size(); ++i) add(client.gaps[i], Track::kGaps, 0, What::kGap, i);
  for (std::size_t i = 0; i < client.kernels.size(); ++i) {
    const Kernel& kernel = client.kernels[i];
    add(kernel, Track::kDevice, 0, What::kKernel, i);
    if (!kernel.submitted) continue;
    const std::uint32_t tid = TidOf(c, {Track::kHost, kernel.lane, 0});
    events->push_back(
        {kernel.submitted_ns, kernel.submitted_ns, c, tid, static_cast<std::uint32_t>(i), What::kSubmit});
  }
  for (std::size_t i = 0; i < client.waits.size(); ++i) {
    const Span& wait = client.waits[i];
    if (wait.harm_ns == 0) continue;
    events->push_back({wait.end_ns, wait.end_ns, c, 0, static_cast<std::uint32_t>(i), What::kHarm});
  }
}

std::vector<Event> Writer::SortedEvents() {
  std::vector<Event> events;
  for (std::uint32_t c = 0; c < clients_.size(); ++c) AddEvents(c, &events);
  // Of those that begin together the shorter one first: what has no length ends before the next begins.
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::tie(a.at_ns, a.end_ns, a.client, a.tid, a.what, a.index) <
           std::tie(b.at_ns, b.end_ns, b.client, b.tid, b.what, b.index);
  });
  return events;
}

void Writer::Begin(const char* phase, const Event& event) {
  if (!std::exchange(first_event_, false)) text_ += ',';
  text_ += "\n{\"ph\":\"";
  text_ += phase;
  text_ += "\",\"ts\":";
  AppendMicroseconds(event.at_ns, &text_);
  if (*phase == 'X') {
    text_ += ",\"dur\":";
    AppendMicroseconds(event.end_ns - event.at_ns, &text_);
  }
  text_ += ",\"pid\":" + std::to_string(processes_[event.client].pid);
  if (event.tid != 0) text_ += ",\"tid\":" + std::to_string(event.tid);
  first_argument_ = true;
}

void Writer::Named(std::string_view category, std::string_view name, const char* colour) {
  text_ += ",\"cat\":";
  AppendQuoted(category, &text_);
  text_ += ",\"name\":";
  AppendQuoted(name, &text_);
  if (colour != nullptr) (text_ += ",\"cname\":\"") += std::string(colour) + '"';
  text_ += ",\"args\":{";
}

void Writer::RawArgument(const char* name, std::string_view json) {
  if (!std::exchange(first_argument_, false)) text_ += ',';
  AppendQuoted(name, &text_);
  text_ += ':';
  text_ += json;
}

void Writer::Argument(const char* name, std::int64_t ns) {
  std::string number;
  AppendMicroseconds(ns, &number);
  RawArgument(name, number);
}

void Writer::TextArgument(const char* name, std::string_view value) {
  std::string quoted;
  AppendQuoted(value, &quoted);
  RawArgument(name, quoted);
}

std::string Writer::KernelName(std::uint32_t client, std::uint64_t id) const {
  const auto& names = clients_[client].kernels;
  const auto found = names.find(id);
  if (found != names.end() && !found->second.empty()) return found->second;
  char text[32];
  std::snprintf(text, sizeof text, "kernel %016llx", static_cast<unsigned long long>(id));
  return id == 0 ? "unknown kernel" : text;
}

void Writer::WriteThread(const Process& process, Track track, std::uint32_t tid, const std::string& name) {
  const Event event{0, 0, static_cast<std::uint32_t>(&process - processes_.data()), tid, 0, What::kRequest};
  Begin("M", event);
  text_ += ",\"name\":\"thread_name\",\"args\":{\"name\":";
  AppendQuoted(name, &text_);
  text_ += "}}";
  Begin("M", event);
  text_ += ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":" +
           std::to_string(100 * static_cast<int>(track) + static_cast<int>(tid % 100)) + "}}";
}

void Writer::WriteNames(std::uint32_t c) {
  const Client& client = clients_[c];
  const Process& process = processes_[c];
  const Event event{0, 0, c, 0, 0, What::kRequest};
  Begin("M", event);
  text_ += ",\"name\":\"process_name\",\"args\":{\"name\":";
  AppendQuoted(client.name + " (priority " + std::to_string(client.priority) + ")", &text_);
  text_ += "}}";
  Begin("M", event);
  text_ += ",\"name\":\"process_labels\",\"args\":{\"labels\":";
  AppendQuoted("priority " + std::to_string(client.priority) + ", policy " + client.policy + ", device " +
                   client.device,
               &text_);
  text_ += "}}";
  Begin("M", event);
  text_ += ",\"name\":\"process_sort_index\",\"args\":{\"sort_index\":" + std::to_string(c) + "}}";
  std::set<std::uint32_t> host_lanes;
  for (const auto& [place, tid] : process.tids) {
    if (place.track == Track::kHost) host_lanes.insert(place.lane);
  }
  for (const auto& [place, tid] : process.tids) {
    if (place.row < 0) continue;
    std::string name = TrackName(place.track, timeline_.clients[c]);
    const bool by_lane = place.track != Track::kDevice && place.track != Track::kGaps;
    if (by_lane && host_lanes.size() > 1) name += ", thread " + std::to_string(place.lane + 1);
    if (place.row > 0) name += ", row " + std::to_string(place.row + 1);
    WriteThread(process, place.track, tid, name);
  }
}

void Writer::WriteKernel(const Event& event, const Kernel& kernel) {
  std::string category = "kernel";
  if (kernel.fill) category += ",fill";
  if (!kernel.measured) category += ",predicted";
  const char* colour = kernel.fill ? "good" : kernel.measured ? nullptr : "grey";
  Begin("X", event);
  Named(category, (kernel.fill ? "fill: " : "") + KernelName(event.client, kernel.id), colour);
  if (kernel.fill) RawArgument("fill", "true");
  TextArgument("time", kernel.measured ? "measured" : "predicted");
  if (kernel.predicted_ns > 0) Argument("predicted_us", kernel.predicted_ns);
  if (kernel.submitted) Argument("submitted_before_us", kernel.begin_ns - kernel.submitted_ns);
  // Exact, so that the recording can be read back from here.
  if (event.at_ns != kernel.begin_ns) Argument("drawn_late_us", event.at_ns - kernel.begin_ns);
  if (event.end_ns != kernel.end_ns) Argument("drawn_short_us", kernel.end_ns - event.end_ns);
  text_ += "}}";
}

void Writer::WriteSpan(const Event& event, const Span& span) {
  Begin("X", event);
  if (event.what == What::kHeld) {
    const std::string reason = reason_(span.detail);
    Named("gate", "held: " + reason, "bad");
    TextArgument("reason", reason);
    TextArgument("kernel", KernelName(event.client, span.id));
  } else if (event.what == What::kWait) {
    Named("wait", span.harm_ns > 0 ? "wait, harmed" : "wait", span.harm_ns > 0 ? "terrible" : nullptr);
    Argument("harm_modelled_us", span.harm_ns);
  } else {
    const bool control = span.detail == 1;
    Named(control ? "request,control" : "request", control ? "control request" : "request",
          control ? "olive" : nullptr);
    Argument("harm_modelled_us", span.harm_ns);
    TextArgument("fills", control ? "withheld (control)" : "allowed");
  }
  text_ += "}}";
}

void Writer::WriteGap(const Event& event, const Gap& gap) {
  Begin("X", event);
  Named("gap", gap.others_ns > 0 ? "gap, used by others" : "gap", nullptr);
  Argument("others_us", gap.others_ns);
  text_ += "}}";
}

void Writer::WriteSubmit(const Event& event, const Kernel& kernel) {
  Begin("i", event);
  text_ += ",\"s\":\"t\"";
  Named("submit", "submit " + KernelName(event.client, kernel.id), nullptr);
  if (kernel.predicted_ns > 0) Argument("predicted_us", kernel.predicted_ns);
  text_ += "}}";
}

void Writer::WriteHarm(const Event& event) {
  Begin("C", event);
  text_ += ",\"name\":\"harm so far (us, modelled)\",\"args\":{";
  Argument("us", harm_ns_[event.client]);
  text_ += "}}";
}

void Writer::WriteEvent(const Event& event) {
  const ClientTimeline& client = timeline_.clients[event.client];
  switch (event.what) {
    case What::kRequest:
      return WriteSpan(event, client.requests[event.index]);
    case What::kWait:
      return WriteSpan(event, client.waits[event.index]);
    case What::kHeld:
      return WriteSpan(event, client.held[event.index]);
    case What::kKernel:
      return WriteKernel(event, client.kernels[event.index]);
    case What::kGap:
      return WriteGap(event, client.gaps[event.index]);
    case What::kSubmit:
      return WriteSubmit(event, client.kernels[event.index]);
    case What::kHarm:
      harm_ns_[event.client] += client.waits[event.index].harm_ns;
      return WriteHarm(event);
  }
}

void Writer::WriteAbout() {
  text_ +=
      "\n],\"otherData\":{\"made_by\":\"mortar trace record\",\"zero\":\"the first "
      "event\",\"harm\":\"modelled, not "
      "measured\",\"clients\":[";
  for (std::size_t c = 0; c < clients_.size(); ++c) {
    const Client& client = clients_[c];
    text_ += c == 0 ? "\n{\"name\":" : ",\n{\"name\":";
    AppendQuoted(client.name, &text_);
    text_ += ",\"priority\":" + std::to_string(client.priority) + ",\"policy\":";
    AppendQuoted(client.policy, &text_);
    text_ += ",\"device\":";
    AppendQuoted(client.device, &text_);
    text_ += ",\"pid\":" + std::to_string(processes_[c].pid) + ",\"os_pid\":" + std::to_string(client.pid) +
             ",\"unusable\":";
    AppendQuoted(Describe(client.unusable), &text_);
    text_ += '}';
  }
  text_ += "]}}\n";
}

}  // namespace

base::Status WriteChromeTrace(const std::vector<Client>& clients, const Timeline& timeline,
                              ReasonNamer reason, TextSink* sink) {
  return Writer(clients, timeline, reason, sink).Write();
}

}  // namespace mortar::trace
