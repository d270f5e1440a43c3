// mortar status: what every board says of itself and of its clients.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "mortar/boards.h"
#include "mortar/invocation.h"
#include "mortar/output.h"
#include "mortar/status_report.h"

namespace mortar::cli {
namespace {

int Status(bool json) {
  auto boards = OpenBoards();
  if (!boards.ok()) {
    Complain("mortar status: " + boards.error().message);
    return kFailed;
  }
  StatusReport report;
  report.directory = boards->directory;
  for (const auto& error : boards->failed) report.errors.push_back(error.message);
  for (auto& one : boards->open) report.devices.push_back(DescribeBoard(one));
  if (json) {
    Print(ToJson(report).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    Print(ToText(report));
  }
  for (const std::string& error : report.errors) Complain("mortar status: " + error);
  return report.errors.empty() ? kDone : kFailed;
}

}  // namespace

void AddStatus(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("status", "Show devices, settings and clients");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object instead of a table");
  AddDirectoryOption(*command, invocation);
  command->footer(
      "Columns: LIMIT is the slowdown that the client allows. HARM is how much longer fills made its "
      "requests: "
      "MODELLED from\npredictions, MEASURED against requests with fills withheld (mean, and its 95 % "
      "interval). DEVICE "
      "is the share of the\ntime since it joined that its work took (predicted). HELD is how long Mortar "
      "held its "
      "submits. PERIOD is how often its\npattern of kernels repeats. FLOOR is its --min-share; FLOOR FILLS "
      "went "
      "by it, and HARM BY FLOORS is what those of others\ncost it, beside HARM MODELLED. MEMORY is the "
      "device "
      "memory that it holds, of what --memory allows.\n\nExamples:\n  mortar status\n  mortar "
      "status "
      "--json | jq '.clients[] | {name, harm_modelled}'");
  command->callback([&invocation, json] { invocation.action = [json] { return Status(*json); }; });
}

}  // namespace mortar::cli
