// A launch as an operation that streams and graphs can be given. Any thread.
#pragma once

#include <array>
#include <vector>

#include "simcuda/driver/work.h"

namespace mortar::simcuda {

struct Launch {
  Grid grid{1, 1, 1};
  std::array<unsigned int, 3> block{1, 1, 1};
  unsigned int shared_bytes = 0;
  bool cooperative = false;
};

// What a kernel node is made of (Operation::parameters).
struct KernelCall {
  CUfunction function = nullptr;
  Launch launch;
  std::vector<std::vector<char>> arguments;
  std::vector<void*> pointers;  // to these, for whoever asks for the node's parameters
};

// `parameters` or `extra`, as cuLaunchKernel has them, are copied; with `remember` also for whoever asks for
// the node's parameters. Errors: as cuLaunchKernel's.
CUresult MakeLaunch(const SimDevice& device, CUfunction function, const Launch& launch, void** parameters,
                    void** extra, bool remember, Operation* operation);

}  // namespace mortar::simcuda
