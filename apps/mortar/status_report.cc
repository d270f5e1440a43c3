#include "mortar/status_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "mortar/output.h"

namespace mortar::cli {
namespace {

using nlohmann::json;

double Ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }
double Share(std::int32_t ppm) { return ppm / 1e6; }

json ClientJson(const DeviceStatus& device, const ClientStatus& client) {
  const board::ClientView& view = client.view;
  json measured = nullptr;
  if (view.measured_slowdown_ppm) {
    measured = {{"mean", Share(*view.measured_slowdown_ppm)},
                {"low", Share(view.measured_low_ppm)},
                {"high", Share(view.measured_high_ppm)}};
  }
  json object = {
      {"device", device.device},
      {"name", view.name},
      {"pid", view.pid},
      {"slot", view.ref.index},
      {"priority", view.priority},
      {"state", client.state},
      {"alive", client.alive},
      {"max_slowdown", view.max_slowdown_ppm / 1e6},
      {"weight", view.weight_permille / 1e3},
      {"min_share", nullptr},
      {"floor_first", view.floor_first},
      {"memory_limit", nullptr},
      {"memory", view.memory},
      {"allocations_refused", view.refused},
      {"joined_s_ago", static_cast<double>(device.now_ns - view.joined_at_ns) / 1e9},
      {"submits", view.submits},
      {"fills", view.fills},
      {"fill_ms", Ms(view.fill_ns)},
      {"floors", view.floors},
      {"floor_ms", Ms(view.floor_ns)},
      {"held", view.gated},
      {"held_ms", Ms(view.gated_ns)},
      {"waits", view.waits},
      {"wait_ms", Ms(view.wait_ns)},
      {"device_ms", Ms(view.device_ns)},
      {"device_share", client.device_share},
      {"requests", view.requests},
      {"request_ms", Ms(view.request_ns)},
      {"harm_ms", Ms(view.harm_ns)},
      {"floor_harm_ms", Ms(view.floor_harm_ns)},
      {"harm_modelled", nullptr},
      {"floor_harm_modelled", nullptr},
      {"harm_measured", std::move(measured)},
      {"controls", view.controls},
      {"caution", view.caution_permille / 1e3},
      {"period_submits", view.period_submits},
      {"period_ms", Ms(view.period_ns)},
      {"minibatches", view.minibatches},
      {"minibatch_ms", view.minibatches > 0 ? Ms(view.minibatch_ns / view.minibatches) : 0.0},
      {"idle_after_ms", static_cast<double>(view.idle_after_ns) / 1e6},
      {"kernels_known", view.kernels_known},
      {"sampled", view.sampled},
      {"claims_lost", view.claims_lost},
  };
  if (view.min_share_ppm != 0) object["min_share"] = view.min_share_ppm / 1e6;
  if (view.memory_limit != 0) object["memory_limit"] = view.memory_limit;
  if (client.floor_harm) object["floor_harm_modelled"] = *client.floor_harm;
  if (client.harm_modelled) object["harm_modelled"] = *client.harm_modelled;
  return object;
}

std::string MeasuredText(const board::ClientView& view) {
  if (!view.measured_slowdown_ppm) return kAbsent;
  return fmt::format("{} ({:.3g} \u2026 {:.3g})", FormatPercent(Share(*view.measured_slowdown_ppm)),
                     100 * Share(view.measured_low_ppm), 100 * Share(view.measured_high_ppm));
}

std::vector<std::string> ClientRow(const ClientStatus& client) {
  const board::ClientView& view = client.view;
  const std::string state = client.alive ? client.state : "dead, cleared";
  return {view.name,
          std::to_string(view.pid),
          std::to_string(view.priority),
          FormatPercent(view.max_slowdown_ppm / 1e6),
          state,
          std::to_string(view.submits),
          std::to_string(view.fills),
          FormatDuration(static_cast<std::int64_t>(view.gated_ns)),
          FormatPercent(client.device_share),
          client.harm_modelled ? FormatPercent(*client.harm_modelled) : kAbsent,
          MeasuredText(view),
          view.period_ns == 0 ? kAbsent : FormatDuration(static_cast<std::int64_t>(view.period_ns))};
}

// FLOOR … and MEMORY, where some client of the device has a floor, is harmed by one, or has memory.
void AddLimitColumns(const DeviceStatus& device, std::vector<std::vector<std::string>>& rows) {
  const auto any = [&](bool (*has)(const board::ClientView&)) {
    return std::any_of(device.clients.begin(), device.clients.end(),
                       [&](const ClientStatus& client) { return has(client.view); });
  };
  const bool floors = any(HasFloors);
  const bool memory = any(HasMemory);
  if (floors) rows[0].insert(rows[0].end(), {"FLOOR", "FLOOR FILLS", "HARM BY FLOORS"});
  if (memory) rows[0].emplace_back("MEMORY");
  for (std::size_t i = 0; i < device.clients.size(); ++i) {
    const ClientStatus& client = device.clients[i];
    std::vector<std::string>& row = rows[i + 1];
    if (floors) {
      row.insert(row.end(), {FloorText(client.view), std::to_string(client.view.floors),
                             client.floor_harm ? FormatPercent(*client.floor_harm) : kAbsent});
    }
    if (memory) row.push_back(MemoryText(client.view));
  }
}

}  // namespace

