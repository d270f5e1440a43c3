#include "trace/kernel_list.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <vector>

#include "trace/json_text.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;

constexpr std::int64_t kLongestNs = std::int64_t{600} * 1'000'000'000;
constexpr std::int64_t kLongestSumNs = std::int64_t{7} * 24 * 3600 * 1'000'000'000;

std::string_view TakeLine(std::string_view* text) {
  const auto end = text->find('\n');
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto comma = line.find(',');
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

struct Columns {
  std::size_t name = 0;
  std::size_t duration = 0;
  std::size_t count = 0;
};

bool FindColumns(std::string_view header, Columns* columns) {
  const auto cells = Split(header);
  const auto name = std::find(cells.begin(), cells.end(), "Name");
  const auto duration = std::find(cells.begin(), cells.end(), "Duration");
  if (name == cells.end() || duration <= name || duration == cells.end()) return false;
  *columns = {static_cast<std::size_t>(name - cells.begin()),
              static_cast<std::size_t>(duration - cells.begin()), cells.size()};
  return true;
}

// Names of kernels may hold commas: what a line has too many belongs to the name.
bool ReadLine(std::string_view line, const Columns& columns, std::string* name, std::int64_t* duration_ns) {
  const auto cells = Split(line);
  if (cells.size() < columns.count) return false;
  const std::size_t extra = cells.size() - columns.count;
  const std::string_view first = cells[columns.name];
  const std::string_view last = cells[columns.name + extra];
  *name = std::string(first.data(), static_cast<std::size_t>(last.data() + last.size() - first.data()));
  const std::string_view digits = cells[columns.duration + extra];
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), *duration_ns);
  return parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size() && *duration_ns >= 0 &&
         *duration_ns <= kLongestNs;
}

}  // namespace

bool IsKernelList(std::string_view beginning) {
  Columns columns;
  return FindColumns(TakeLine(&beginning), &columns);
}

base::Result<Recording> ParseKernelList(std::string_view text, const std::string& name) {
  Columns columns;
  if (!FindColumns(TakeLine(&text), &columns)) {
    return Error{Code::kInvalid, "read " + name + ":1: no header with the columns Name and Duration"};
  }
  Recording out;
  out.source = name;
  out.recorder = "kernel list";
  out.form = Form::kDurations;
  out.devices.emplace_back();
  out.streams.emplace_back();
  std::unordered_map<std::string, Index> known;
  std::string kernel;
  std::uint64_t zero = 0;
  for (std::uint64_t line = 2; !text.empty(); ++line) {
    const std::string_view row = TakeLine(&text);
    if (row.empty()) continue;
    Op op;
    if (!ReadLine(row, columns, &kernel, &op.duration_ns) || out.end_ns + op.duration_ns > kLongestSumNs) {
      return Error{Code::kInvalid, "read " + name + ":" + std::to_string(line) + ": " + Excerpt(row) +
                                       " is no kernel with a duration in nanoseconds"};
    }
    const auto [place, is_new] = known.try_emplace(kernel, static_cast<Index>(out.identities.size()));
    if (is_new) {
      Identity& identity = out.identities.emplace_back();
      identity.name = kernel;
      identity.id = model::MakeKernelId(identity.name, identity.shape);
    }
    op.identity = place->second;
    op.start_ns = out.end_ns;
    out.end_ns += op.duration_ns;
    zero += op.duration_ns == 0 ? 1 : 0;
    out.stream_ops.push_back(static_cast<Index>(out.ops.size()));
    out.ops.push_back(op);
  }
  if (out.ops.empty()) return Error{Code::kInvalid, "read " + name + ":2: no kernels in the list"};
  out.streams.front().ops.count = static_cast<Index>(out.ops.size());
  out.notes.push_back(
      {"kernels of which only the duration is known: neither gaps nor a host side", out.ops.size(), false});
  if (zero > 0) out.notes.push_back({"kernels of no duration", zero, false});
  return out;
}

void AssumeHost(Recording* recording, const HostAssumption& assumption) {
  Recording& out = *recording;
  if (out.form == Form::kClosedLoop) return;
  const bool paced = out.form == Form::kDeviceOnly;
  out.form = Form::kClosedLoop;
  out.median_latency_ns = assumption.latency_ns;
  out.median_dispatch_ns = 0;
  out.call_names = {"assumed launch", "assumed wait"};
  // Operations without a call stand by start already.
  std::int64_t now = 0;
  const std::int64_t shift = paced ? assumption.latency_ns : 0;
  std::vector<Index> last(out.streams.size(), kNone);
  for (Index i = 0; i < out.ops.size(); ++i) {
    Op& op = out.ops[i];
    op.start_ns += shift;
    const std::int64_t due = paced ? op.start_ns - assumption.latency_ns : now;
    HostCall& call = out.calls.emplace_back();
    call.think_ns = std::max<std::int64_t>(due - now, 0);
    call.start_ns = now + call.think_ns;
    call.duration_ns = assumption.launch_ns;
    call.after = i == 0 ? kNone : i - 1;
    call.ops = {i, 1};
    op.call = i;
    op.latency_ns = assumption.latency_ns;
    now = call.end_ns();
    last[op.stream] = i;
  }
  HostCall& wait = out.calls.emplace_back();
  wait.start_ns = now;
  wait.name = 1;
  wait.kind = CallKind::kWaitDevice;
  wait.after = static_cast<Index>(out.calls.size()) - 2;
  std::int64_t done = now;
  for (const Index op : last) {
    if (op == kNone) continue;
    out.waited.push_back(op);
    done = std::max(done, out.ops[op].end_ns());
  }
  wait.waits = {0, static_cast<Index>(out.waited.size())};
  wait.duration_ns = done - now;
  out.end_ns = done;
  out.threads.push_back({0, 0, "assumed", {0, static_cast<Index>(out.calls.size())}});
  out.notes.push_back(
      {"calls of one host thread that launches every operation and then waits: assumed, not recorded",
       out.calls.size(), false});
}

}  // namespace mortar::trace
