#include "mortar/serve_metrics.h"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <optional>

namespace mortar::cli {
namespace {

using Value = std::optional<double>;  // nullopt: this sample has none

struct ClientMetric {
  const char* name;
  const char* type;
  const char* help;
  Value (*value)(const ClientRates& client);
};

struct DeviceMetric {
  const char* name;
  const char* help;
  Value (*value)(const DeviceRates& device);
};

Value Seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }
Value Count(std::uint64_t count) { return static_cast<double>(count); }

using C = const ClientRates&;
using D = const DeviceRates&;
constexpr char kCounter[] = "counter";
constexpr char kGauge[] = "gauge";

constexpr std::array kClientMetrics = {
    ClientMetric{"mortar_client_priority", kGauge, "Priority of the client; 0 is the highest.",
                 [](C c) { return Count(c.now.view.priority); }},
    ClientMetric{"mortar_client_holds", kGauge,
                 "1 if the client is active at the highest priority on its device.",
                 [](C c) { return Value(c.holds ? 1 : 0); }},
    ClientMetric{"mortar_client_submits_total", kCounter, "Submits.",
                 [](C c) { return Count(c.now.view.submits); }},
    ClientMetric{"mortar_client_fills_total", kCounter,
                 "Submits admitted while a client of higher priority was active.",
                 [](C c) { return Count(c.now.view.fills); }},
    ClientMetric{"mortar_client_fill_seconds_total", kCounter, "Predicted device time of fills.",
                 [](C c) { return Seconds(c.now.view.fill_ns); }},
    ClientMetric{"mortar_client_floor_fills_total", kCounter,
                 "Fills admitted because the client's share was below its floor, not because they fitted.",
                 [](C c) { return Count(c.now.view.floors); }},
    ClientMetric{"mortar_client_floor_seconds_total", kCounter, "Predicted device time of those fills.",
                 [](C c) { return Seconds(c.now.view.floor_ns); }},
    ClientMetric{"mortar_client_min_share_ratio", kGauge,
                 "Floor under the client's share of device time; 0.1 is 10 %.",
                 [](C c) {
                   const auto ppm = c.now.view.min_share_ppm;
                   return ppm != 0 ? Value(ppm / 1e6) : Value();
                 }},
    ClientMetric{"mortar_client_memory_bytes", kGauge, "Device memory that the client holds.",
                 [](C c) { return Count(c.now.view.memory); }},
    ClientMetric{"mortar_client_memory_limit_bytes", kGauge, "Device memory that the client may hold.",
                 [](C c) {
                   const auto limit = c.now.view.memory_limit;
                   return limit != 0 ? Count(limit) : Value();
                 }},
    ClientMetric{"mortar_client_allocations_refused_total", kCounter,
                 "Allocations of device memory refused because of that limit.",
                 [](C c) { return Count(c.now.view.refused); }},
    ClientMetric{"mortar_client_held_submits_total", kCounter, "Submits that Mortar held at least once.",
                 [](C c) { return Count(c.now.view.gated); }},
    ClientMetric{"mortar_client_held_seconds_total", kCounter, "Time for which Mortar held submits.",
                 [](C c) { return Seconds(c.now.view.gated_ns); }},
    ClientMetric{"mortar_client_device_seconds_total", kCounter, "Predicted device time of all submits.",
                 [](C c) { return Seconds(c.now.view.device_ns); }},
    ClientMetric{"mortar_client_waits_total", kCounter, "Calls in which the program waited for the device.",
                 [](C c) { return Count(c.now.view.waits); }},
    ClientMetric{"mortar_client_wait_seconds_total", kCounter, "Time spent in those calls.",
                 [](C c) { return Seconds(c.now.view.wait_ns); }},
    ClientMetric{"mortar_client_requests_total", kCounter, "Requests during which fills were allowed.",
                 [](C c) { return Count(c.now.view.requests); }},
    ClientMetric{"mortar_client_request_seconds_total", kCounter, "Duration of those requests.",
                 [](C c) { return Seconds(c.now.view.request_ns); }},
    ClientMetric{"mortar_client_harm_seconds_total", kCounter, "Modelled delay of those requests by fills.",
                 [](C c) { return Seconds(c.now.view.harm_ns); }},
    ClientMetric{"mortar_client_floor_harm_seconds_total", kCounter,
                 "Modelled delay of those requests by others' floor fills.",
                 [](C c) { return Seconds(c.now.view.floor_harm_ns); }},
    ClientMetric{"mortar_client_control_requests_total", kCounter,
                 "Requests with fills withheld, to measure harm.",
                 [](C c) { return Count(c.now.view.controls); }},
    ClientMetric{"mortar_client_claims_lost_total", kCounter,
                 "Fills given up as too late, or lost to another client.",
                 [](C c) { return Count(c.now.view.claims_lost); }},
    ClientMetric{"mortar_client_sampled_submits_total", kCounter, "Submits whose device time was measured.",
                 [](C c) { return Count(c.now.view.sampled); }},
    ClientMetric{"mortar_client_max_slowdown_ratio", kGauge,
                 "Slowdown by fills that the client allows; 0.02 is 2 %.",
                 [](C c) { return Value(c.now.view.max_slowdown_ppm / 1e6); }},
    ClientMetric{"mortar_client_measured_slowdown_ratio", kGauge,
                 "Slowdown by fills, measured against requests with fills withheld; mean.",
                 [](C c) {
                   const auto& ppm = c.now.view.measured_slowdown_ppm;
                   return ppm ? Value(*ppm / 1e6) : Value();
                 }},
    ClientMetric{"mortar_client_caution_ratio", kGauge,
                 "How cautiously fills are admitted for the client's sake; 1: none are.",
                 [](C c) { return Value(c.now.view.caution_permille / 1e3); }},
    ClientMetric{"mortar_client_period_seconds", kGauge, "How often the client's pattern of kernels repeats.",
                 [](C c) { return c.now.view.period_ns == 0 ? Value() : Seconds(c.now.view.period_ns); }},
    ClientMetric{"mortar_client_kernels_known", kGauge,
                 "Kernel identities that the client's predictions know.",
                 [](C c) { return Count(c.now.view.kernels_known); }},
};

constexpr std::array kDeviceMetrics = {
    DeviceMetric{"mortar_device_off", "1 if mortar off was said: nobody is held.",
                 [](D d) { return Value(d.status.settings.off ? 1 : 0); }},
    DeviceMetric{"mortar_device_clients", "Clients on the device.",
                 [](D d) { return Count(d.clients.size()); }},
    DeviceMetric{"mortar_device_busy_ratio",
                 "Predicted share of the last interval in which the device worked.",
                 [](D d) { return Value(d.busy); }},
    DeviceMetric{"mortar_device_measured_busy_ratio", "The same as the driver measures it.",
                 [](D d) { return d.busy_measured; }},
    DeviceMetric{"mortar_device_gap_ratio", "Share of the last interval without the holder's work.",
                 [](D d) { return d.gaps; }},
    DeviceMetric{"mortar_device_filled_gap_ratio", "Part of those gaps that fills took.",
                 [](D d) { return d.filled; }},
    DeviceMetric{"mortar_device_unmanaged_processes", "Processes on the device that Mortar does not manage.",
                 [](D d) { return d.unmanaged ? Count(d.unmanaged->size()) : Value(); }},
    DeviceMetric{"mortar_device_switch_cost_seconds", "Setting: cost of changing between programs.",
                 [](D d) { return Value(static_cast<double>(d.status.settings.switch_cost_ns) / 1e9); }},
};

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void Head(std::string& text, const char* name, const char* type, const char* help) {
  text += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

std::string DeviceLabel(const DeviceRates& device) {
  return "device=\"" + Escaped(device.status.device) + "\"";
}

void AddDevices(const Sample& sample, std::string& text) {
  Head(text, "mortar_device_info", kGauge, "Settings of the device, as labels; always 1.");
  for (const auto& device : sample.devices) {
    text += fmt::format("mortar_device_info{{{},policy=\"{}\",mode=\"{}\"}} 1\n", DeviceLabel(device),
                        model::PolicyName(device.status.settings.policy),
                        model::DeviceModeName(device.status.settings.mode));
  }
  for (const auto& metric : kDeviceMetrics) {
    Head(text, metric.name, kGauge, metric.help);
    for (const auto& device : sample.devices) {
      if (const Value value = metric.value(device); value)
        text += fmt::format("{}{{{}}} {}\n", metric.name, DeviceLabel(device), *value);
    }
  }
}

void AddClients(const Sample& sample, std::string& text) {
  for (const auto& metric : kClientMetrics) {
    Head(text, metric.name, metric.type, metric.help);
    for (const auto& device : sample.devices) {
      const std::string label = DeviceLabel(device);
      for (const auto& client : device.clients) {
        const Value value = client.now.alive ? metric.value(client) : Value();
        if (!value) continue;
        // Names are told apart while clients live; damage to a board could give two the same: so, the slot
        // too.
        text += fmt::format("{}{{{},client=\"{}\",pid=\"{}\",slot=\"{}\"}} {}\n", metric.name, label,
                            Escaped(client.now.view.name), client.now.view.pid, client.now.view.ref.index,
                            *value);
      }
    }
  }
}

}  // namespace

std::string ToMetrics(const Sample& sample) {
  std::string text;
  Head(text, "mortar_build_info", kGauge, "Version of mortar serve, as a label; always 1.");
  text += "mortar_build_info{version=\"" MORTAR_VERSION "\"} 1\n";
  Head(text, "mortar_boards", kGauge, "Boards that could be read.");
  text += fmt::format("mortar_boards {}\n", sample.devices.size());
  Head(text, "mortar_boards_unreadable", kGauge, "Boards, or their directory, that could not be read.");
  text += fmt::format("mortar_boards_unreadable {}\n", sample.errors.size());
  AddDevices(sample, text);
  AddClients(sample, text);
  return text;
}

}  // namespace mortar::cli
