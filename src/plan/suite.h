// An evaluation suite: a grid of queries over profiles, as a TOML file describes it.
//
// Any thread. Input is untrusted: errors name the key. A suite says what is asked; running it is
// evaluate.h's.
//
//   seed = 1
//   [[set]]
//   name = "orin-concurrent"
//   profile = "orin_smooth.csv"     # in the profiles' directory; "sim:orin-agx" is the simulated board
//   measured = false                # a recording of a device, or a model
//   problem = "concurrent"
//   load = [0.1, 0.2]               # arrival rates, as shares of the largest rate that any mode and batch
//   serves latency = [1.5, 3]              # budgets, as multiples of the shortest batch-1 inference power =
//   [0.2, 0.5]              # budgets, as shares of the way from the least to the greatest draw of the pair
//   probes = 15                     # of gmd and auto; 0 or absent: their own
//   noise = 0.03                    # of readings
//   every = 1                       # only every n-th workload pair
//   sequences = 4                   # dynamic: sequences of rates a (pair, latency, power)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/problem.h"
#include "plan/table.h"

namespace mortar::plan {

struct SuiteSet {
  std::string name;
  std::string profile;
  bool measured = false;
  Problem problem = Problem::kConcurrent;
  Objective objective = Objective::kThroughput;
  LatencyRule rule = LatencyRule::kBMinus1;
  std::vector<double> load{0.5};
  std::vector<double> latency{5};
  std::vector<double> power{0.5};
  int probes = 0;
  double noise = 0;
  int every = 1;
  int sequences = 1;
};

struct Suite {
  std::string name;
  std::uint64_t seed = 1;
  std::vector<SuiteSet> sets;
};

base::Result<Suite> ParseSuite(std::string_view toml, const std::string& name);

// One workload pair of a set, its names filled in.
std::vector<Query> PairsOf(const SuiteSet& set, const Table& table);

// Every query of one pair: loads × latencies × powers (× sequences).
std::vector<Query> QueriesOf(const SuiteSet& set, const Table& table, const Query& pair, std::uint64_t seed);

}  // namespace mortar::plan
