#include "plan/evaluate.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "base/hash.h"
#include "plan/dynamic.h"
#include "plan/oracle.h"

namespace mortar::plan {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Job {
  const SuiteSet* set;
  const Table* table;
  Query pair;
  std::uint64_t seed;
  std::size_t first_row;  // of this set; one row a contender
};

struct Result {
  Tally tally;
  double cpu_seconds = 0;
};

// What one query costs: differences of the profiler's counters.
struct Meter {
  explicit Meter(const Profiler& from) : profiler(from) {}
  const Profiler& profiler;
  double seconds = profiler.seconds();
  int switches = profiler.mode_switches();
  double SecondsSpent() const { return profiler.seconds() - seconds; }
  int SwitchesSpent() const { return profiler.mode_switches() - switches; }
};

void RunDynamic(const Space& space, const Query& query, Planner& planner, const Profiler& profiler,
                Tally* tally) {
  const Meter meter(profiler);
  const DynamicPlan plans = PlanRates(planner, query);
  for (std::size_t w = 0; w < query.rates.size(); ++w) {
    Terms terms = TermsOf(query);
    terms.rate = query.rates[w];
    const Verdict verdict = Score(space, terms, plans.plans[w], SolveExhaustively(space, terms));
    // Costs are of the sequence: they stand at its first window, and the mean is a window's share.
    tally->Add(verdict, w == 0 ? plans.points : 0, w == 0 ? meter.SecondsSpent() : 0,
               w == 0 ? meter.SwitchesSpent() : 0);
  }
}

void RunPair(const Job& job, const std::vector<Contender>& contenders, std::vector<Result>* results) {
  const std::vector<Query> queries = QueriesOf(*job.set, *job.table, job.pair, job.seed);
  if (queries.empty()) return;
  auto space = Space::Make(*job.table, queries.front());
  if (!space) return;
  std::vector<Plan> best;
  if (job.set->problem != Problem::kDynamic) {
    for (const Query& query : queries) best.push_back(SolveExhaustively(*space, TermsOf(query)));
  }
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    const Clock::time_point start = Clock::now();
    Result& result = (*results)[c];
    const bool fixed = contenders[c].probes > 0;
    const bool takes_set = contenders[c].id == StrategyId::kGmd || contenders[c].id == StrategyId::kAuto;
    const int probes = fixed ? contenders[c].probes : takes_set ? job.set->probes : 0;
    TableProfiler profiler(*space, job.set->noise, base::Combine(job.seed, 1));
    const auto planner =
        MakePlanner(contenders[c].id, *space, profiler, {probes, base::Combine(job.seed, 2)});
    for (std::size_t q = 0; q < queries.size(); ++q) {
      planner->StartOver();
      if (job.set->problem == Problem::kDynamic) {
        RunDynamic(*space, queries[q], *planner, profiler, &result.tally);
        continue;
      }
      const Meter meter(profiler);
      const Terms terms = TermsOf(queries[q]);
      const Plan plan = planner->Solve(terms);
      result.tally.Add(Score(*space, terms, plan, best[q]), plan.points, meter.SecondsSpent(),
                       meter.SwitchesSpent());
    }
    result.cpu_seconds = SecondsSince(start);
  }
}

base::Result<std::vector<Job>> MakeJobs(const Suite& suite, const TableSource& source,
                                        std::vector<std::shared_ptr<const Table>>* tables,
                                        std::size_t contenders) {
  std::vector<Job> jobs;
  for (std::size_t s = 0; s < suite.sets.size(); ++s) {
    const SuiteSet& set = suite.sets[s];
    auto table = source(set.profile);
    if (!table) return table.error();
    tables->push_back(*table);
    const std::vector<Query> pairs = PairsOf(set, **table);
    if (pairs.empty()) {
      return base::Error{base::Code::kNotFound, "set '" + set.name + "': " + set.profile +
                                                    " has no workloads for " +
                                                    std::string(ProblemName(set.problem))};
    }
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const std::uint64_t seed = base::Combine(base::Combine(suite.seed, s), p);
      jobs.push_back({&set, table->get(), pairs[p], seed, s * contenders});
    }
  }
  return jobs;
}

}  // namespace

