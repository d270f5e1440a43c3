// What `mortar status` tells, apart from where it came from and how it is printed. Reading a board clears the
// slots of its dead clients. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "board/view.h"
#include "mortar/boards.h"

namespace mortar::cli {

struct ClientStatus {
  board::ClientView view;
  bool alive = false;
  std::string state;                    // held, waiting, running, idle, unused; dead where !alive
  double device_share = 0;              // of the time since it joined
  std::optional<double> harm_modelled;  // over undisturbed time; nullopt: no request yet
  std::optional<double> floor_harm;     // the same, by others' floor fills
};

struct DeviceStatus {
  std::string device, path;
  board::Settings settings;
  std::int64_t now_ns = 0;
  std::vector<ClientStatus> clients;
};

struct StatusReport {
  std::string directory;
  std::vector<DeviceStatus> devices;
  std::vector<std::string> errors;
};

// "10 %", "10 % first"; "-" where there is no floor.
std::string FloorText(const board::ClientView& view);
// "1.5 GiB of 4 GiB", "300 MiB"; "-" where nothing is held and nothing limited.
std::string MemoryText(const board::ClientView& view);
// Columns that only some devices need.
bool HasFloors(const board::ClientView& view);
bool HasMemory(const board::ClientView& view);

// One word for what a client does at `now_ns`.
std::string StateOf(const board::ClientView& client, std::int64_t now_ns);

DeviceStatus DescribeBoard(OpenBoard& one);
nlohmann::json ToJson(const StatusReport& report);
std::string ToText(const StatusReport& report);

}  // namespace mortar::cli
