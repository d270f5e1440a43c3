#include "mortar/sim_report.h"

#include <fmt/format.h>

#include <cmath>

#include "mortar/output.h"

namespace mortar::cli {
namespace {

using nlohmann::ordered_json;

ordered_json Number(double value) {
  // Nine digits: enough to compare, and the same text wherever the sum was formed.
  return std::isfinite(value) ? ordered_json(std::stod(fmt::format("{:.9g}", value))) : ordered_json();
}

// Most recordings miss a few operations at their beginning; a thousandth is not worth a line.
constexpr double kLeftOutMatters = 0.001;

std::string Milliseconds(double ms) { return std::isfinite(ms) ? fmt::format("{:.2f} ms", ms) : "-"; }

std::string Cell(double value) { return std::isfinite(value) ? fmt::format("{:.3f}", value) : "-"; }

ordered_json ErrorsJson(const sim::Errors& errors) {
  const auto us = [&](sim::Ns ns) {
    return Number(errors.count > 0 ? static_cast<double>(ns) / 1e3 : sim::kUnknown);
  };
  return {{"count", errors.count},
          {"p10_us", us(errors.p10)},
          {"p50_us", us(errors.p50)},
          {"p90_us", us(errors.p90)}};
}

std::string ErrorsText(const sim::Errors& e) {
  if (e.count == 0) return "-";
  return fmt::format("{} / {} / {}", FormatDuration(e.p10), FormatDuration(e.p50), FormatDuration(e.p90));
}

}  // namespace

std::string LeftOutText(const std::string& name, double share) {
  if (!(share >= kLeftOutMatters)) return "";
  return fmt::format("{}: no call in the recording submits {} of its device time; that part is left out",
                     name, FormatPercent(share));
}

ordered_json RowJson(const sim::Row& row, const std::string& bound) {
  const sim::ClientResult& holder = row.run.clients[0];
  const sim::ClientResult& filler = row.run.clients[1];
  const double harm_base = static_cast<double>(holder.request_ns - holder.harm_ns);
  ordered_json json{{"holder", row.holder},
                    {"filler", row.filler},
                    {"policy", sim::PolicyName(row.policy)},
                    {"requests", row.requests},
                    {"holder_mean_x", Number(row.mean_x)},
                    {"holder_p50_x", Number(row.p50_x)},
                    {"holder_p99_x", Number(row.p99_x)},
                    {"holder_max_x", Number(row.max_x)},
                    {"filler_vs_alone", Number(row.filler_vs_alone)},
                    {"filler_vs_oracle_gap", Number(row.filler_vs_gap)},
                    {"filler_vs_oracle_slack", Number(row.filler_vs_slack)},
                    {"fluid", Number(row.fluid)},
                    {"device_busy", Number(row.device_busy)}};
  if (!bound.empty()) json["bound"] = bound;
  json["repeats_itself"] = row.repeats_itself;
  json["holder_mean_ms"] = Number(row.holder_mean_ns / 1e6);
  json["holder_alone_mean_ms"] = Number(row.alone_mean_ns / 1e6);
  json["holder_p50_ms"] = Number(row.holder_p50_ns / 1e6);
  json["holder_p99_ms"] = Number(row.holder_p99_ns / 1e6);
  json["holder_max_ms"] = Number(row.holder_max_ns / 1e6);
  json["filler_jct_x"] = Number(row.filler_jct_x);
  json["filler_work_ms_per_s"] = Number(row.filler_work_ns / 1e6);
  json["oracle_gap_work_ms_per_s"] = Number(row.gap_work_ns / 1e6);
  json["oracle_slack_work_ms_per_s"] = Number(row.slack_work_ns / 1e6);
  json["windows"] = row.windows;
  json["windows_over_limit"] = Number(row.windows_over);
  json["window_slowdown_p99"] = Number(row.worst_window);
  json["harm_modelled"] = Number(harm_base > 0 ? static_cast<double>(holder.harm_ns) / harm_base : 0);
  json["harm_measured"] = holder.measured ? Number(holder.measured_slowdown) : ordered_json();
  json["caution"] = Number(holder.caution);
  json["period_submits"] = holder.period_submits;
  json["fills"] = filler.fills;
  json["held_ms"] = Number(static_cast<double>(filler.held_ns) / 1e6);
  json["next_submit_error"] = ErrorsJson(holder.next_submit);
  json["device_end_error"] = ErrorsJson(holder.device_end);
  json["holder_left_out"] = Number(holder.program->left_out);
  json["filler_left_out"] = Number(filler.program->left_out);
  json["events"] = row.run.events;
  return json;
}

std::string CsvHeader() {
  return "holder,filler,policy,bound,requests,holder_mean_x,holder_p50_x,holder_p99_x,holder_max_x,"
         "filler_vs_alone,filler_vs_oracle_gap,filler_vs_oracle_slack,fluid,device_busy,repeats_itself\n";
}

std::string CsvLine(const sim::Row& row, const std::string& bound) {
  const auto quoted = [](const std::string& text) {
    if (text.find_first_of(",\"\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
    return out + "\"";
  };
  const auto number = [](double value) { return std::isfinite(value) ? fmt::format("{:.9g}", value) : ""; };
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(row.holder), quoted(row.filler),
                     sim::PolicyName(row.policy), bound, row.requests, number(row.mean_x), number(row.p50_x),
                     number(row.p99_x), number(row.max_x), number(row.filler_vs_alone),
                     number(row.filler_vs_gap), number(row.filler_vs_slack), number(row.fluid),
                     number(row.device_busy), row.repeats_itself);
}

std::string RowTable(const std::vector<sim::Row>& rows) {
  std::vector<std::vector<std::string>> table{{"HOLDER", "FILLER", "POLICY", "REQUESTS", "MEAN", "P50", "P99",
                                               "MAX", "FILLER", "/GAP", "/SLACK", "FLUID", "BUSY"}};
  for (const sim::Row& row : rows) {
    table.push_back({row.holder, row.filler, std::string(sim::PolicyName(row.policy)),
                     std::to_string(row.requests), Cell(row.mean_x), Cell(row.p50_x), Cell(row.p99_x),
                     Cell(row.max_x), Cell(row.filler_vs_alone), Cell(row.filler_vs_gap),
                     Cell(row.filler_vs_slack), Cell(row.fluid), Cell(row.device_busy)});
  }
  return FormatTable(table, {3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
}

std::string TotalsText(const std::vector<sim::Row>& rows) {
  std::vector<std::vector<std::string>> table{
      {"POLICY", "PAIRS", "KEPT 1.05", "WORST", "FILLER", "/GAP", "/SLACK", "WORST PAIR"}};
  for (const sim::Total& t : sim::Totals(rows)) {
    table.push_back({std::string(sim::PolicyName(t.policy)), std::to_string(t.pairs), std::to_string(t.kept),
                     Cell(t.worst), Cell(t.work / t.alone), Cell(t.work / t.gap), Cell(t.work / t.slack),
                     t.worst_pair});
  }
  return FormatTable(table, {1, 2, 3, 4, 5, 6}) +
         "\nFILLER, /GAP, /SLACK: sums of filler work over sums of what it had alone and under the "
         "yardsticks.\n" +
         "KEPT: pairs whose holder's p99 (the maximum under 1,000 requests) is at most 1.05 times its time "
         "alone.\n";
}

std::string PlannedJson(const sim::PlannedReport& report) {
  ordered_json json{{"rate", report.work.rate},
                    {"batch", report.work.batch},
                    {"tau", report.work.tau},
                    {"planned_latency_ms", Number(report.work.latency_ms)}};
  for (const auto& [name, share] : {std::pair{"plan", report.plan}, std::pair{"fill", report.fill}}) {
    json[name] = {{"batches", share.batches},
                  {"background_per_s", Number(share.background_per_s)},
                  {"latency_p50_ms", Number(share.p50_ms)},
                  {"latency_p99_ms", Number(share.p99_ms)},
                  {"latency_max_ms", Number(share.max_ms)},
                  {"device_busy", Number(share.device_busy)}};
  }
  json["added_per_s"] = Number(report.fill.background_per_s - report.plan.background_per_s);
  return json.dump() + "\n";
}

std::string PlannedText(const sim::PlannedReport& report) {
  std::vector<std::vector<std::string>> table{
      {"", "BACKGROUND/S", "LATENCY P50", "P99", "MAX", "DEVICE BUSY", "BATCHES"}};
  for (const auto& [name, share] : {std::pair{"plan", report.plan}, std::pair{"with fill", report.fill}}) {
    table.push_back({name, Cell(share.background_per_s), Milliseconds(share.p50_ms),
                     Milliseconds(share.p99_ms), Milliseconds(share.max_ms), FormatPercent(share.device_busy),
                     std::to_string(share.batches)});
  }
  return fmt::format(
             "{:.4g} requests/s in batches of {}, then {} of the background; planned latency {:.2f} ms\n\n",
             report.work.rate, report.work.batch, report.work.tau, report.work.latency_ms) +
         FormatTable(table, {1, 2, 3, 4, 5, 6}) +
         fmt::format("\nfill adds {:.3f} of the background a second\n",
                     report.fill.background_per_s - report.plan.background_per_s) +
         kNotValidated + "\n";
}

std::string ScenarioJson(const sim::Scenario& scenario, const sim::ScenarioResult& result) {
  ordered_json json{
      {"policy", sim::PolicyName(scenario.policy)},
      {"seconds", Number(static_cast<double>(scenario.for_ns) / 1e9)},
      {"device_busy", Number(static_cast<double>(result.run.busy_ns) /
                             static_cast<double>(result.run.window_end_ns - result.run.window_begin_ns))}};
  for (const sim::ScenarioRow& client : result.clients) {
    json["clients"].push_back({{"name", client.name},
                               {"recording", client.recording},
                               {"priority", client.priority},
                               {"requests", client.row.requests},
                               {"mean_x", Number(client.row.mean_x)},
                               {"p50_x", Number(client.row.p50_x)},
                               {"p99_x", Number(client.row.p99_x)},
                               {"max_x", Number(client.row.max_x)},
                               {"mean_ms", Number(client.row.holder_mean_ns / 1e6)},
                               {"p99_ms", Number(client.row.holder_p99_ns / 1e6)},
                               {"work_ms_per_s", Number(client.work_ns / 1e6)},
                               {"work_vs_alone", Number(client.work_vs_alone)},
                               {"floors", client.floors},
                               {"floor_harm_modelled", Number(client.floor_harm)},
                               {"left_out", Number(client.left_out)}});
  }
  return json.dump() + "\n";
}

std::string ScenarioText(const sim::Scenario& scenario, const sim::ScenarioResult& result) {
  std::vector<std::vector<std::string>> table{
      {"CLIENT", "PRIORITY", "REQUESTS", "MEAN", "P50", "P99", "MAX", "WORK", "DEVICE", "FLOORS"}};
  for (const sim::ScenarioRow& client : result.clients) {
    table.push_back({client.name, std::to_string(client.priority), std::to_string(client.row.requests),
                     Cell(client.row.mean_x), Cell(client.row.p50_x), Cell(client.row.p99_x),
                     Cell(client.row.max_x), Cell(client.work_vs_alone), FormatPercent(client.work_ns / 1e9),
                     std::to_string(client.floors)});
  }
  std::string text =
      fmt::format("policy {}, {:.4g} s simulated; times and work against the same alone\n\n",
                  sim::PolicyName(scenario.policy), static_cast<double>(scenario.for_ns) / 1e9);
  text += FormatTable(table, {1, 2, 3, 4, 5, 6, 7, 8, 9}) + "\n";
  for (const sim::ScenarioRow& client : result.clients) {
    const std::string left_out = LeftOutText(client.name, client.left_out);
    if (!left_out.empty()) text += left_out + "\n";
  }
  return text + kNotValidated + "\n";
}

std::string PairText(const sim::Row& row, const std::string& bound) {
  const sim::ClientResult& holder = row.run.clients[0];
  const auto ms = [](double ns) {
    return std::isfinite(ns) ? FormatDuration(static_cast<std::int64_t>(ns)) : "-";
  };
  std::string text = fmt::format("{} under {}{}, filled by {}\n\n", row.holder, sim::PolicyName(row.policy),
                                 bound.empty() ? "" : " (merged device, bound: " + bound + ")", row.filler);
  text += FormatTable({{"holder", fmt::format("{} requests", row.requests), "against alone"},
                       {"  mean", ms(row.holder_mean_ns), Cell(row.mean_x)},
                       {"  p50", ms(row.holder_p50_ns), Cell(row.p50_x)},
                       {"  p99", ms(row.holder_p99_ns), Cell(row.p99_x)},
                       {"  max", ms(row.holder_max_ns), Cell(row.max_x)},
                       {"filler", fmt::format("{:.1f} ms of device a second", row.filler_work_ns / 1e6),
                        Cell(row.filler_vs_alone)},
                       {"  against oracle-gap", "", Cell(row.filler_vs_gap)},
                       {"  against oracle-slack", "", Cell(row.filler_vs_slack)},
                       {"  fluid bound", "", Cell(row.fluid)},
                       {"device busy", FormatPercent(row.device_busy), ""}},
                      {});
  const double base = static_cast<double>(holder.request_ns - holder.harm_ns);
  text += fmt::format("\nharm modelled {}, measured {}\n",
                      FormatPercent(base > 0 ? static_cast<double>(holder.harm_ns) / base : 0),
                      holder.measured ? FormatPercent(holder.measured_slowdown) : "-");
  text += fmt::format("foretold minus actual (p10 / p50 / p90): next submit {}; end on the device {}\n",
                      ErrorsText(holder.next_submit), ErrorsText(holder.device_end));
  for (const auto& [name, client] : {std::pair{row.holder, &holder}, {row.filler, &row.run.clients[1]}}) {
    const std::string left_out = LeftOutText(name, client->program->left_out);
    if (!left_out.empty()) text += left_out + "\n";
  }
  if (row.repeats_itself) text += "The holder repeats itself: learned and judged on the same recording.\n";
  return text;
}

}  // namespace mortar::cli
