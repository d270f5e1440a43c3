// OpenCL layers: where ours are, in which order they are named, and whether this machine's loader takes them.
// One thread.
#pragma once

#include <string>
#include <vector>

namespace mortar::cli {

inline constexpr char kSchedulingLayer[] = "libmortar-opencl.so";
inline constexpr char kEmulatedLayer[] = "libmortar-emulated.so";

// The path of a library of ours: in $MORTAR_LIB, else beside the executable (../lib of a build tree,
// ../lib/mortar where installed); empty where it is in none of them.
std::string FindLibrary(const std::string& name);

// OPENCL_LAYERS with ours. Loaders call the last one named first (found by experiment with ocl-icd 2.3.1;
// Khronos' loader puts later names above earlier ones too), so: emulated device, what the user set, ours.
// Mentions of our layers that are there already (mortar run inside mortar run) are dropped. An empty path:
// without that layer.
std::string ComposeLayers(const std::string& existing, const std::string& scheduling,
                          const std::string& emulated);

// What the dynamic linker's libOpenCL.so.1 does with `layers`, tried out in a child process.
struct Probe {
  bool loader = false;    // there is one
  bool answered = false;  // and it came back in time
  int platforms = 0;
  bool layer = false;  // the scheduling layer was initialised
  std::string loader_path;
};
Probe ProbeOpenCl(const std::string& layers, const std::string& scheduling);

// Why nothing would be scheduled, and what to do; empty where all is well.
std::string Verdict(const Probe& probe);

}  // namespace mortar::cli
