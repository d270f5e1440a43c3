// The benchmark's OpenCL program: what it does is told by its options. For bench/opencl alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace mortar::workload {

enum class Role { kHolder, kFiller };
enum class Mode { kBlocking, kAsync };
enum class Think { kBackToBack, kPeriodic, kBursts };

struct Options {
  Role role = Role::kHolder;
  Mode mode = Mode::kBlocking;
  int kernels = 20;  // in a request
  int kernel_us = 185;
  int gap_us = 500;  // the host's work after each kernel, while the device is idle
  int filler_us = 144;
  int filler_items = 64;  // work-items of a filler's kernel, in groups of 64
  int depth = 4;          // filler: kernels enqueued and not yet waited for, at most
  Think think = Think::kBackToBack;
  int period_us = 20'000;   // kPeriodic: from start to start
  int burst_requests = 20;  // kBursts
  int burst_apart_us = 2'000;
  int burst_away_us = 300'000;
  int requests = 0;        // 0: until `seconds` are over or SIGTERM
  double seconds = 0;      // 0: no limit
  int jitter_percent = 0;  // for --write-table
  std::uint64_t seed = 1;
  int warm_up = 20;         // kernels before anything is measured
  std::string write_table;  // write the duration table for both roles there, and do nothing else
  std::string ready_file;   // made when measuring begins
  std::string pulse_file;   // see bench/pulse.h
};

// Errors: kInvalid, naming the option. kExists: help was asked for.
base::Result<Options> ParseOptions(int count, char** words);
std::string HelpText();

// The duration table (docs/emulated.md) for the kernels of these options.
std::string TableText(const Options& options);
std::string KernelName(const Options& options);

struct Measured {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t kernels = 0;
  bool correct = false;
  std::vector<std::int64_t> request_start_ns;
  std::vector<std::int64_t> latency_ns;  // holder: from the start to its last wait
  std::vector<std::pair<std::int64_t, std::int64_t>>
      progress;  // filler: instant, kernels completed until then
};

// Runs the program on the first OpenCL device. Errors: what OpenCL refused.
base::Result<Measured> Run(const Options& options);

std::string ToJson(const Options& options, const Measured& measured);

}  // namespace mortar::workload
