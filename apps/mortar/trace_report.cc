#include "mortar/trace_report.h"

#include <fmt/format.h>

#include "board/view.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

using nlohmann::ordered_json;
using trace::ClientSummary;
using trace::Summary;

std::string Count(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

ClientSummary Total(const Summary& summary) {
  ClientSummary total;
  for (const ClientSummary& client : summary.clients) {
    total.kernels += client.kernels;
    total.measured += client.measured;
    total.fills += client.fills;
    total.waits += client.waits;
    total.requests += client.requests;
    total.controls += client.controls;
    total.harm_ns += client.harm_ns;
    total.held += client.held;
    total.not_drawn += client.not_drawn;
    total.unusable += client.unusable;
  }
  return total;
}

std::string HowMeasured(std::uint64_t measured, std::uint64_t kernels) {
  if (kernels == 0) return "";
  if (measured == kernels) return " (all measured)";
  if (measured == 0) return " (none measured: device times are predictions)";
  return fmt::format(" ({} measured, the others' times are predictions)", measured);
}

std::string DescribeClient(const ClientSummary& client) {
  std::string text = fmt::format("{} (priority {}): {} on the device", board::CleanText(client.name),
                                 client.priority, FormatDuration(client.device_ns));
  if (client.fills > 0) text += fmt::format(", {} of {} kernels as fills", client.fills, client.kernels);
  if (client.held > 0) text += fmt::format(", held for {}", FormatDuration(client.held_ns));
  if (client.harm_ns > 0) text += fmt::format(", harmed by {}", FormatDuration(client.harm_ns));
  return text;
}

std::string DescribeBoard(const trace::BoardSummary& board) {
  if (board.span_ns == 0) return "";
  const double busy = static_cast<double>(board.busy_ns) / static_cast<double>(board.span_ns);
  std::string text = fmt::format(" Device {}: busy {}", board::CleanText(board.device), FormatPercent(busy));
  if (board.overlap.count > 0) {
    text += fmt::format("; kernels of different clients overlap {} times, by {} at most", board.overlap.count,
                        FormatDuration(board.overlap.longest_ns));
  }
  return text + ".";
}

ordered_json ToJson(const trace::Unusable& unusable) {
  return {{"dropped_records", unusable.dropped_records},
          {"dropped_names", unusable.dropped_names},
          {"unwritten", unusable.unwritten},
          {"cut", unusable.cut},
          {"bad_kind", unusable.bad_kind},
          {"bad_lane", unusable.bad_lane},
          {"bad_time", unusable.bad_time}};
}

ordered_json ToJson(const ClientSummary& client) {
  return {{"name", client.name},
          {"pid", client.pid},
          {"priority", client.priority},
          {"policy", client.policy},
          {"device", client.device},
          {"kernels", client.kernels},
          {"measured", client.measured},
          {"fills", client.fills},
          {"device_ns", client.device_ns},
          {"waits", client.waits},
          {"wait_ns", client.wait_ns},
          {"harm_modelled_ns", client.harm_ns},
          {"requests", client.requests},
          {"request_ns", client.request_ns},
          {"controls", client.controls},
          {"held", client.held},
          {"held_ns", client.held_ns},
          {"gap_ns", client.gap_ns},
          {"gap_used_by_others_ns", client.others_ns},
          {"not_drawn", client.not_drawn},
          {"unusable", ToJson(client.unusable)}};
}

ordered_json ToJson(const trace::BoardSummary& board) {
  return {{"device", board.device},
          {"busy_ns", board.busy_ns},
          {"span_ns", board.span_ns},
          {"overlaps", board.overlap.count},
          {"overlap_ns", board.overlap.total_ns},
          {"longest_overlap_ns", board.overlap.longest_ns},
          {"longest_overlap_at_ns", board.overlap.longest_at_ns}};
}

}  // namespace

std::string DescribeRecording(const Summary& summary) {
  const ClientSummary total = Total(summary);
  std::string text = fmt::format(
      "{} in {}: {}{}, {}, {}, {} ({}), harm {} (modelled).", Count(summary.clients.size(), "client"),
      FormatDuration(summary.span_ns), Count(total.kernels, "kernel"),
      HowMeasured(total.measured, total.kernels), Count(total.fills, "fill"), Count(total.waits, "wait"),
      Count(total.requests, "request"), Count(total.controls, "control"), FormatDuration(total.harm_ns));
  for (const ClientSummary& client : summary.clients) text += " " + DescribeClient(client) + ".";
  for (const trace::BoardSummary& board : summary.boards) text += DescribeBoard(board);
  if (const std::string left_out = trace::Describe(total.unusable); !left_out.empty()) {
    text += " Left out: " + left_out + ".";
  }
  if (total.not_drawn > 0) {
    text += " Not drawn, too many at once: " + Count(total.not_drawn, "slice") + ".";
  }
  return text;
}

ordered_json RecordingToJson(const Summary& summary) {
  ordered_json clients = ordered_json::array();
  for (const ClientSummary& client : summary.clients) clients.push_back(ToJson(client));
  ordered_json devices = ordered_json::array();
  for (const trace::BoardSummary& board : summary.boards) devices.push_back(ToJson(board));
  const ClientSummary total = Total(summary);
  return {{"span_ns", summary.span_ns},
          {"kernels", total.kernels},
          {"measured", total.measured},
          {"fills", total.fills},
          {"waits", total.waits},
          {"requests", total.requests},
          {"controls", total.controls},
          {"harm_modelled_ns", total.harm_ns},
          {"unusable_records", total.unusable.records()},
          {"clients", clients},
          {"devices", devices},
          {"unreadable", summary.unreadable}};
}

}  // namespace mortar::cli
