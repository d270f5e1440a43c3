#include "mortar/show_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "board/view.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

using nlohmann::ordered_json;
using trace::Recording;

constexpr std::size_t kShownKernels = 10;
constexpr std::size_t kShownName = 60;
constexpr std::int64_t kFillerLengths[] = {10'000, 50'000, 100'000, 250'000, 1'000'000, 5'000'000};
constexpr const char* kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

double Micro(std::int64_t ns) { return static_cast<double>(ns) / 1e3; }

const char* FormName(trace::Form form) {
  switch (form) {
    case trace::Form::kClosedLoop:
      return "closed-loop";
    case trace::Form::kDeviceOnly:
      return "device-only";
    case trace::Form::kDurations:
      return "durations";
  }
  return "";
}

std::string Number(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::ptrdiff_t i = std::ssize(text) - 3; i > 0; i -= 3) text.insert(static_cast<std::size_t>(i), ",");
  return text;
}

std::string Count(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", Number(count), what, count == 1 ? "" : "s");
}

std::string Shortened(const std::string& name) {
  std::string clean = board::CleanText(name);
  if (clean.size() <= kShownName) return clean;
  std::size_t end = kShownName - 3;
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xc0) == 0x80) --end;  // whole characters
  return clean.substr(0, end) + "...";
}

std::vector<KernelTotal> Totals(const Recording& recording) {
  std::vector<std::vector<std::int64_t>> durations(recording.identities.size());
  for (const trace::Op& op : recording.ops) durations[op.identity].push_back(op.duration_ns);
  // Identities of one name differ in shape: for reading, the name is enough.
  std::map<std::string, std::vector<std::int64_t>> by_name;
  for (std::size_t i = 0; i < durations.size(); ++i) {
    auto& all = by_name[recording.identities[i].name];
    all.insert(all.end(), durations[i].begin(), durations[i].end());
  }
  std::vector<KernelTotal> totals;
  for (auto& [name, all] : by_name) {
    if (all.empty()) continue;
    KernelTotal& total = totals.emplace_back();
    total.name = name;
    total.count = all.size();
    for (const std::int64_t duration : all) total.total_ns += duration;
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    total.median_ns = *middle;
  }
  std::stable_sort(totals.begin(), totals.end(),
                   [](const KernelTotal& x, const KernelTotal& y) { return x.total_ns > y.total_ns; });
  return totals;
}

