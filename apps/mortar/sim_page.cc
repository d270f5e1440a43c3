#include "mortar/sim_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/html.h"
#include "mortar/sim_report.h"

namespace mortar::cli {
namespace {

constexpr std::size_t kPoints = 400;  // chosen: of a distribution
constexpr double kShownMs = 40;       // chosen: of a timeline
constexpr std::size_t kMostSlices = 4000;
constexpr double kWidth = 960;
const char* const kColours[] = {"#1b6ca8", "#c8553d", "#2e8b57", "#8a5a9e", "#b8860b",
                                "#4a4a4a", "#d0709a", "#3aa6a6", "#7a9e3a", "#a04040"};

std::string DataCell(double value) {
  return "<td>" + (std::isfinite(value) ? fmt::format("{:.3f}", value) : std::string("–")) + "</td>";
}

constexpr char kSimStyle[] =
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1200px;color:#222;padding:0 1em}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2em "
    ".7em;text-align:right;"
    "border-bottom:1px solid #ddd}td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}"
    "svg{display:block;margin:.6em 0 1.4em;max-width:100%}svg text{font-size:12px;fill:#444}"
    ".note{background:#fff6dd;padding:.6em 1em;border-left:4px solid #d9a400}";

}  // namespace

void PageData::Add(const sim::Row& row, const std::string& bound) {
  Entry entry;
  entry.row = row;
  entry.bound = bound;
  std::vector<double> times;
  for (const sim::RequestTimes& r : row.run.clients[0].requests) {
    times.push_back(static_cast<double>(r.end_ns - r.arrival_ns) / 1e6);
  }
  std::sort(times.begin(), times.end());
  const std::size_t step = times.size() / kPoints + 1;
  for (std::size_t i = 0; i < times.size(); i += step) entry.times.push_back(times[i]);
  if (!times.empty()) entry.times.push_back(times.back());
  for (std::size_t side = 0; side < 2; ++side) {
    for (const model::TraceRecord& record : row.run.clients[side].trace) {
      if (record.kind != static_cast<std::uint32_t>(model::TraceKind::kDevice)) continue;
      const double begin = static_cast<double>(record.begin_ns - row.run.window_begin_ns) / 1e6;
      if (begin > kShownMs || entry.device[side].size() >= kMostSlices) break;
      entry.device[side].push_back(
          {begin, std::min(kShownMs, static_cast<double>(record.end_ns - row.run.window_begin_ns) / 1e6),
           side == 1});
    }
  }
  entry.row.run = {};
  entries_.push_back(std::move(entry));
}

std::string PageData::Timeline(const Entry& entry) {
  const double left = 70;
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} 110\" role=\"img\" aria-label=\"timeline\">", kWidth);
  const auto x = [&](double ms) { return left + ms / kShownMs * (kWidth - left - 30); };
  for (int side = 0; side < 2; ++side) {
    const double y = side == 0 ? 10 : 50;
    svg += fmt::format("<text x=\"0\" y=\"{}\">{}</text>", y + 20, side == 0 ? "holder" : "filler");
    for (const Slice& slice : entry.device[side]) {
      svg += fmt::format("<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"30\" fill=\"{}\"/>",
                         x(slice.begin_ms), y, std::max(0.3, x(slice.end_ms) - x(slice.begin_ms)),
                         kColours[side]);
    }
  }
  for (int ms = 0; ms <= static_cast<int>(kShownMs); ms += 5) {
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"6\" y2=\"86\" stroke=\"#ccc\" stroke-width=\".5\"/>"
        "<text x=\"{0:.1f}\" y=\"102\" text-anchor=\"middle\">{1} ms</text>",
        x(ms), ms);
  }
  return svg + "</svg>\n";
}

