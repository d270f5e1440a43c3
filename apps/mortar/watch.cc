#include "mortar/watch.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/clock.h"

namespace mortar::cli {
namespace {

// How often all processes of the machine are looked through: at least so far apart, and never for more than
// one part in kUsersRest of the time.
constexpr std::int64_t kUsersEveryNs = 10'000'000'000;
constexpr std::int64_t kUsersRest = 500;

// How much a sum grew; nullopt where it ran backwards: another client's, or overwritten.
std::optional<double> Growth(std::uint64_t before, std::uint64_t now) {
  if (now < before) return std::nullopt;
  return static_cast<double>(now - before);
}

double ShareOf(double ns, double over_ns) { return std::clamp(ns / over_ns, 0.0, 1.0); }

bool IsActiveState(const std::string& state) {
  return state == "running" || state == "waiting" || state == "held";
}

void Compare(const board::ClientView& before, double over_ns, ClientRates& rates) {
  const board::ClientView& now = rates.now.view;
  const auto submits = Growth(before.submits, now.submits);
  const auto fills = Growth(before.fills, now.fills);
  const auto requests = Growth(before.requests, now.requests);
  const auto device = Growth(before.device_ns, now.device_ns);
  const auto fill = Growth(before.fill_ns, now.fill_ns);
  const auto held = Growth(before.gated_ns, now.gated_ns);
  const auto request_time = Growth(before.request_ns, now.request_ns);
  const auto harm = Growth(before.harm_ns, now.harm_ns);
  const auto floor = Growth(before.floor_ns, now.floor_ns);
  const auto floor_harm = Growth(before.floor_harm_ns, now.floor_harm_ns);
  for (const auto& sum :
       {submits, fills, requests, device, fill, held, request_time, harm, floor, floor_harm}) {
    if (!sum) return;
  }
  rates.compared = true;
  rates.submits_per_s = *submits * 1e9 / over_ns;
  rates.fills_per_s = *fills * 1e9 / over_ns;
  rates.requests_per_s = *requests * 1e9 / over_ns;
  rates.device_share = ShareOf(*device, over_ns);
  rates.fill_share = ShareOf(*fill, over_ns);
  rates.floor_share = ShareOf(*floor, over_ns);
  rates.held_share = ShareOf(*held, over_ns);
  const double undisturbed = *request_time - *harm - *floor_harm;
  if (undisturbed <= 0) return;
  rates.harm = *harm / undisturbed;
  rates.floor_harm = *floor_harm / undisturbed;
}

void FindHolders(DeviceRates& device) {
  std::uint32_t best = UINT32_MAX;
  const auto active = [](const ClientRates& client) {
    return client.now.alive && (client.submits_per_s > 0 || IsActiveState(client.now.state));
  };
  for (const auto& client : device.clients) {
    if (active(client)) best = std::min(best, client.now.view.priority);
  }
  for (auto& client : device.clients) client.holds = active(client) && client.now.view.priority == best;
}

void SumUp(DeviceRates& device) {
  double held_by = 0;
  double filled = 0;
  bool any_holder = false;
  for (const auto& client : device.clients) {
    device.busy += client.device_share;
    filled += client.fill_share;
    if (!client.holds) continue;
    any_holder = true;
    held_by += client.device_share;
  }
  device.busy = std::min(device.busy, 1.0);
  if (!any_holder) return;
  device.gaps = std::max(0.0, 1 - held_by);
  if (*device.gaps > 0) device.filled = std::min(filled / *device.gaps, 1.0);
}

bool IsClient(const DeviceUser& user, const ClientRates& client) {
  const int pid = client.now.view.pid;
  const auto& inner = user.inner_pids;
  return user.pid == pid || std::find(inner.begin(), inner.end(), pid) != inner.end();
}

bool IsManaged(const DeviceUser& user, const DeviceRates& device) {
  return std::any_of(device.clients.begin(), device.clients.end(),
                     [&](const ClientRates& client) { return IsClient(user, client); });
}

}  // namespace

std::vector<std::string> DeviceRates::Holders() const {
  std::vector<std::string> names;
  for (const auto& client : clients) {
    if (client.holds) names.push_back(client.now.view.name);
  }
  return names;
}

std::vector<std::string> DeviceRates::Fillers() const {
  std::vector<std::string> names;
  for (const auto& client : clients) {
    if (client.fills_per_s > 0) names.push_back(client.now.view.name);
  }
  return names;
}

std::string PciAddressOf(const std::string& device) { return NormalPciAddress(device); }

DeviceRates CompareDevice(const DeviceStatus* before, DeviceStatus now) {
  DeviceRates device;
  const auto over_ns = before == nullptr ? 0.0 : static_cast<double>(now.now_ns - before->now_ns);
  for (auto& client : now.clients) {
    ClientRates rates;
    rates.now = std::move(client);
    if (over_ns > 0) {
      const auto same = std::find_if(before->clients.begin(), before->clients.end(),
                                     [&](const auto& other) { return other.view.ref == rates.now.view.ref; });
      if (same != before->clients.end()) Compare(same->view, over_ns, rates);
    }
    device.clients.push_back(std::move(rates));
  }
  now.clients.clear();
  device.status = std::move(now);
  FindHolders(device);
  SumUp(device);
  return device;
}

void AddUsers(const DeviceUsers& users, Sample& sample) {
  sample.hidden = users.hidden;
  for (auto& device : sample.devices) {
    const std::string address = PciAddressOf(device.status.device);
    if (address.empty()) {
      device.unmanaged_unknown = "the device has no PCI address by which the system would tell its users";
      continue;
    }
    if (const auto busy = users.busy.find(address); busy != users.busy.end())
      device.busy_measured = busy->second;
    device.unmanaged.emplace();
    for (const auto& user : users.users) {
      if (user.device == address && !IsManaged(user, device)) device.unmanaged->push_back(user);
    }
  }
  for (const auto& user : users.users) {
    const bool shown =
        std::any_of(sample.devices.begin(), sample.devices.end(), [&](const DeviceRates& device) {
          return (!user.device.empty() && PciAddressOf(device.status.device) == user.device) ||
                 IsManaged(user, device);
        });
    if (!shown) sample.elsewhere.push_back(user);
  }
}

Watcher::Watcher(bool watch_users) : drivers_(watch_users ? std::make_unique<DriverWatch>() : nullptr) {}
Watcher::~Watcher() = default;

void Watcher::LookForUsers(Sample& sample) {
  if (drivers_ == nullptr) return;
  const std::int64_t start = base::MonotonicNs();
  if (start >= users_next_ns_) {
    users_ = ReadProc("/proc");
    drivers_->AddProcesses("/proc", users_);
    const std::int64_t end = base::MonotonicNs();
    users_next_ns_ = end + std::max(kUsersEveryNs, kUsersRest * (end - start));
  }
  users_.busy.clear();
  drivers_->ReadBusy(users_.busy);
  AddUsers(users_, sample);
}

Sample Watcher::Look() {
  Sample sample;
  StatusReport report;
  auto boards = OpenBoards();
  const std::int64_t now = base::MonotonicNs();
  if (boards.ok()) {
    report.directory = boards->directory;
    for (const auto& error : boards->failed) report.errors.push_back(error.message);
    for (auto& one : boards->open) report.devices.push_back(DescribeBoard(one));
  } else {
    report.errors.push_back(boards.error().message);
  }
  sample.directory = report.directory;
  sample.errors = report.errors;
  sample.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  if (before_ns_ != 0) sample.interval_s = static_cast<double>(now - before_ns_) / 1e9;
  for (const auto& device : report.devices) {
    const auto same = std::find_if(before_.devices.begin(), before_.devices.end(),
                                   [&](const DeviceStatus& other) { return other.path == device.path; });
    sample.devices.push_back(CompareDevice(same == before_.devices.end() ? nullptr : &*same, device));
  }
  before_ = std::move(report);
  before_ns_ = now;
  LookForUsers(sample);
  return sample;
}

}  // namespace mortar::cli