std::string FloorText(const board::ClientView& view) {
  if (view.min_share_ppm == 0) return kAbsent;
  return FormatPercent(view.min_share_ppm / 1e6) + (view.floor_first ? " first" : "");
}

std::string MemoryText(const board::ClientView& view) {
  if (!HasMemory(view)) return kAbsent;
  return FormatBytes(view.memory) +
         (view.memory_limit != 0 ? " of " + FormatBytes(view.memory_limit) : std::string());
}

bool HasFloors(const board::ClientView& view) { return view.min_share_ppm != 0 || view.floor_harm_ns != 0; }
bool HasMemory(const board::ClientView& view) { return view.memory != 0 || view.memory_limit != 0; }

std::string StateOf(const board::ClientView& client, std::int64_t now_ns) {
  bool waiting = false;
  bool running = false;
  bool used = false;
  for (const auto& lane : client.lanes) {
    const bool recent = lane.last_activity_ns != 0 && now_ns - lane.last_activity_ns <= client.idle_after_ns;
    if (lane.state == board::kLaneGated) return "held";
    used = used || lane.last_activity_ns != 0;
    running = running || (recent && lane.state == board::kLaneRunning);
    waiting = waiting || (recent && lane.state == board::kLaneWaiting);
  }
  if (running) return "running";
  if (waiting) return "waiting";
  return used ? "idle" : "unused";
}

DeviceStatus DescribeBoard(OpenBoard& one) {
  DeviceStatus status;
  status.device = one.device;
  status.path = one.board.path();
  status.settings = board::ReadSettings(one.board.header());
  status.now_ns = one.board.NowNs();
  bool any_dead = false;
  for (auto& view : board::ReadClients(one.board)) {
    ClientStatus client;
    client.alive = one.board.OwnerAlive(view.ref.index);
    any_dead = any_dead || !client.alive;
    client.state = client.alive ? StateOf(view, status.now_ns) : "dead";
    const std::int64_t joined_for = status.now_ns - view.joined_at_ns;
    if (joined_for > 0)
      client.device_share = static_cast<double>(view.device_ns) / static_cast<double>(joined_for);
    const std::uint64_t harm = view.harm_ns + view.floor_harm_ns;
    if (harm >= view.harm_ns && view.request_ns > harm) {
      const auto undisturbed = static_cast<double>(view.request_ns - harm);
      client.harm_modelled = static_cast<double>(view.harm_ns) / undisturbed;
      client.floor_harm = static_cast<double>(view.floor_harm_ns) / undisturbed;
    }
    client.view = std::move(view);
    status.clients.push_back(std::move(client));
  }
  if (any_dead) one.board.ClearStale();
  return status;
}

nlohmann::json ToJson(const StatusReport& report) {
  json devices = json::array();
  json clients = json::array();
  for (const auto& device : report.devices) {
    const auto us = [](std::int64_t ns) { return static_cast<double>(ns) / 1e3; };
    devices.push_back({{"device", device.device},
                       {"path", device.path},
                       {"mode", model::DeviceModeName(device.settings.mode)},
                       {"policy", model::PolicyName(device.settings.policy)},
                       {"off", device.settings.off},
                       {"switch_cost_us", us(device.settings.switch_cost_ns)},
                       {"bound_us", us(device.settings.in_flight_bound_ns)},
                       {"margin_us", us(device.settings.margin_ns)}});
    for (const auto& client : device.clients) clients.push_back(ClientJson(device, client));
  }
  return {{"directory", report.directory},
          {"devices", std::move(devices)},
          {"clients", std::move(clients)},
          {"errors", report.errors}};
}

std::string ToText(const StatusReport& report) {
  if (report.devices.empty()) return fmt::format("No device is shared through {}.\n", report.directory);
  std::string text;
  for (const auto& device : report.devices) {
    const board::Settings& settings = device.settings;
    text += fmt::format("{}{}: {}, policy {}, mode {}, bound {}, switch cost {}, margin {}\n",
                        text.empty() ? "" : "\n", device.device, settings.off ? "OFF (nobody is held)" : "on",
                        model::PolicyName(settings.policy), model::DeviceModeName(settings.mode),
                        FormatDuration(settings.in_flight_bound_ns), FormatDuration(settings.switch_cost_ns),
                        FormatDuration(settings.margin_ns));
    if (device.clients.empty()) {
      text += "  no clients\n";
      continue;
    }
    std::vector<std::vector<std::string>> rows = {{"  NAME", "PID", "PRIORITY", "LIMIT", "STATE", "SUBMITS",
                                                   "FILLS", "HELD", "DEVICE", "HARM MODELLED",
                                                   "HARM MEASURED", "PERIOD"}};
    for (const auto& client : device.clients) {
      rows.push_back(ClientRow(client));
      rows.back().front().insert(0, "  ");
    }
    AddLimitColumns(device, rows);
    text += FormatTable(rows, {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15});
  }
  return text;
}

}  // namespace mortar::cli
