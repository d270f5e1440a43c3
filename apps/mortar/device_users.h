// Which processes use which device, whether or not Mortar knows them: from the kernel (/proc) and, for
// NVIDIA's devices, from the driver (NVML). One thread; system calls, never on a submit path.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mortar::cli {

struct DeviceUser {
  int pid = 0;
  std::string program{};  // as the kernel names it, cleaned; empty: gone, or not visible from here
  std::string device{};   // PCI address, lower case; empty: one of the devices behind `through`
  std::string through{};  // the device node, or "NVML"
  std::optional<std::uint64_t> memory_bytes{};
  std::vector<int> inner_pids{};  // its numbers in nested pid namespaces
};

struct DeviceUsers {
  std::vector<DeviceUser> users;       // by pid, then device
  std::map<std::string, double> busy;  // by PCI address, 0…1: measured by the driver
  int hidden = 0;                      // processes that this user may not look into
};

// "00000000:3B:00.0" or "0000:3b:00.0" → "0000:3b:00.0"; empty where `text` is no PCI address.
std::string NormalPciAddress(std::string_view text);

// Looks through `proc` (/proc): open nodes of devices and what fdinfo says of them.
DeviceUsers ReadProc(const std::string& proc);

// NVML, opened at run time where there is one.
class DriverWatch {
 public:
  DriverWatch();
  ~DriverWatch();
  DriverWatch(const DriverWatch&) = delete;
  DriverWatch& operator=(const DriverWatch&) = delete;

  // Adds what the driver knows of processes to `users`, and how busy its devices are.
  void AddProcesses(const std::string& proc, DeviceUsers& users) const;
  void ReadBusy(std::map<std::string, double>& busy) const;
  // PCI addresses whose compute mode admits one process only, or none ("exclusive", "prohibited").
  std::map<std::string, std::string> ComputeModes() const;

 private:
  struct Library;
  Library* library_ = nullptr;
};

}  // namespace mortar::cli
