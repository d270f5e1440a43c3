// `mortar plan batch`: answers a list of queries, each on its own, over profiles of a directory.
//
// One owner at a time. Deterministic for a seed, whatever the order of the queries.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "plan/strategy.h"

namespace mortar::plan {

struct BatchOptions {
  StrategyId strategy = StrategyId::kAuto;
  int probes = 0;
  double noise_sigma = 0;
  std::uint64_t seed = 1;
};

class Batch {
 public:
  // `directory` holds the profile files that queries name; a query without a profile uses `directory` if that
  // is a file.
  Batch(std::string directory, const BatchOptions& options)
      : directory_(std::move(directory)), options_(options) {}

  // One answer line without its newline. Errors: kInvalid and kNotFound, with what is wrong in the query or
  // profile.
  base::Result<std::string> Answer(const Query& query);

  // Of everything answered so far.
  double profiling_seconds() const { return seconds_; }

 private:
  struct Pair;
  base::Result<const Table*> LoadTable(const std::string& profile);
  base::Result<Pair*> FindPair(const Table& table, const Query& query);

  const std::string directory_;
  const BatchOptions options_;
  double seconds_ = 0;
  std::map<std::string, std::unique_ptr<Table>> tables_;
  std::map<std::string, std::shared_ptr<Pair>> pairs_;
};

}  // namespace mortar::plan
