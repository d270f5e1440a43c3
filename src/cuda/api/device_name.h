// The name of a CUDA device on boards: the same for every process, and for OpenCL. Pure; any thread.
#pragma once

#include <string>

#include "cuda/api/types.h"

namespace mortar::cuda {

// A driver that exports this symbol is a simulation (src/simcuda): its boards and profiles are its own.
inline constexpr char kMarkOfSimulation[] = "mortar_simcuda_register";

struct DeviceFacts {
  std::string pci_bus_id{};  // as cuDeviceGetPCIBusId writes it; empty: not known
  std::string model{};       // cuDeviceGetName
  CUuuid uuid{};
  int ordinal = 0;
  bool simulated = false;
};

// PCI address in lower case; else, and for the parts of a device that is cut up (MIG), the UUID; else
// model and place.
std::string BoardName(const DeviceFacts& facts);

}  // namespace mortar::cuda
