#include "mortar/top_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "mortar/output.h"

namespace mortar::cli {
namespace {

constexpr int kBusyCells = 20;
constexpr int kHarmCells = 8;
constexpr double kNearLimit = 0.8;  // chosen: from here on harm is shown as near its limit

std::string Bar(double share, int cells, bool unicode) {
  const int full = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * cells));
  std::string bar;
  for (int i = 0; i < cells; ++i) bar += i < full ? (unicode ? "\u2588" : "#") : (unicode ? "\u00b7" : ".");
  return bar;
}

std::string Rate(const ClientRates& client, double per_s) {
  if (!client.compared) return kAbsent;
  return per_s >= 99.5 ? fmt::format("{:.0f}", per_s) : fmt::format("{:.3g}", per_s);
}

std::string Percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string Share(const ClientRates& client, double share) {
  return client.compared ? Percent(share) : std::string(kAbsent);
}

std::string OrAbsent(const std::optional<double>& share) { return share ? FormatPercent(*share) : kAbsent; }

std::string Joined(const std::vector<std::string>& names) {
  if (names.empty()) return "nobody";
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Harm as a part of what is allowed: the larger of model and measurement.
std::optional<double> HarmOfLimit(const ClientRates& client) {
  const board::ClientView& view = client.now.view;
  std::optional<double> harm = client.harm ? client.harm : client.now.harm_modelled;
  if (view.measured_slowdown_ppm) harm = std::max(harm.value_or(0), *view.measured_slowdown_ppm / 1e6);
  if (!harm) return std::nullopt;
  if (view.max_slowdown_ppm == 0) return *harm > 0 ? 2.0 : 0.0;
  return *harm / (view.max_slowdown_ppm / 1e6);
}

Style StyleOf(const ClientRates& client) {
  const auto harm = HarmOfLimit(client);
  if (!client.now.alive) return Style::kDim;
  if (harm && *harm > 1) return Style::kBad;
  if (harm && *harm > kNearLimit) return Style::kWarn;
  if (client.holds) return Style::kHolder;
  return client.fills_per_s > 0 ? Style::kFiller : Style::kPlain;
}

// Which columns of limits some client of the device needs.
struct LimitColumns {
  bool floors = false, memory = false;
};

std::vector<std::string> Row(const ClientRates& client, const FrameOptions& options,
                             const LimitColumns& limits) {
  const board::ClientView& view = client.now.view;
  std::string measured = kAbsent;
  if (view.measured_slowdown_ppm) measured = FormatPercent(*view.measured_slowdown_ppm / 1e6);
  std::vector<std::string> row = {view.name,
                                  std::to_string(view.pid),
                                  std::to_string(view.priority),
                                  client.now.alive ? client.now.state : "dead, cleared",
                                  Rate(client, client.submits_per_s),
                                  Rate(client, client.fills_per_s),
                                  Share(client, client.device_share),
                                  Share(client, client.fill_share),
                                  Share(client, client.held_share),
                                  OrAbsent(client.harm),
                                  OrAbsent(client.now.harm_modelled),
                                  measured,
                                  FormatPercent(view.max_slowdown_ppm / 1e6)};
  if (options.bars) {
    const auto harm = HarmOfLimit(client);
    row.push_back(harm ? Bar(*harm, kHarmCells, options.unicode) : "");
  }
  if (limits.floors) {
    row.insert(row.end(), {FloorText(view), Share(client, client.floor_share), OrAbsent(client.floor_harm)});
  }
  if (limits.memory) row.push_back(MemoryText(view));
  return row;
}

bool Before(const ClientRates& a, const ClientRates& b, Order order) {
  const board::ClientView& one = a.now.view;
  const board::ClientView& two = b.now.view;
  if (order == Order::kDevice && a.device_share != b.device_share) return a.device_share > b.device_share;
  if (order == Order::kPriority && one.priority != two.priority) return one.priority < two.priority;
  return one.name < two.name;
}

void AddClients(const DeviceRates& device, const FrameOptions& options, std::vector<Line>& lines) {
  if (device.clients.empty()) {
    lines.push_back({{"  no clients", Style::kDim}});
    return;
  }
  std::vector<const ClientRates*> clients;
  for (const auto& client : device.clients) clients.push_back(&client);
  std::stable_sort(clients.begin(), clients.end(),
                   [&](const ClientRates* a, const ClientRates* b) { return Before(*a, *b, options.order); });
  std::vector<std::vector<std::string>> rows = {{"NAME", "PID", "PRI", "STATE", "SUBMITS/S", "FILLS/S",
                                                 "DEVICE", "FILL", "HELD", "HARM NOW", "MODELLED", "MEASURED",
                                                 "LIMIT"}};
  if (options.bars) rows.front().push_back("OF LIMIT");
  LimitColumns limits;
  for (const auto* client : clients) {
    limits.floors = limits.floors || HasFloors(client->now.view);
    limits.memory = limits.memory || HasMemory(client->now.view);
  }
  if (limits.floors) rows.front().insert(rows.front().end(), {"FLOOR", "BY FLOOR", "HARM BY FLOORS"});
  if (limits.memory) rows.front().emplace_back("MEMORY");
  for (const auto* client : clients) rows.push_back(Row(*client, options, limits));
  const std::string table = FormatTable(rows, {1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  std::size_t start = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t end = table.find('\n', start);
    const Style style = i == 0 ? Style::kHead : StyleOf(*clients[i - 1]);
    lines.push_back({{"  " + table.substr(start, end - start), style}});
    start = end + 1;
  }
}

std::string DescribeUser(const DeviceUser& user) {
  std::string text =
      fmt::format("{} {} ({}", user.pid, user.program.empty() ? "?" : user.program, user.through);
  if (user.memory_bytes) text += fmt::format(", {} MiB", *user.memory_bytes >> 20);
  return text + ")";
}

Line UsersLine(const char* label, const std::vector<DeviceUser>& users) {
  std::string text;
  for (const auto& user : users) text += (text.empty() ? "" : ", ") + DescribeUser(user);
  return {{label, Style::kDim}, {text, Style::kWarn}};
}

void AddDevice(const DeviceRates& device, const FrameOptions& options, std::vector<Line>& lines) {
  const board::Settings& settings = device.status.settings;
  lines.push_back({{device.status.device, Style::kTitle},
                   {fmt::format("  policy {}, mode {}", model::PolicyName(settings.policy),
                                model::DeviceModeName(settings.mode)),
                    Style::kPlain},
                   {settings.off ? "  OFF: nobody is held" : "", Style::kBad}});
  lines.push_back({{"  holds: ", Style::kDim},
                   {Joined(device.Holders()), Style::kHolder},
                   {"   fills: ", Style::kDim},
                   {Joined(device.Fillers()), Style::kFiller}});
  Line busy = {{"  busy ", Style::kDim}};
  if (options.bars) busy.push_back({Bar(device.busy, kBusyCells, options.unicode) + " ", Style::kPlain});
  busy.push_back({Percent(device.busy) + " (predicted)", Style::kPlain});
  if (device.busy_measured)
    busy.push_back({", " + Percent(*device.busy_measured) + " (driver)", Style::kPlain});
  if (device.gaps) {
    busy.push_back({"   holder's gaps ", Style::kDim});
    busy.push_back({Percent(*device.gaps) + ", filled " + (device.filled ? Percent(*device.filled) : kAbsent),
                    Style::kPlain});
  }
  lines.push_back(std::move(busy));
  AddClients(device, options, lines);
  if (!device.unmanaged) {
    if (!device.unmanaged_unknown.empty())
      lines.push_back({{"  without Mortar: not known; " + device.unmanaged_unknown, Style::kDim}});
  } else if (!device.unmanaged->empty()) {
    lines.push_back(UsersLine("  without Mortar: ", *device.unmanaged));
  } else {
    lines.push_back({{"  without Mortar: nobody", Style::kDim}});
  }
}

std::string Clock(std::int64_t time_ms) {
  const std::time_t seconds = time_ms / 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace

const char* OrderName(Order order) {
  return order == Order::kPriority ? "priority" : order == Order::kDevice ? "device time" : "name";
}

Order NextOrder(Order order) {
  return order == Order::kPriority ? Order::kDevice
         : order == Order::kDevice ? Order::kName
                                   : Order::kPriority;
}

std::vector<Line> ComposeFrame(const Sample& sample, const FrameOptions& options) {
  std::vector<Line> lines;
  lines.push_back(
      {{"mortar top", Style::kTitle},
       {fmt::format("  {}  {}  over {:.3g} s", Clock(sample.time_ms), sample.directory, sample.interval_s),
        Style::kDim}});
  if (sample.devices.empty() && sample.errors.empty()) {
    lines.push_back(
        {{"No device is shared here yet; start a program with: mortar run -- PROGRAM", Style::kPlain}});
  }
  for (const auto& device : sample.devices) {
    lines.push_back({});
    AddDevice(device, options, lines);
  }
  if (!sample.elsewhere.empty()) {
    lines.push_back({});
    lines.push_back(UsersLine("without Mortar, on devices that have no board: ", sample.elsewhere));
  }
  if (sample.hidden > 0) {
    lines.push_back(
        {{fmt::format("{} processes of other users could not be looked into", sample.hidden), Style::kDim}});
  }
  for (const auto& error : sample.errors) lines.push_back({{error, Style::kBad}});
  return lines;
}

std::string PlainText(const std::vector<Line>& lines) {
  std::string text;
  for (const auto& line : lines) {
    for (const auto& span : line) text += span.text;
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

}  // namespace mortar::cli
