#include "plan/batch.h"

#include <sys/stat.h>

#include "base/hash.h"
#include "plan/csv.h"
#include "plan/dynamic.h"
#include "plan/query_json.h"

namespace mortar::plan {

// A planner on one workload pair of one table; strategies that keep a set keep it between queries.
struct Batch::Pair {
  explicit Pair(Space made) : space(std::move(made)) {}
  Space space;
  std::unique_ptr<TableProfiler> profiler;
  std::unique_ptr<Planner> planner;
};

base::Result<const Table*> Batch::LoadTable(const std::string& profile) {
  if (profile.find('/') != std::string::npos || profile == "..") {
    return base::Error{base::Code::kInvalid,
                       "profile '" + profile + "' must be a file name inside the directory"};
  }
  const auto found = tables_.find(profile);
  if (found != tables_.end()) return found->second.get();
  struct stat info {};
  const bool is_file = ::stat(directory_.c_str(), &info) == 0 && S_ISREG(info.st_mode);
  if (profile.empty() && !is_file) {
    return base::Error{base::Code::kInvalid,
                       "the query names no profile, and " + directory_ + " is not a file"};
  }
  auto table = ReadProfiles(is_file ? directory_ : directory_ + "/" + profile);
  if (!table) return table.error();
  return tables_.emplace(profile, std::make_unique<Table>(std::move(table).value())).first->second.get();
}

base::Result<Batch::Pair*> Batch::FindPair(const Table& table, const Query& query) {
  std::string key = query.profile;
  for (const auto& part : {query.train, query.infer, query.infer2}) key += '\n' + part;
  key += '\n' + std::string(ProblemName(query.problem));
  std::shared_ptr<Pair>& pair = pairs_[key];
  // The terms of each query are checked, known pair or not.
  auto space = Space::Make(table, query);
  if (!space) return space.error();
  if (pair == nullptr) {
    pair = std::make_shared<Pair>(std::move(space).value());
    std::uint64_t seed = options_.seed;
    for (const char c : key) seed = base::Mix(seed ^ static_cast<unsigned char>(c));
    pair->profiler = std::make_unique<TableProfiler>(pair->space, options_.noise_sigma, seed);
    pair->planner = MakePlanner(options_.strategy, pair->space, *pair->profiler, {options_.probes, seed});
  }
  return pair.get();
}

base::Result<std::string> Batch::Answer(const Query& query) {
  const auto table = LoadTable(query.profile);
  if (!table) return table.error();
  const auto pair = FindPair(**table, query);
  if (!pair) return pair.error();
  const double before = (*pair)->profiler->seconds();
  Planner& planner = *(*pair)->planner;
  planner.StartOver();
  std::string line;
  if (query.problem == Problem::kDynamic) {
    const DynamicPlan plan = PlanRates(planner, query);
    line = FormatDynamicAnswer(query, **table, plan.plans, plan.points);
  } else {
    line = FormatAnswer(query, **table, planner.Solve(TermsOf(query)));
  }
  seconds_ += (*pair)->profiler->seconds() - before;
  return line;
}

}  // namespace mortar::plan