// Request times of one pair under every policy: shares of requests that took at most so long.
std::string PageData::Distribution(const std::string& holder, const std::string& filler) const {
  double least = INFINITY;
  double most = 0;
  std::vector<const Entry*> shown;
  for (const Entry& entry : entries_) {
    if (entry.row.holder != holder || entry.row.filler != filler || entry.times.size() < 2) continue;
    shown.push_back(&entry);
    least = std::min(least, entry.times.front());
    most = std::max(most, entry.times[entry.times.size() - 1 - entry.times.size() / 100]);
  }
  if (shown.empty() || !(most > 0)) return "";
  most += (most - least) * 0.02 + 1e-6;
  const double left = 40;
  const double right = 150;
  const double height = 200;
  const auto x = [&](double ms) {
    return left + std::min(1.0, (ms - least) / (most - least)) * (kWidth - left - right);
  };
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"distribution\">",
                                kWidth, height + 40);
  for (int i = 0; i <= 4; ++i) {
    const double y = 10 + height * (1 - i / 4.0);
    const double ms = least + (most - least) * i / 4;
    svg += fmt::format(
        "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/><text x=\"0\" "
        "y=\"{:.1f}\">{} %</text>",
        left, kWidth - right, y, y, y + 4, 25 * i);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.4g} ms</text>", x(ms),
                       height + 30, ms);
  }
  std::size_t colour = 0;
  for (const Entry* entry : shown) {
    std::string points;
    for (std::size_t i = 0; i < entry->times.size(); ++i) {
      const double share = static_cast<double>(i + 1) / static_cast<double>(entry->times.size());
      points += fmt::format("{:.1f},{:.1f} ", x(entry->times[i]), 10 + height * (1 - share));
    }
    const char* const stroke = kColours[colour % std::size(kColours)];
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>", points,
                       stroke);
    svg += fmt::format("<text x=\"{}\" y=\"{}\" style=\"fill:{}\">{}{}</text>", kWidth - right + 10,
                       20 + 18 * static_cast<double>(colour), stroke, sim::PolicyName(entry->row.policy),
                       entry->bound.empty() ? "" : " (" + entry->bound + ")");
    ++colour;
  }
  return svg + "</svg>\n";
}

std::string PageData::Table() const {
  std::string html =
      "<table><tr><th>holder<th>filler<th>policy<th>requests<th>mean<th>p50<th>p99<th>max<th>filler"
      "<th>/ gap<th>/ slack<th>fluid<th>busy</tr>\n";
  for (const Entry& entry : entries_) {
    const sim::Row& row = entry.row;
    html += fmt::format("<tr><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td>", base::EscapeHtml(row.holder),
                        entry.bound.empty() ? "" : " (" + entry.bound + ")", base::EscapeHtml(row.filler),
                        sim::PolicyName(row.policy), row.requests);
    for (const double value : {row.mean_x, row.p50_x, row.p99_x, row.max_x, row.filler_vs_alone,
                               row.filler_vs_gap, row.filler_vs_slack, row.fluid, row.device_busy}) {
      html += DataCell(value);
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string PageData::Html() const {
  std::string html =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>mortar sim</title><style>";
  html += kSimStyle;
  html += "</style><h1>Programs that share a device</h1><p class=\"note\">";
  html += kNotValidated;
  html +=
      "</p><p>Times of the holder's requests and work of the filler, against what the same had alone. A p99 "
      "is "
      "shown from 1,000 requests on.</p>\n";
  html += Table();
  std::map<std::string, bool> seen;
  for (const Entry& entry : entries_) {
    const std::string pair = entry.row.holder + "\n" + entry.row.filler;
    if (!seen.emplace(pair, true).second) continue;
    html += "<h2>" + base::EscapeHtml(entry.row.holder) + ", filled by " +
            base::EscapeHtml(entry.row.filler) + "</h2>\n";
    const std::string distribution = Distribution(entry.row.holder, entry.row.filler);
    if (!distribution.empty())
      html += "<h3>Request times: share of requests done within</h3>\n" + distribution;
    for (const Entry& other : entries_) {
      if (other.row.holder != entry.row.holder || other.row.filler != entry.row.filler) continue;
      if (other.device[0].empty() && other.device[1].empty()) continue;
      html +=
          fmt::format("<h3>The device under {}</h3>\n", sim::PolicyName(other.row.policy)) + Timeline(other);
    }
  }
  return html + "</html>\n";
}

}  // namespace mortar::cli
