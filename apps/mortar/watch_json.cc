#include "mortar/watch.h"

namespace mortar::cli {
namespace {

using nlohmann::json;

template <typename T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json ClientJson(const ClientRates& client) {
  const board::ClientView& view = client.now.view;
  json object = {{"name", view.name},
                 {"pid", view.pid},
                 {"slot", view.ref.index},
                 {"priority", view.priority},
                 {"state", client.now.state},
                 {"alive", client.now.alive},
                 {"holds", client.holds},
                 {"submits_per_s", client.submits_per_s},
                 {"fills_per_s", client.fills_per_s},
                 {"requests_per_s", client.requests_per_s},
                 {"device_share", client.device_share},
                 {"fill_share", client.fill_share},
                 {"floor_share", client.floor_share},
                 {"min_share", nullptr},
                 {"floor_first", view.floor_first},
                 {"memory", view.memory},
                 {"memory_limit", nullptr},
                 {"allocations_refused", view.refused},
                 {"held_share", client.held_share},
                 {"harm_modelled", OrNull(client.harm)},
                 {"harm_modelled_since_joining", OrNull(client.now.harm_modelled)},
                 {"floor_harm_modelled", OrNull(client.floor_harm)},
                 {"floor_harm_modelled_since_joining", OrNull(client.now.floor_harm)},
                 {"harm_measured", nullptr},
                 {"max_slowdown", view.max_slowdown_ppm / 1e6}};
  if (view.min_share_ppm != 0) object["min_share"] = view.min_share_ppm / 1e6;
  if (view.memory_limit != 0) object["memory_limit"] = view.memory_limit;
  if (view.measured_slowdown_ppm) {
    object["harm_measured"] = {{"mean", *view.measured_slowdown_ppm / 1e6},
                               {"low", view.measured_low_ppm / 1e6},
                               {"high", view.measured_high_ppm / 1e6}};
  }
  return object;
}

}  // namespace

json UserJson(const DeviceUser& user) {
  return {{"pid", user.pid},
          {"program", user.program},
          {"device", user.device.empty() ? json(nullptr) : json(user.device)},
          {"through", user.through},
          {"memory_bytes", OrNull(user.memory_bytes)}};
}

json ToJson(const Sample& sample) {
  json devices = json::array();
  for (const auto& device : sample.devices) {
    json clients = json::array();
    for (const auto& client : device.clients) clients.push_back(ClientJson(client));
    json unmanaged = nullptr;
    if (device.unmanaged) {
      unmanaged = json::array();
      for (const auto& user : *device.unmanaged) unmanaged.push_back(UserJson(user));
    }
    devices.push_back({{"device", device.status.device},
                       {"policy", model::PolicyName(device.status.settings.policy)},
                       {"mode", model::DeviceModeName(device.status.settings.mode)},
                       {"off", device.status.settings.off},
                       {"holders", device.Holders()},
                       {"fillers", device.Fillers()},
                       {"busy", device.busy},
                       {"busy_measured", OrNull(device.busy_measured)},
                       {"gaps", OrNull(device.gaps)},
                       {"filled", OrNull(device.filled)},
                       {"unmanaged", std::move(unmanaged)},
                       {"clients", std::move(clients)}});
  }
  json elsewhere = json::array();
  for (const auto& user : sample.elsewhere) elsewhere.push_back(UserJson(user));
  return {{"time_ms", sample.time_ms},
          {"interval_s", sample.interval_s},
          {"directory", sample.directory},
          {"devices", std::move(devices)},
          {"elsewhere", std::move(elsewhere)},
          {"hidden_processes", sample.hidden},
          {"errors", sample.errors}};
}

}  // namespace mortar::cli
