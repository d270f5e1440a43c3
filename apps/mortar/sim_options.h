// What `mortar sim` takes: options shared by a pair and a matrix, and how they are read. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/pair.h"

namespace mortar::cli {

// As written on the command line.
struct SimText {
  std::string arrivals = "back-to-back";
  std::string duration = "5s";
  std::string max_slowdown = "2%";
  std::string device = "fifo";
  std::string slice = "2ms";
  std::string switch_cost = "0";
  std::string bound = "200us";
  std::string margin = "0";
  double split_us = 0;
  double split_cost_us = 0;
  double gate_ns = 0;
  std::uint64_t requests = 0;
  std::uint32_t threshold = 4;
  std::uint64_t seed = 1;
  bool blocking = false;
  bool no_jitter = false;
  bool cold = false;
  bool no_yardsticks = false;
};

void AddSimOptions(CLI::App& command, SimText* text);

// One set of options a device; `merged` gives two: bounds, between which the truth lies.
struct DeviceChoice {
  std::string bound;  // "", "serial" or "free"
  sim::PairOptions options;
};
// Errors: kInvalid, naming the option and what to write.
base::Result<std::vector<DeviceChoice>> ReadSimOptions(const SimText& text);

// Names of policies, separated by commas or given apart; "all" stands for all.
base::Result<std::vector<sim::Policy>> ReadPolicies(const std::vector<std::string>& names);

// "5s", "500ms", "2min", "1h" → ns; above 0, up to a day.
base::Result<sim::Ns> ParseSpan(std::string_view text);

}  // namespace mortar::cli
