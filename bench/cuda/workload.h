// The benchmark's CUDA program: what it does is told by its options. It opens libcuda.so.1 itself, so that it
// builds where there is no toolkit. Its kernels' names say how long they take: the simulated device is told
// so by the table that --write-device writes, and on a real one they spin that long. For bench/cuda and
// bench/gpu alone.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mortar::cuda_workload {

enum class Role { kHolder, kFiller };
enum class Mode { kBlocking, kAsync };

struct Options {
  Role role = Role::kHolder;
  Mode mode = Mode::kBlocking;
  int kernels = 60;          // in a request, or in a filler's iteration, which ends with a wait
  int rest_us = 2000;        // holder: after each request, before the next comes
  int depth = 1000;          // filler: launches ahead of the device, at most
  int requests = 0;          // 0: until `seconds` are over or SIGTERM
  double seconds = 0;        // 0: no limit
  double rate = 0;           // holder: requests a second, at random; their times count from when they come
  int check = 0;             // 1: kernels count themselves on the simulated device too
  int wait = 0;              // 1: once ready, begin when a line comes on stdin
  int warm_up = 2;           // requests or iterations before anything is measured
  unsigned seed = 1;         // which kernel and which gap comes when, the same in every request
  std::string write_device;  // write the description of a simulated device for both roles there, and end
  std::string device_mode = "sliced";
  int switch_us = 20;
  std::string pulse_file;  // see bench/pulse.h
  std::string ready_file;  // made when measuring begins
};

struct Step {
  int kernel = 0;  // index into Lengths
  std::int64_t gap_ns = 0;
};
// Lengths in µs that kernels of this role have: 5 to 200, or 5 to 400.
const std::vector<int>& Lengths(Role role);
std::string KernelName(Role role, int length_us);
std::vector<Step> Steps(const Options& options);

// Errors: kInvalid, naming the option. kExists: help was asked for.
base::Result<Options> ParseOptions(int count, char** words);
std::string HelpText();
std::string DeviceText(const Options& options);
// Every kernel of this role: spins for its second argument, in ns, then counts itself in its first.
std::string PtxText(Role role);

struct Measured {
  std::int64_t start_ns = 0, end_ns = 0, kernels = 0;
  std::int64_t device_ns = 0;  // of the kernels, as their names say
  std::string device;
  std::vector<std::int64_t> request_start_ns;
  std::vector<std::int64_t> latency_ns;  // holder: from the start to its last wait
  std::vector<std::pair<std::int64_t, std::int64_t>>
      progress;  // filler: instant, kernels completed until then
};
// Errors: what the driver refused.
base::Result<Measured> Run(const Options& options);
std::string ToJson(const Options& options, const Measured& measured);

}  // namespace mortar::cuda_workload