std::vector<GapBin> Bins(const trace::DeviceUse& use) {
  std::vector<GapBin> bins;
  std::int64_t from = 0;
  for (const std::int64_t to : {1'000L, 10'000L, 100'000L, 1'000'000L, 10'000'000L, 0L}) {
    bins.push_back({from, to, 0, 0});
    from = to;
  }
  for (const std::int64_t gap : use.gaps_ns) {
    for (GapBin& bin : bins) {
      if (gap < bin.from_ns || (bin.to_ns != 0 && gap >= bin.to_ns)) continue;
      ++bin.count;
      bin.total_ns += gap;
    }
  }
  return bins;
}

std::string DeviceNames(const Recording& recording) {
  std::string names;
  for (const trace::Device& device : recording.devices) {
    if (!names.empty()) names += ", ";
    names += device.name.empty() ? fmt::format("device {}", device.number) : board::CleanText(device.name);
  }
  return names;
}

std::string Bar(double share, std::size_t width) {
  const auto eighths =
      static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  std::string bar;
  for (std::size_t i = 0; i < eighths; ++i) bar += "█";
  return bar;
}

std::string GapsToText(const ShowReport& report) {
  const trace::DeviceUse& use = report.use;
  if (use.gaps_ns.empty()) return "Gaps: none\n";
  const std::int64_t idle = use.device_span_ns - use.busy_ns;
  std::string text =
      fmt::format("Gaps: {}, {} in all; half up to {}, 90 % up to {}, 99 % up to {}, the longest {}\n",
                  Number(use.gaps_ns.size()), FormatDuration(idle), FormatDuration(use.GapQuantile(0.5)),
                  FormatDuration(use.GapQuantile(0.9)), FormatDuration(use.GapQuantile(0.99)),
                  FormatDuration(use.gaps_ns.back()));
  std::vector<std::vector<std::string>> rows{{"gap", "count", "of idle time", ""}};
  for (const GapBin& bin : report.gaps) {
    const double share = idle == 0 ? 0 : static_cast<double>(bin.total_ns) / static_cast<double>(idle);
    rows.push_back({bin.to_ns == 0 ? "≥ " + FormatDuration(bin.from_ns) : "< " + FormatDuration(bin.to_ns),
                    Number(bin.count), FormatPercent(share), Bar(share, 40)});
  }
  text += FormatTable(rows, {1, 2});
  text +=
      "\nWhat would fit into gaps, back to back and each kernel wholly in one (no interference modelled):\n";
  rows = {{"kernel", "of device time"}};
  for (const FillRow& row : report.fill)
    rows.push_back({FormatDuration(row.kernel_ns), FormatPercent(row.share)});
  return text + FormatTable(rows, {0, 1});
}

std::string KernelsToText(const ShowReport& report) {
  std::vector<std::vector<std::string>> rows{{"operation", "count", "total", "median", "of busy time"}};
  std::int64_t sum = 0;
  for (const KernelTotal& total : report.totals) sum += total.total_ns;
  for (std::size_t i = 0; i < std::min(report.totals.size(), kShownKernels); ++i) {
    const KernelTotal& total = report.totals[i];
    const double share = sum == 0 ? 0 : static_cast<double>(total.total_ns) / static_cast<double>(sum);
    rows.push_back({Shortened(total.name), Number(total.count), FormatDuration(total.total_ns),
                    FormatDuration(total.median_ns), FormatPercent(share)});
  }
  std::string text = FormatTable(rows, {1, 2, 3, 4});
  if (report.totals.size() > kShownKernels) {
    text += fmt::format("and {} more names\n", Number(report.totals.size() - kShownKernels));
  }
  return text;
}

std::string NotesToText(const Recording& recording) {
  std::string text;
  for (const bool left_out : {true, false}) {
    for (const trace::Note& note : recording.notes) {
      if (note.left_out != left_out) continue;
      text += fmt::format("{}: {} {}\n", left_out ? "Not used" : "Assumed", Number(note.count),
                          board::CleanText(note.what));
    }
  }
  return text;
}

}  // namespace

std::string DescribeProgram(const Recording& recording) {
  const auto kernels = static_cast<std::uint64_t>(std::count_if(
      recording.ops.begin(), recording.ops.end(),
      [&](const trace::Op& op) { return recording.identities[op.identity].kind == trace::OpKind::kKernel; }));
  std::string text = fmt::format(
      "{}: {}, {} on {} of {}", board::CleanText(recording.recorder), Count(kernels, "kernel"),
      (recording.ops.size() - kernels == 1 ? std::string("1 copy or fill")
                                           : Number(recording.ops.size() - kernels) + " copies and fills"),
      Count(recording.streams.size(), "stream"), DeviceNames(recording));
  if (!recording.calls.empty()) {
    text += fmt::format(", {} by {}", Count(recording.calls.size(), "host call"),
                        Count(recording.threads.size(), "thread"));
  }
  if (!recording.requests.empty()) text += ", " + Count(recording.requests.size(), "request");
  return text;
}

ShowReport MakeShowReport(const Recording& recording, std::size_t slices) {
  ShowReport report;
  report.recording = &recording;
  report.use = trace::MeasureUse(recording);
  for (const trace::Op& op : recording.ops) {
    const trace::OpKind kind = recording.identities[op.identity].kind;
    ++(kind == trace::OpKind::kKernel ? report.kernels
       : kind == trace::OpKind::kCopy ? report.copies
                                      : report.fills);
  }
  for (const trace::HostCall& call : recording.calls) report.waits += call.waits.count > 0 ? 1 : 0;
  report.totals = Totals(recording);
  for (const std::int64_t length : kFillerLengths) {
    const double span = static_cast<double>(std::max<std::int64_t>(report.use.device_span_ns, 1));
    report.fill.push_back({length, static_cast<double>(report.use.Fits(length)) / span});
  }
  report.gaps = Bins(report.use);
  report.busy = trace::BusyBySlice(recording, slices);
  return report;
}