base::Result<std::vector<Contender>> ParseContenders(const std::string& names) {
  std::vector<Contender> contenders;
  for (std::size_t from = 0; from <= names.size();) {
    const std::size_t end = std::min(names.find(',', from), names.size());
    const std::string name = names.substr(from, end - from);
    from = end + 1;
    const std::size_t digits = name.find_first_of("0123456789");
    const auto id = FindStrategy(name.substr(0, digits));
    int probes = 0;
    if (digits != std::string::npos) {
      for (const char digit : name.substr(digits)) {
        if (digit < '0' || digit > '9' || probes > 100000) {
          probes = -1;
          break;
        }
        probes = probes * 10 + (digit - '0');
      }
    }
    if (!id || probes < 0) {
      return base::Error{base::Code::kInvalid,
                         "strategy '" + name.substr(0, 40) +
                             "': one of oracle, max, random, gmd, als, nn, auto, with a number of "
                             "points if wanted, as als145"};
    }
    contenders.push_back({name, *id, probes});
  }
  return contenders;
}

base::Result<long> CountConfigurations(const Suite& suite, const TableSource& source) {
  std::vector<std::shared_ptr<const Table>> tables;
  const auto jobs = MakeJobs(suite, source, &tables, 1);
  if (!jobs) return jobs.error();
  long count = 0;
  for (const Job& job : *jobs) {
    for (const Query& query : QueriesOf(*job.set, *job.table, job.pair, job.seed)) {
      count += query.rates.empty() ? 1 : static_cast<long>(query.rates.size());
    }
  }
  return count;
}

base::Result<Evaluation> Evaluate(const Suite& suite, const std::vector<Contender>& contenders,
                                  const TableSource& source, int threads, const Progress& progress) {
  std::vector<std::shared_ptr<const Table>> tables;
  auto jobs = MakeJobs(suite, source, &tables, contenders.size());
  if (!jobs) return jobs.error();
  const Clock::time_point start = Clock::now();
  std::vector<std::vector<Result>> results(jobs->size(), std::vector<Result>(contenders.size()));
  std::atomic<std::size_t> next{0};
  std::atomic<long> done{0};
  std::mutex report_mutex;
  const auto work = [&] {
    while (true) {
      const std::size_t j = next.fetch_add(1);
      if (j >= jobs->size()) return;
      RunPair((*jobs)[j], contenders, &results[j]);
      const long finished = done.fetch_add(1) + 1;
      if (progress) {
        const std::lock_guard lock(report_mutex);
        progress(finished, static_cast<long>(jobs->size()));
      }
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();

  Evaluation evaluation;
  evaluation.suite = suite.name;
  for (const SuiteSet& set : suite.sets) {
    for (const Contender& contender : contenders) {
      EvaluationRow row;
      row.set = set.name;
      row.profile = set.profile;
      row.measured = set.measured;
      row.noise = set.noise;
      row.problem = std::string(ProblemName(set.problem));
      row.strategy = contender.name;
      evaluation.rows.push_back(std::move(row));
    }
  }
  for (std::size_t j = 0; j < jobs->size();
       ++j) {  // in the order of the jobs, so that sums do not depend on threads
    for (std::size_t c = 0; c < contenders.size(); ++c) {
      EvaluationRow& row = evaluation.rows[(*jobs)[j].first_row + c];
      row.tally.Merge(results[j][c].tally);
      row.cpu_seconds += results[j][c].cpu_seconds;
      if (c == 0) evaluation.configurations += results[j][c].tally.queries();
    }
  }
  evaluation.wall_seconds = SecondsSince(start);
  return evaluation;
}

}  // namespace mortar::plan
