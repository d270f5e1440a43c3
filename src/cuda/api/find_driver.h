// Where NVIDIA's driver, libcuda.so.1, lies on this machine, when the name itself may be answered
// by Mortar's own.
//
// Any thread; reads the environment and the dynamic linker's cache, opens no library.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mortar::cuda {

// Files that exist, best first: $MORTAR_CUDA_DRIVER alone if set, else LD_LIBRARY_PATH, the dynamic linker's
// cache, the usual folders. `own`: the path of Mortar's, left out whatever other names it has.
std::vector<std::string> DriverCandidates(const std::string& own);

// Paths of libcuda.so.1 for this machine in a cache of the dynamic linker, as its bytes are; empty where
// it is damaged.
std::vector<std::string> ReadLinkerCache(const char* bytes, std::size_t size);

}  // namespace mortar::cuda
