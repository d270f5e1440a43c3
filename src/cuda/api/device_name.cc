#include "cuda/api/device_name.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace mortar::cuda {
namespace {

// As the OpenCL layer writes it, so that both meet on one board.
std::string PciAddress(const std::string& text) {
  unsigned domain = 0;
  unsigned bus = 0;
  unsigned slot = 0;
  unsigned function = 0;
  if (std::sscanf(text.c_str(), "%x:%x:%x.%x", &domain, &bus, &slot, &function) < 3) return "";
  char address[48];
  std::snprintf(address, sizeof address, "%04x:%02x:%02x.%x", domain, bus, slot, function);
  return address;
}

std::string Uuid(const CUuuid& uuid) {
  if (std::all_of(std::begin(uuid.bytes), std::end(uuid.bytes), [](char byte) { return byte == 0; }))
    return "";
  std::string text = "uuid-";
  char hex[3];
  for (const char byte : uuid.bytes) {
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
    text += hex;
  }
  return text;
}

}  // namespace

std::string BoardName(const DeviceFacts& facts) {
  std::string name = PciAddress(facts.pci_bus_id);
  const bool is_part = facts.model.find(" MIG ") != std::string::npos;
  if (name.empty() || is_part) {
    const std::string uuid = Uuid(facts.uuid);
    name += (name.empty() || uuid.empty() ? "" : "-") + uuid;
  }
  if (name.empty()) name = facts.model + "-" + std::to_string(facts.ordinal);
  return facts.simulated ? "simulated " + name : name;
}

}  // namespace mortar::cuda
