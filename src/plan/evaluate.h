// Runs strategies over a suite and tallies them against the oracle.
//
// Uses `threads` threads; the result is the same for any number of them. Tables come from the caller, so that
// files, simulated boards and tests look alike.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plan/score.h"
#include "plan/strategy.h"
#include "plan/suite.h"

namespace mortar::plan {

// A strategy as the evaluation names it: "als145" is als with 145 points.
struct Contender {
  std::string name;
  StrategyId id;
  int probes = 0;  // 0: the set's, else the strategy's own
};
base::Result<std::vector<Contender>> ParseContenders(const std::string& names);  // "gmd,als50,als145,auto"

struct EvaluationRow {
  std::string set;
  std::string profile;
  bool measured = false;
  double noise = 0;
  std::string problem;
  std::string strategy;
  Tally tally;
  double cpu_seconds = 0;  // planning, the replayed table's look-ups included
};

struct Evaluation {
  std::string suite;
  long configurations = 0;
  double wall_seconds = 0;
  std::vector<EvaluationRow> rows;
};

using TableSource = std::function<base::Result<std::shared_ptr<const Table>>(const std::string& profile)>;
using Progress = std::function<void(long done, long all)>;

base::Result<Evaluation> Evaluate(const Suite& suite, const std::vector<Contender>& contenders,
                                  const TableSource& source, int threads, const Progress& progress = {});

// How many configurations the suite asks.
base::Result<long> CountConfigurations(const Suite& suite, const TableSource& source);

}  // namespace mortar::plan
