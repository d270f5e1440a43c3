// Putting Mortar's libcuda.so.1 in front of NVIDIA's for a program. Reads the environment and files, opens no
// library; one thread.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace mortar::cli {

struct CudaSetup {
  std::map<std::string, std::string> environment;  // LD_LIBRARY_PATH, LD_PRELOAD; empty: nothing to be done
  std::string shim;                                // path of Mortar's libcuda.so.1
  std::string driver;                              // path of the driver; empty: this machine has none
  std::string problem;  // why CUDA programs would not be scheduled, though there is a driver
};

// What the environment says now, and the priority that the program will have (empty: none was given).
struct CudaSurroundings {
  std::string library_path{}, preload{}, mps_priority{}, priority{};
};
CudaSurroundings ReadCudaSurroundings(const std::string& priority);

// `program`: the file that will run, empty if it is not known. On a machine without a driver nothing is set,
// so that programs find none, as without Mortar.
CudaSetup SetUpCuda(const CudaSurroundings& now, const std::string& program);

// Makes the simulated device that `description` describes this process's CUDA driver, and its children's:
// sets MORTAR_SIM_DEVICE, MORTAR_CUDA_DRIVER and, behind whatever comes later, LD_LIBRARY_PATH. Errors: the
// description is broken (a message with file and line), kNotFound where the simulated driver is not
// installed.
base::Status UseSimDevice(const std::string& description);

// `list` (entries parted by ':') with `entry` first, and there once.
std::string PutFirst(const std::string& list, const std::string& entry);

}  // namespace mortar::cli
