#include "plan/score.h"

#include <algorithm>
#include <cmath>

namespace mortar::plan {
namespace {

int PositionOf(const std::vector<int>& batches, int batch) {
  const auto found = std::find(batches.begin(), batches.end(), batch);
  return found == batches.end() ? -1 : static_cast<int>(found - batches.begin());
}

std::optional<double> LossOf(const Terms& terms, const Outcome& truth, const Outcome& best) {
  switch (terms.objective) {
    case Objective::kHeadroom:
      return best.score - truth.score;
    case Objective::kEnergy:
      if (!(best.energy_mj > 0) || !std::isfinite(best.energy_mj)) return std::nullopt;
      return std::isfinite(truth.energy_mj) ? (truth.energy_mj - best.energy_mj) / best.energy_mj : 1.0;
    case Objective::kThroughput:
      break;
  }
  if (terms.problem == Problem::kInfer) return (truth.latency_ms - best.latency_ms) / best.latency_ms;
  if (!(best.throughput > 0)) return std::nullopt;
  return (best.throughput - truth.throughput) / best.throughput;
}

}  // namespace

Verdict Score(const Space& space, const Terms& terms, const Plan& plan, const Plan& best) {
  Verdict verdict;
  verdict.feasible = best.feasible;
  if (!plan.feasible) return verdict;
  const Choice choice{plan.mode, PositionOf(space.batches(), plan.batch),
                      PositionOf(space.batches2(), plan.batch2)};
  if (choice.batch < 0 || choice.batch2 < 0 || !space.Exists(choice)) {
    verdict.violating = true;
    return verdict;
  }
  const Outcome truth = Judge(terms, plan.batch, plan.batch2, space.SampleAt(choice),
                              space.IdleWatts(plan.mode), plan.outcome.tau);
  // A smaller τ than planned is a window that overflows, or a background that draws too much.
  verdict.violating = !truth.feasible || (terms.problem != Problem::kTrain && truth.tau < plan.outcome.tau);
  verdict.solved = best.feasible && !verdict.violating;
  if (verdict.solved) verdict.loss = LossOf(terms, truth, best.outcome);
  return verdict;
}

void Tally::Add(const Verdict& verdict, int points, double seconds, int mode_switches) {
  ++queries_;
  if (verdict.feasible) ++feasible_;
  if (verdict.solved) ++solved_;
  if (verdict.violating) ++violating_;
  if (verdict.loss) losses_.push_back(static_cast<float>(std::max(*verdict.loss, 0.0)));
  points_ += points;
  seconds_ += seconds;
  switches_ += mode_switches;
}

void Tally::Merge(const Tally& other) {
  queries_ += other.queries_;
  feasible_ += other.feasible_;
  solved_ += other.solved_;
  violating_ += other.violating_;
  points_ += other.points_;
  seconds_ += other.seconds_;
  switches_ += other.switches_;
  losses_.insert(losses_.end(), other.losses_.begin(), other.losses_.end());
}

double Tally::solved() const {
  return feasible_ > 0 ? static_cast<double>(solved_) / static_cast<double>(feasible_) : 1;
}

double Tally::violating() const {
  return queries_ > 0 ? static_cast<double>(violating_) / static_cast<double>(queries_) : 0;
}

double Tally::LossQuantile(double share) const {
  if (losses_.empty()) return 0;
  std::vector<float> sorted = losses_;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(sorted.begin(), at, sorted.end());
  return static_cast<double>(*at);
}

double Tally::LossMean() const {
  double sum = 0;
  for (const float loss : losses_) sum += static_cast<double>(loss);
  return losses_.empty() ? 0 : sum / static_cast<double>(losses_.size());
}

}  // namespace mortar::plan
