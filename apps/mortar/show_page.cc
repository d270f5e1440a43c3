#include "mortar/show_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/html.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

constexpr std::size_t kListed = 50;

constexpr const char* kStyle = R"(<style>
body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}td,th{padding:.15rem .7rem .15rem 0;text-align:right;vertical-align:top}
td:first-child,th:first-child{text-align:left;overflow-wrap:anywhere}
th{font-weight:600;border-bottom:1px solid #bbb}svg{width:100%;height:auto;background:#f1f3f5}
.busy{fill:#2b6cb0}.bar{fill:#dd6b20}small{color:#666}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181a1b}svg{background:#24282b}small{color:#999}}
</style>)";

std::string InHtml(std::string_view text) {
  std::string out = base::EscapeHtml(text);
  for (char& c : out) c = static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out;
}

std::string Row(const std::vector<std::string>& cells, const char* tag) {
  std::string row = "<tr>";
  for (const std::string& cell : cells) row += fmt::format("<{0}>{1}</{0}>", tag, cell);
  return row + "</tr>\n";
}

std::string Timeline(const ShowReport& report) {
  constexpr int kHeight = 80;
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"share of "
      "time in which the device is busy\">\n<path class=\"busy\" d=\"M0 {}",
      report.busy.size(), kHeight, kHeight);
  for (std::size_t i = 0; i < report.busy.size(); ++i) {
    const double top = kHeight * (1 - std::clamp(report.busy[i], 0.0, 1.0));
    svg += fmt::format("V{:.1f}H{}", top, i + 1);
  }
  return svg + fmt::format("V{}Z\"/></svg>\n", kHeight);
}

std::string Gaps(const ShowReport& report) {
  const double idle =
      static_cast<double>(std::max<std::int64_t>(report.use.device_span_ns - report.use.busy_ns, 1));
  std::string table = "<table>\n" + Row({"gap", "count", "of idle time", ""}, "th");
  for (const GapBin& bin : report.gaps) {
    const double share = static_cast<double>(bin.total_ns) / idle;
    table +=
        Row({bin.to_ns == 0 ? "≥ " + FormatDuration(bin.from_ns) : "&lt; " + FormatDuration(bin.to_ns),
             std::to_string(bin.count), FormatPercent(share),
             fmt::format("<svg viewBox=\"0 0 200 12\" style=\"width:200px;height:12px\"><rect class=\"bar\" "
                         "width=\"{:.1f}\" height=\"12\"/></svg>",
                         200 * std::clamp(share, 0.0, 1.0))},
            "td");
  }
  table += "</table>\n<p>Half of the gaps last up to " + FormatDuration(report.use.GapQuantile(0.5)) +
           ", 90 % up to " + FormatDuration(report.use.GapQuantile(0.9)) + ", 99 % up to " +
           FormatDuration(report.use.GapQuantile(0.99)) +
           ".</p>\n<h2>What would fit into gaps</h2>\n<table>\n" + Row({"kernel", "of device time"}, "th");
  for (const FillRow& row : report.fill)
    table += Row({FormatDuration(row.kernel_ns), FormatPercent(row.share)}, "td");
  return table +
         "</table>\n<p><small>Kernels back to back, each wholly in one gap. No interference on the chip is "
         "modelled.</small></p>\n";
}

std::string Operations(const ShowReport& report) {
  std::string table = "<table>\n" + Row({"operation", "count", "total", "median"}, "th");
  for (std::size_t i = 0; i < std::min(report.totals.size(), kListed); ++i) {
    const KernelTotal& total = report.totals[i];
    table += Row({InHtml(total.name), std::to_string(total.count), FormatDuration(total.total_ns),
                  FormatDuration(total.median_ns)},
                 "td");
  }
  table += "</table>\n";
  if (report.totals.size() > kListed)
    table += fmt::format("<p>and {} more names</p>\n", report.totals.size() - kListed);
  return table;
}

}  // namespace

std::string ToPage(const ShowReport& report) {
  const trace::Recording& recording = *report.recording;
  std::string page =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>" +
      InHtml(recording.source) + "</title>\n" + kStyle + "</head><body>\n<h1>" + InHtml(recording.source) +
      "</h1>\n<p>" + InHtml(DescribeProgram(recording)) + ".</p>\n";
  page += fmt::format("<p>The device is busy {} of {}.</p>\n", FormatPercent(report.use.busy()),
                      FormatDuration(report.use.span_ns));
  if (recording.form == trace::Form::kDurations) {
    page += "<p>Only durations are known: when the kernels ran, and what lay between them, is not.</p>\n";
  } else {
    page += "<h2>Busy over time</h2>\n" + Timeline(report) + "<h2>Gaps</h2>\n" + Gaps(report);
  }
  page += "<h2>Operations</h2>\n" + Operations(report);
  if (report.replay) {
    page += "<p>Replayed alone, its span is off by " + FormatPercent(report.replay->span_error) + ".</p>\n";
  }
  if (report.steps_found) {
    page += "<p>Of its steps, " + FormatPercent(*report.steps_found) + " are found without marks.</p>\n";
  }
  if (!recording.notes.empty()) page += "<h2>What was not used, or assumed</h2>\n<ul>\n";
  for (const trace::Note& note : recording.notes) {
    page += fmt::format("<li>{}: {} {}</li>\n", note.left_out ? "Not used" : "Assumed", note.count,
                        InHtml(note.what));
  }
  if (!recording.notes.empty()) page += "</ul>\n";
  return page + "</body></html>\n";
}

}  // namespace mortar::cli
