#include "plan/problem.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mortar::plan {
namespace {

constexpr std::pair<Problem, std::string_view> kProblems[] = {{Problem::kTrain, "train"},
                                                              {Problem::kInfer, "infer"},
                                                              {Problem::kConcurrent, "concurrent"},
                                                              {Problem::kMultiInfer, "multi_infer"},
                                                              {Problem::kDynamic, "dynamic"}};
constexpr std::pair<Objective, std::string_view> kObjectives[] = {{Objective::kThroughput, "throughput"},
                                                                  {Objective::kEnergy, "energy"},
                                                                  {Objective::kHeadroom, "headroom"}};
constexpr int kMostTau = 1'000'000'000;

bool Within(double value, double budget) { return value <= budget * (1 + kSlack); }

Outcome JudgeTraining(const Terms& terms, const Sample& sample) {
  Outcome out;
  out.feasible = Within(sample.p_bg, terms.power_w);
  out.power_w = sample.p_bg;
  out.throughput = 1000.0 / sample.t_bg;
  out.energy_mj = sample.t_bg * sample.p_bg;
  out.score = out.throughput;
  if (terms.objective == Objective::kEnergy) out.score = -out.energy_mj;
  if (terms.objective == Objective::kHeadroom) out.score = 1 - sample.p_bg / terms.power_w;
  return out;
}

}  // namespace

std::string_view ProblemName(Problem problem) {
  for (const auto& [id, name] : kProblems) {
    if (id == problem) return name;
  }
  return "?";
}

std::optional<Problem> FindProblem(std::string_view name) {
  for (const auto& [id, text] : kProblems) {
    if (text == name) return id;
  }
  return std::nullopt;
}

std::string_view ObjectiveName(Objective objective) {
  for (const auto& [id, name] : kObjectives) {
    if (id == objective) return name;
  }
  return "?";
}

std::optional<Objective> FindObjective(std::string_view name) {
  for (const auto& [id, text] : kObjectives) {
    if (text == name) return id;
  }
  return std::nullopt;
}

double Terms::LongestInference(int batch) const {
  if (problem == Problem::kTrain) return kNoLimit;
  return std::min(Window(batch) * (1 + kSlack), latency_ms * (1 + kSlack) - Queueing(batch));
}

Terms TermsOf(const Query& query) {
  Terms terms;
  terms.problem = query.problem;
  // Each window of changing rates is a problem of its own.
  if (query.problem == Problem::kDynamic) {
    terms.problem = query.train.empty() ? Problem::kInfer : Problem::kConcurrent;
  }
  terms.objective = query.objective;
  terms.rule = query.rule;
  terms.rate = query.rate;
  terms.latency_ms = query.latency_ms;
  terms.power_w = query.power_w;
  return terms;
}

int Ratio(double window_ms, double t_in, double t_bg) {
  const double ratio = std::floor((window_ms - t_in) / t_bg + kSlack);
  if (!(ratio > 0)) return 0;
  return ratio > kMostTau ? kMostTau : static_cast<int>(ratio);
}

Outcome Judge(const Terms& terms, int batch, int batch2, const Sample& sample, double idle_w, int most_tau) {
  if (terms.problem == Problem::kTrain) return JudgeTraining(terms, sample);
  Outcome out;
  const double window = terms.Window(batch);
  out.latency_ms = terms.Queueing(batch) + sample.t_in;
  const bool background = terms.problem != Problem::kInfer;
  if (background && Within(sample.p_bg, terms.power_w)) {
    out.tau = std::min(Ratio(window, sample.t_in, sample.t_bg), most_tau);
  }
  out.power_w = out.tau > 0 ? std::max(sample.p_in, sample.p_bg) : sample.p_in;
  out.feasible = Within(sample.t_in, window) && Within(out.latency_ms, terms.latency_ms) &&
                 Within(sample.p_in, terms.power_w);
  const double per_minibatch = terms.problem == Problem::kMultiInfer ? batch2 : 1;
  out.throughput = background ? 1000.0 * out.tau * per_minibatch / window : terms.rate;

  double window_mj = sample.p_in * sample.t_in;
  double idle_ms = window - sample.t_in;
  if (out.tau > 0) {
    window_mj += out.tau * sample.p_bg * sample.t_bg;
    idle_ms -= out.tau * sample.t_bg;
  }
  if (idle_w >= 0) window_mj += idle_w * std::max(idle_ms, 0.0);
  const double units = background ? out.tau * per_minibatch : batch;
  out.energy_mj = units > 0 ? window_mj / units : kNoLimit;

  switch (terms.objective) {
    case Objective::kThroughput:
      out.score = background ? out.throughput : -out.latency_ms;
      break;
    case Objective::kEnergy:
      out.score = units > 0 ? -out.energy_mj : -1e300;
      break;
    case Objective::kHeadroom:
      out.score = std::min(
          {1 - sample.t_in / window, 1 - out.latency_ms / terms.latency_ms, 1 - out.power_w / terms.power_w});
      break;
  }
  return out;
}

}  // namespace mortar::plan