std::string ToText(const ShowReport& report) {
  const Recording& recording = *report.recording;
  std::string text = board::CleanText(recording.source) + "\n" + DescribeProgram(recording) + "\n";
  text += fmt::format("Device: busy {} of {}\n", FormatPercent(report.use.busy()),
                      FormatDuration(report.use.span_ns));
  if (recording.form == trace::Form::kDurations) {
    text += "Only durations are known: when the kernels ran, and what lay between them, is not.\n";
  } else {
    text += "|";
    for (const double share : report.busy)
      text += kBars[static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * 8))];
    text += "|\n\n" + GapsToText(report);
  }
  text += "\n" + KernelsToText(report);
  if (report.replay)
    text +=
        fmt::format("\nReplayed alone, its span is off by {}\n", FormatPercent(report.replay->span_error));
  if (report.steps_found) {
    text += fmt::format("Of its steps, {} are found without marks\n", FormatPercent(*report.steps_found));
  }
  if (const std::string notes = NotesToText(recording); !notes.empty()) text += "\n" + notes;
  return text;
}

ordered_json ToJson(const ShowReport& report) {
  const Recording& recording = *report.recording;
  ordered_json devices = ordered_json::array();
  for (const trace::Device& device : recording.devices)
    devices.push_back({{"number", device.number}, {"name", device.name}});
  ordered_json notes = ordered_json::array();
  for (const trace::Note& note : recording.notes)
    notes.push_back({{"what", note.what}, {"count", note.count}, {"used", !note.left_out}});
  ordered_json top = ordered_json::array();
  for (std::size_t i = 0; i < std::min(report.totals.size(), kShownKernels); ++i) {
    const KernelTotal& total = report.totals[i];
    top.push_back({{"name", total.name},
                   {"count", total.count},
                   {"total_us", Micro(total.total_ns)},
                   {"p50_us", Micro(total.median_ns)}});
  }
  ordered_json fill = ordered_json::array();
  for (const FillRow& row : report.fill)
    fill.push_back({{"kernel_us", Micro(row.kernel_ns)}, {"share", row.share}});
  const trace::DeviceUse& use = report.use;
  ordered_json gap = nullptr;
  if (!use.gaps_ns.empty()) {
    gap = {{"count", use.gaps_ns.size()},
           {"p50", Micro(use.GapQuantile(0.5))},
           {"p90", Micro(use.GapQuantile(0.9))},
           {"p99", Micro(use.GapQuantile(0.99))},
           {"max", Micro(use.gaps_ns.back())}};
  }
  std::int64_t longest_ns = 0;
  for (const trace::Op& op : recording.ops) {
    if (recording.identities[op.identity].kind == trace::OpKind::kKernel)
      longest_ns = std::max(longest_ns, op.duration_ns);
  }
  ordered_json json = {{"file", recording.source},
                       {"recorder", recording.recorder},
                       {"form", FormName(recording.form)},
                       {"devices", devices},
                       {"kernels", report.kernels},
                       {"longest_kernel_us", Micro(longest_ns)},
                       {"copies", report.copies},
                       {"memory_fills", report.fills},
                       {"streams", recording.streams.size()},
                       {"threads", recording.threads.size()},
                       {"calls", recording.calls.size()},
                       {"waits", report.waits},
                       {"requests", recording.requests.size()},
                       {"span_ms", static_cast<double>(use.span_ns) / 1e6},
                       {"busy", use.busy()},
                       {"gap_us", gap},
                       {"fits", fill},
                       {"replay_span_error", nullptr},
                       {"steps_found", nullptr},
                       {"top", top},
                       {"notes", notes}};
  if (report.steps_found) json["steps_found"] = *report.steps_found;
  if (report.replay) {
    const auto gaps = [](const Replayed::Gaps& of) -> ordered_json {
      return {{"p50", of.p50_us}, {"p90", of.p90_us}};
    };
    const Replayed& replay = *report.replay;
    json["replay_span_error"] = replay.span_error;
    json["replay"] = {{"recorded_gap_us", gaps(replay.recorded)},
                      {"gap_us", gaps(replay.gaps)},
                      {"median_latencies",
                       {{"span_error", replay.median_span_error}, {"gap_us", gaps(replay.median_gaps)}}}};
  }
  return json;
}

}  // namespace mortar::cli
