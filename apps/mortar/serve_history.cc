#include "mortar/serve_history.h"

#include <algorithm>

namespace mortar::cli {
namespace {

using nlohmann::json;

json OrNull(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

// Four digits are more than a plot shows.
double Rounded(double value) { return std::round(value * 1e4) / 1e4; }

std::string Text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

json PlotJson(const Sample& sample) {
  json devices = json::array();
  for (const auto& device : sample.devices) {
    json clients = json::array();
    for (const auto& client : device.clients) {
      const board::ClientView& view = client.now.view;
      json one = {{"n", view.name},
                  {"p", view.pid},
                  {"r", view.priority},
                  {"h", client.holds},
                  {"d", Rounded(client.device_share)},
                  {"f", Rounded(client.fill_share)},
                  {"s", Rounded(client.submits_per_s)},
                  {"x", OrNull(client.harm)},
                  {"l", view.max_slowdown_ppm / 1e6}};
      if (view.measured_slowdown_ppm) one["y"] = *view.measured_slowdown_ppm / 1e6;
      clients.push_back(std::move(one));
    }
    devices.push_back({{"n", device.status.device},
                       {"b", Rounded(device.busy)},
                       {"m", OrNull(device.busy_measured)},
                       {"c", std::move(clients)}});
  }
  return {{"t", sample.time_ms}, {"d", std::move(devices)}};
}

void History::Add(const Sample& sample) {
  ++last_;
  now_ = Text(ToJson(sample));
  samples_.push_back(Text(PlotJson(sample)));
  bytes_ += samples_.back().size();
  while (samples_.size() > 1 && (samples_.size() > kMostSamples || bytes_ > kMostBytes)) {
    bytes_ -= samples_.front().size();
    samples_.pop_front();
  }
  all_.reset();
  newest_.reset();
}

std::string History::Compose(std::size_t count, bool restarted) const {
  std::string text = "{\"last\":" + std::to_string(last_) +
                     ",\"restarted\":" + (restarted ? "true" : "false") + ",\"now\":" + now_ +
                     ",\"samples\":[";
  for (std::size_t i = samples_.size() - count; i < samples_.size(); ++i) {
    text += samples_[i];
    if (i + 1 < samples_.size()) text += ',';
  }
  return text + "]}";
}

Body History::After(std::int64_t after) {
  const std::int64_t missed = last_ - after;
  const bool known = after >= 0 && missed >= 0 &&
                     missed <= std::min(kFewSamples, static_cast<std::int64_t>(samples_.size()));
  if (!known) {
    if (all_ == nullptr) all_ = std::make_shared<const std::string>(Compose(samples_.size(), true));
    return all_;
  }
  if (missed != 1)
    return std::make_shared<const std::string>(Compose(static_cast<std::size_t>(missed), false));
  if (newest_ == nullptr) newest_ = std::make_shared<const std::string>(Compose(1, false));
  return newest_;
}

}  // namespace mortar::cli
