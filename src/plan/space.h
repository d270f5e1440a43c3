// The space of choices of one query over one table: which (mode, batch[, batch2]) exist, and what they truly
// measure.
//
// Immutable; borrows the table. Any thread. Strategies must not read `SampleAt`: they see the space's shape
// (modes, batches) and pay for samples through a Profiler.
#pragma once

#include <cmath>
#include <vector>

#include "base/result.h"
#include "plan/problem.h"
#include "plan/table.h"

namespace mortar::plan {

// One point to profile: inference at (mode, batch) and the background at that mode (for two inferences: at
// batch2). Batches are positions in Space::batches.
struct Choice {
  int mode = -1;
  int batch = 0;
  int batch2 = 0;
  bool operator==(const Choice&) const = default;
};

class Space {
 public:
  // Errors: kNotFound for an unknown workload (with those that are known), kInvalid for a query that no table
  // can answer (rate or budget not positive).
  static base::Result<Space> Make(const Table& table, const Query& query);

  const Table& table() const { return *table_; }
  Problem problem() const { return problem_; }
  const std::vector<int>& batches() const { return batches_; }    // of inference; {1} for training alone
  const std::vector<int>& batches2() const { return batches2_; }  // of the background inference, else {1}
  int modes() const { return static_cast<int>(table_->modes.size()); }
  bool has_inference() const { return infer_ != nullptr; }
  bool has_background() const { return background_ != nullptr; }
  // The power of the idle device at a mode, or -1.
  double IdleWatts(int mode) const;

  // Whether the choice was ever profiled in full (a recorded table may have holes).
  bool Exists(const Choice& choice) const {
    return (infer_ == nullptr || !std::isnan(infer_->time_ms[Cell(choice.mode, choice.batch)])) &&
           (background_ == nullptr || !std::isnan(background_->time_ms[Cell(choice.mode, choice.batch2)]));
  }
  // The truth. REQUIRES: Exists(choice).
  Sample SampleAt(const Choice& choice) const {
    Sample sample;
    if (infer_ != nullptr) {
      sample.t_in = infer_->time_ms[Cell(choice.mode, choice.batch)];
      sample.p_in = infer_->power_w[Cell(choice.mode, choice.batch)];
    }
    if (background_ != nullptr) {
      sample.t_bg = background_->time_ms[Cell(choice.mode, choice.batch2)];
      sample.p_bg = background_->power_w[Cell(choice.mode, choice.batch2)];
    }
    return sample;
  }

 private:
  std::size_t Cell(int mode, int batch) const {
    return static_cast<std::size_t>(batch) * table_->modes.size() + static_cast<std::size_t>(mode);
  }

  const Table* table_ = nullptr;
  Problem problem_ = Problem::kConcurrent;
  const Series* infer_ = nullptr;
  const Series* background_ = nullptr;
  const Series* idle_ = nullptr;
  std::vector<int> batches_{1};
  std::vector<int> batches2_{1};
};

// Checks numbers alone: rate, budgets, names present as the problem needs them.
base::Status CheckQuery(const Query& query);

}  // namespace mortar::plan
