// mortar doctor: what keeps programs from being scheduled here, what it costs, and the command that mends it.
#include "mortar/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "mortar/invocation.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

constexpr const char* LevelName(Level level) {
  return level == Level::kOk ? "ok" : level == Level::kNote ? "note" : "wrong";
}

std::ptrdiff_t Count(const std::vector<Finding>& findings, Level level) {
  return std::count_if(findings.begin(), findings.end(),
                       [level](const Finding& finding) { return finding.level == level; });
}

int Doctor(bool json) {
  const auto findings = Examine(CollectSystem());
  if (json) {
    Print(ToJson(findings).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    Print(ToText(findings));
  }
  return IsWell(findings) ? kDone : kFailed;
}

}  // namespace

std::vector<Finding> Examine(const System& system) {
  std::vector<Finding> all;
  for (auto* check : {CheckOpenCl, CheckCuda, CheckMps, CheckDirectory, CheckBoards, CheckClients, CheckClock,
                      CheckContainers, CheckInterposers, CheckEnvironment}) {
    for (auto& finding : check(system)) all.push_back(std::move(finding));
  }
  // Every area in one piece, in the order in which it first comes up.
  std::vector<std::string> areas;
  for (const auto& finding : all) {
    if (std::find(areas.begin(), areas.end(), finding.area) == areas.end()) areas.push_back(finding.area);
  }
  std::stable_sort(all.begin(), all.end(), [&](const Finding& a, const Finding& b) {
    return std::find(areas.begin(), areas.end(), a.area) < std::find(areas.begin(), areas.end(), b.area);
  });
  return all;
}

bool IsWell(const std::vector<Finding>& findings) { return Count(findings, Level::kWrong) == 0; }

std::string ToText(const std::vector<Finding>& findings) {
  std::string text;
  std::string area;
  for (const auto& finding : findings) {
    if (finding.area != area) text += (text.empty() ? "" : "\n") + finding.area + "\n";
    area = finding.area;
    const char* level = finding.level == Level::kWrong ? "WRONG" : LevelName(finding.level);
    text += fmt::format("  {:<6} {:<12} {}\n", level, finding.check, board::CleanText(finding.what));
    if (!finding.cost.empty())
      text += fmt::format("  {:<6} {:<12} {}\n", "", "  it costs:", board::CleanText(finding.cost));
    if (!finding.mend.empty())
      text += fmt::format("  {:<6} {:<12} {}\n", "", "  mend it:", board::CleanText(finding.mend));
  }
  const auto wrong = Count(findings, Level::kWrong);
  const auto notes = Count(findings, Level::kNote);
  return text + fmt::format("\n{} wrong, {} worth knowing, {} as it should be\n", wrong, notes,
                            Count(findings, Level::kOk));
}

nlohmann::json ToJson(const std::vector<Finding>& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& finding : findings) {
    list.push_back({{"area", finding.area},
                    {"check", finding.check},
                    {"level", LevelName(finding.level)},
                    {"what", finding.what},
                    {"cost", finding.cost},
                    {"mend", finding.mend}});
  }
  return {{"well", IsWell(findings)}, {"findings", std::move(list)}};
}

std::string Quoted(const std::string& text) {
  constexpr const char* kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=:,@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string Value(const System& system, const std::string& variable) {
  const auto found = system.environment.find(variable);
  return found == system.environment.end() ? "" : found->second;
}

std::vector<std::string> Parts(const std::string& list, bool spaces) {
  const char* separators = spaces ? ": " : ":";
  std::vector<std::string> parts;
  for (std::size_t start = 0; start < list.size();) {
    const std::size_t end = std::min(list.find_first_of(separators, start), list.size());
    if (end > start) parts.push_back(list.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

void AddDoctor(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("doctor", "Find what keeps programs from being scheduled here");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object instead of text");
  AddDirectoryOption(*command, invocation);
  command->footer(
      "Looks at drivers, loaders and the order of layers, at NVIDIA's MPS, the boards and their directory, "
      "running clients,\nthe clock, containers, and other libraries that stand between programs and driver. "
      "For each thing that is wrong:\nwhat it costs, and a command that mends it. Changes nothing.\n\n"
      "It judges the environment that it is started in; for that of a program under Mortar run it there:\n"
      "  mortar run -- mortar doctor\n\n"
      "Exit codes: 0 nothing is wrong (notes do not count), 1 something is.\n\n"
      "Examples:\n  mortar doctor\n  mortar doctor --json | jq '.findings[] | select(.level != \"ok\")'");
  command->callback([&invocation, json] { invocation.action = [json] { return Doctor(*json); }; });
}

}  // namespace mortar::cli
