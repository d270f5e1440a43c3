// The problem: what is asked (Query), what a choice measures (Sample), and what it is worth (Outcome).
//
// Pure values and arithmetic, any thread. The one place where constraints and objectives are written down:
// oracle, strategies, tests of answers and reports all call Judge. Not a search.
//
// Mode m, batch b, rate α/s, window W = 1000·b/α ms, t_in(m,b), t_bg: a training minibatch, or a batch of b2
// background requests. Stable: t_in ≤ W. Latency: 1000(b−1)/α + t_in ≤ L. τ = ⌊(W − t_in)/t_bg⌋.
// Power: max(p_in, p_bg if τ > 0) ≤ P. θ = 1000·τ/W, times b2 for background requests.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/table.h"

namespace mortar::plan {

enum class Problem : std::uint8_t { kTrain, kInfer, kConcurrent, kMultiInfer, kDynamic };
enum class Objective : std::uint8_t { kThroughput, kEnergy, kHeadroom };
// How long the first request of a batch waits for the batch to fill: until the last arrives (b−1), or one
// more inter-arrival time (b). Differs from Fulcrum: its abstract does not say which, so both can be asked
// for.
enum class LatencyRule : std::uint8_t { kBMinus1, kB };

std::string_view ProblemName(Problem problem);
std::optional<Problem> FindProblem(std::string_view name);
std::string_view ObjectiveName(Objective objective);
std::optional<Objective> FindObjective(std::string_view name);

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();
inline constexpr double kSlack = 1e-9;  // relative, in every comparison with a budget

struct Query {
  long long id = 0;
  Problem problem = Problem::kConcurrent;
  std::string profile;  // file name; what it means is the caller's
  std::string train;
  std::string infer;
  std::string infer2;
  double rate = 0;  // requests/s
  double latency_ms = kNoLimit;
  double power_w = kNoLimit;
  LatencyRule rule = LatencyRule::kBMinus1;
  Objective objective = Objective::kThroughput;
  std::vector<double> rates;  // kDynamic
  double window_s = 60;
};

// What one (mode, batch[, batch2]) measures. Without inference, t_in and p_in are 0; without a background,
// t_bg is infinite and p_bg 0.
struct Sample {
  double t_in = 0;
  double p_in = 0;
  double t_bg = kNoLimit;
  double p_bg = 0;
};

struct Outcome {
  bool feasible = false;
  int tau = 0;
  double score = -kNoLimit;  // larger is better, whatever the objective
  double throughput = 0;     // training minibatches/s; background requests/s; kInfer: the rate
  double latency_ms = 0;
  double power_w = 0;
  double energy_mj =
      0;  // per training minibatch or background request; kInfer: per request. Busy energy, unless idle_w
};

// The constants of one query, ready for many samples. `idle_w` < 0: unknown, energy is busy energy.
struct Terms {
  Problem problem = Problem::kConcurrent;
  Objective objective = Objective::kThroughput;
  LatencyRule rule = LatencyRule::kBMinus1;
  double rate = 0;
  double latency_ms = kNoLimit;
  double power_w = kNoLimit;

  double Window(int batch) const { return 1000.0 * batch / rate; }
  double Queueing(int batch) const { return 1000.0 * (rule == LatencyRule::kB ? batch : batch - 1) / rate; }
  // The longest t_in that meets stability and latency at this batch; may be negative.
  double LongestInference(int batch) const;
};

Terms TermsOf(const Query& query);

// τ for these times: as many background minibatches as fit into what inference leaves of the window.
int Ratio(double window_ms, double t_in, double t_bg);

// REQUIRES: sample values not NaN; batch ≥ 1; terms.rate > 0 unless kTrain. `most_tau` ≥ 0 caps τ (a margin).
Outcome Judge(const Terms& terms, int batch, int batch2, const Sample& sample, double idle_w = -1,
              int most_tau = std::numeric_limits<int>::max());

// An answer: where, and what it is worth by the samples it rests on.
struct Plan {
  bool feasible = false;
  int mode = -1;
  int batch = 0;
  int batch2 = 0;
  Sample sample;  // as measured by whoever made the plan
  Outcome outcome;
  int points = 0;           // points paid for
  bool exhaustive = false;  // every (mode, batch) was seen, so "infeasible" is a fact
};

}  // namespace mortar::plan
