// What happened on the devices between two looks at their boards: who held, who filled, at which rates.
// `mortar top` and `mortar serve` show it. One thread.
//
// All times of device work are the clients' own predictions, as on the board; what a driver measured stands
// apart (`busy_measured`). Not here: printing, history.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mortar/device_users.h"
#include "mortar/status_report.h"

namespace mortar::cli {

// Of one client, between the two looks; shares are of the time between them, 0…1.
struct ClientRates {
  ClientStatus now;
  bool compared = false;  // seen at both looks; else every rate is 0
  bool holds = false;     // of the highest priority that was active
  double submits_per_s = 0, fills_per_s = 0, requests_per_s = 0;
  double device_share = 0, fill_share = 0, floor_share = 0, held_share = 0;
  std::optional<double> harm;        // modelled, over undisturbed time; nullopt: no request ended
  std::optional<double> floor_harm;  // the same, by others' floor fills
};

struct DeviceRates {
  DeviceStatus status;  // its `clients` moved into `clients` below
  std::vector<ClientRates> clients;
  double busy = 0;                      // predicted work of all clients
  std::optional<double> gaps;           // time without the holders' work; nullopt: nobody held
  std::optional<double> filled;         // part of the gaps that fills took; nullopt: there were none
  std::optional<double> busy_measured;  // as the driver says (NVML)
  std::optional<std::vector<DeviceUser>> unmanaged;  // nullopt: cannot be known, see `unmanaged_unknown`
  std::string unmanaged_unknown;

  std::vector<std::string> Holders() const;
  std::vector<std::string> Fillers() const;
};

struct Sample {
  std::string directory;
  double interval_s = 0;     // 0: the first look, no rates yet
  std::int64_t time_ms = 0;  // since 1970
  std::vector<DeviceRates> devices;
  std::vector<DeviceUser> elsewhere;  // processes on devices that have no board
  int hidden = 0;                     // processes that this user may not look into
  std::vector<std::string> errors;
};

// Pure: `now` against the same board at the earlier look (null: none). Sums that ran backwards, and slots
// that changed hands, count as not compared.
DeviceRates CompareDevice(const DeviceStatus* before, DeviceStatus now);

// Adds who uses the devices without Mortar. Pure.
void AddUsers(const DeviceUsers& users, Sample& sample);

// The board's name of a device as a PCI address; empty where it is none.
std::string PciAddressOf(const std::string& device);

class Watcher {
 public:
  // `watch_users`: look for processes that Mortar does not manage, now and then (costs more than boards do).
  explicit Watcher(bool watch_users = true);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Reads every board; rates are against the look before. Clears slots of the dead, as `mortar status` does.
  Sample Look();
  // What the last Look read, in the shape of `mortar status`.
  const StatusReport& report() const { return before_; }

 private:
  void LookForUsers(Sample& sample);

  StatusReport before_;
  std::int64_t before_ns_ = 0;
  std::unique_ptr<DriverWatch> drivers_;
  DeviceUsers users_;
  std::int64_t users_next_ns_ = 0;
};

// One object, without line breaks in its texts: `mortar top --json`.
nlohmann::json ToJson(const Sample& sample);
nlohmann::json UserJson(const DeviceUser& user);

}  // namespace mortar::cli
