// Many pairs under many policies, side by side on several threads; the same rows in the same order with any
// number of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/pair.h"

namespace mortar::sim {

struct MatrixCell {
  std::size_t holder = 0, filler = 0;
  Policy policy = Policy::kFill;
};

// Calls `done` for each row in the order holders × fillers × policies, from the calling thread, as soon as it
// and all before it are there; `progress` with the number of rows made so far. Errors: the first of a row.
base::Status MeasureMatrix(Bench& bench, const std::vector<Source>& holders,
                           const std::vector<Source>& fillers, const std::vector<Policy>& policies,
                           unsigned threads, const std::function<void(const MatrixCell&, const Row&)>& done,
                           const std::function<void(std::size_t made, std::size_t of)>& progress);

// Files as they are; folders: the recordings in them (.json, .json.gz, .mtr), sorted. Errors: kNotFound.
base::Result<std::vector<std::string>> ExpandPaths(const std::vector<std::string>& paths);

// Reads them on several threads. Errors: the first file's that cannot be read.
base::Result<std::vector<Source>> ReadSources(const std::vector<std::string>& paths, unsigned threads);

// What a policy reached over many pairs.
struct Total {
  Policy policy = Policy::kFill;
  std::size_t pairs = 0;
  std::size_t kept = 0;    // with a p99 (the maximum under 1,000 requests) of 1.05 at most
  double worst = 0;        // that p99
  std::string worst_pair;  // "holder × filler"
  double work = 0, gap = 0, slack = 0, alone = 0;  // sums over pairs
};
std::vector<Total> Totals(const std::vector<Row>& rows);

}  // namespace mortar::sim
