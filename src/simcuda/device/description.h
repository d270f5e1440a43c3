// What a simulated CUDA device is like and how long its work takes, as a TOML file says. Parsing and
// arithmetic, pure; any thread. Not here: when work starts and ends (simcuda/timeline).
//
//   [device]
//   name = "Simulated H100"            what programs see
//   memory_mib = 81559                 1 … 16777216
//   compute_capability = "9.0"
//   pci_address = "0000:01:00.0"       domain:bus:device.function, hexadecimal
//   multiprocessors = 132              1 … 1024
//   clock_mhz = 1980                   1 … 100000; shown, nothing is computed from it
//
//   [time]
//   mode = "sliced"                    contexts take turns; merged: as under MPS; fifo: kernels one by one
//   slice_us = 2000                    sliced: a turn's length while others have work
//   switch_us = 150                    sliced: from one context to another
//   launch_latency_us = 4              from the call to the earliest start of a kernel
//   copy_latency_us = 6                before the first byte of a copy
//   host_to_device_gb_s = 25           1 GB is 10^9 bytes
//   device_to_host_gb_s = 25
//   device_to_device_gb_s = 1500       also fills
//   copy_engines = 2                   1: both directions share one; 2: one a direction
//   durations = "kernels.csv"          more entries, behind those below (durations.h); beside this file
//
//   [default]                          kernels that no entry names; every entry knows the same keys
//   us = 10                            a kernel's length: us + ns_per_block × blocks of its grid …
//   ns_per_block = 0
//   occupancy = 1.0                    … and the part of the device it fills, above 0 to 1: kernels of one
//                                      turn (merged: of all contexts) run side by side while these add up
//                                      to 1
//   error = 0                          a CUresult (700: an illegal address) that its launches end with
//
//   [[kernel]]
//   name = "gemm_*"                    matched whole: `*` any run of characters, `?` any one
//   grid = [64, 1, 1]                  only launches of this grid; absent: of any
//   us = 185
//
// Every key but an entry's name may be absent; the values above hold then. An entry with a grid goes before
// one without; else the first in the file that matches wins. What is unknown, out of range or of the wrong
// type is refused with one line.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model.h"

namespace mortar::simcuda {

using Grid = std::array<std::uint32_t, 3>;

struct KernelRule {
  std::string glob = "*";
  bool has_grid = false;
  Grid grid{1, 1, 1};
  std::int64_t base_ns = 10'000;
  double ns_per_block = 0;
  std::int32_t occupancy_permille = 1000;
  int error = 0;  // CUresult that its launches end with, which sticks to their context
};

struct PciAddress {
  std::uint32_t domain = 0;
  std::uint32_t bus = 1;
  std::uint32_t device = 0;
  std::uint32_t function = 0;
};

enum class CopyDirection : std::uint8_t { kHostToDevice, kDeviceToHost, kDeviceToDevice };

// Chosen: each is tried in turn when a function is first launched.
inline constexpr std::size_t kMaxKernels = 4096;

inline constexpr int kReservedShared = 1024;  // bytes of shared memory that every block takes besides its own
inline constexpr int kDefaultShared = 49152;  // a block's that asks for no more

struct Description {
  std::string name = "Simulated H100";
  std::uint64_t memory_bytes = 81559ULL << 20;
  int capability_major = 9;
  int capability_minor = 0;
  PciAddress pci;
  int multiprocessors = 132;
  int clock_mhz = 1980;

  model::DeviceMode mode = model::DeviceMode::kSliced;
  std::int64_t slice_ns = 2'000'000;  // NVIDIA's default time slice is about 2 ms
  std::int64_t switch_ns = 150'000;   // chosen: calibrate where a real device is to be imitated
  std::int64_t launch_latency_ns = 4'000;
  std::int64_t copy_latency_ns = 6'000;
  std::array<double, 3> copy_bytes_per_ns{25, 25, 1500};  // by CopyDirection
  int copy_engines = 2;

  KernelRule fallback;
  std::vector<KernelRule> kernels;
  std::string durations;  // a file as the text names it; empty: none

  // Errors: kInvalid, with a message "FILE:LINE: what is wrong". `file` is for messages alone. Opens no file:
  // the entries of `durations` are not there.
  static base::Result<Description> Parse(std::string_view text, std::string_view file);
  // The same for the file at `path`, of at most 1 MiB, with the entries of `durations`, of at most 16 MiB.
  // Errors: also kNotFound, kDenied, kSystem.
  static base::Result<Description> Read(const std::string& path);

  const KernelRule& RuleFor(std::string_view kernel, const Grid& grid) const;
  // Bytes of shared memory that a block can have where it asks for more than 48 KiB, and that a
  // multiprocessor has: by compute capability (CUDA programming guide, technical specifications).
  int SharedPerBlock() const;
  int SharedPerMultiprocessor() const { return SharedPerBlock() + kReservedShared; }
  // Length of a copy or fill of `bytes`; at most 10 s.
  std::int64_t CopyNs(CopyDirection direction, std::uint64_t bytes) const;
};

// Length of a launch of `grid` under `rule`; 1 ns to 10 s.
std::int64_t KernelNs(const KernelRule& rule, const Grid& grid);

// "0000:01:00.0", lower case.
std::string PciText(const PciAddress& address);

}  // namespace mortar::simcuda
