#include "plan/space.h"

#include <fmt/format.h>

namespace mortar::plan {
namespace {

using base::Code;
using base::Error;

base::Result<const Series*> FindSeries(const Table& table, const std::string& workload, Role role) {
  const Series* found = table.Find(workload, role);
  if (found != nullptr) return found;
  std::string known;
  for (const Series& one : table.series) {
    if (one.role != role) continue;
    if (known.size() > 200) {
      known += ", …";
      break;
    }
    known += (known.empty() ? "" : ", ") + one.workload;
  }
  if (known.empty()) known = "none";
  return Error{Code::kNotFound,
               fmt::format("workload '{}' has no {} rows in the profile of {}; those with: {}",
                           workload.substr(0, 80), RoleName(role), table.device, known)};
}

bool Positive(double value) { return value > 0; }  // false for NaN

}  // namespace

base::Status CheckQuery(const Query& query) {
  const auto fail = [&](const char* what) {
    return Error{Code::kInvalid, fmt::format("query {}: {}", query.id, what)};
  };
  const bool infers = query.problem != Problem::kTrain;
  const bool trains = query.problem == Problem::kTrain || query.problem == Problem::kConcurrent;
  if (trains && query.train.empty()) return fail("this problem needs a training workload (train)");
  if (infers && query.infer.empty()) return fail("this problem needs an inference workload (infer)");
  if (query.problem == Problem::kMultiInfer && query.infer2.empty()) {
    return fail("two inferences need a background workload (infer2)");
  }
  if (query.problem == Problem::kDynamic) {
    if (query.rates.empty()) return fail("changing rates need at least one (rates)");
    for (double rate : query.rates) {
      if (!Positive(rate) || rate > 1e9) return fail("every rate must be a positive number of requests/s");
    }
  } else if (infers && (!Positive(query.rate) || query.rate > 1e9)) {
    return fail("the arrival rate must be a positive number of requests/s");
  }
  if (infers && !Positive(query.latency_ms)) return fail("the latency budget must be positive");
  if (!Positive(query.power_w)) return fail("the power budget must be positive");
  return {};
}

base::Result<Space> Space::Make(const Table& table, const Query& query) {
  if (const auto status = CheckQuery(query); !status) return status.error();
  Space space;
  space.table_ = &table;
  space.problem_ = query.problem;
  if (query.problem != Problem::kTrain) {
    const auto found = FindSeries(table, query.infer, Role::kInfer);
    if (!found) return found.error();
    space.infer_ = *found;
    space.batches_ = space.infer_->batches;
  }
  if (query.problem == Problem::kMultiInfer) {
    const auto found = FindSeries(table, query.infer2, Role::kInfer);
    if (!found) return found.error();
    space.background_ = *found;
    space.batches2_ = space.background_->batches;
  } else if (query.problem != Problem::kInfer && !query.train.empty()) {
    const auto found = FindSeries(table, query.train, Role::kTrain);
    if (!found) return found.error();
    space.background_ = *found;
  }
  space.idle_ = table.Find("", Role::kIdle);
  return space;
}

double Space::IdleWatts(int mode) const {
  if (idle_ == nullptr) return -1;
  const double watts = idle_->power_w[static_cast<std::size_t>(mode)];
  return std::isnan(watts) ? -1 : watts;
}

}  // namespace mortar::plan
