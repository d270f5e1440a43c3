// What is believed of one workload pair from the points paid so far, and which point is worth paying for
// next.
//
// One owner at a time. It reads the shape of the space and the probes it is given, never the table.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "plan/estimate.h"
#include "plan/gp.h"
#include "plan/measured.h"
#include "plan/problem.h"
#include "plan/space.h"
#include "plan/strategy.h"

namespace mortar::plan {

// How a next point is to be sought.
struct Effort {
  bool faint = false;  // where nothing promises at fair odds, long ones will do
  double left =
      1;  // share of the points not yet spent: the fewer, the less the objective counts beside a first plan
};

class Belief {
 public:
  explicit Belief(const Space& space);

  void Reset();
  void Learn(const Probe& probe);
  int count() const { return count_; }

  struct Candidate {
    Choice choice;
    double worth = 0;     // expected gain over the incumbent, in the objective's unit; without one, see Next
    double feasible = 0;  // probability that inference meets its budgets
  };

  // The choice whose measurement promises most. `incumbent`: score of the best plan so far, or nothing while
  // none is feasible. Nothing where no choice
  // promises anything.
  std::optional<Candidate> Next(const Terms& terms, std::optional<double> incumbent,
                                const Effort& effort) const;

  // The same for several queries at once: the choice that promises most over all of them, each query's gain
  // taken relative to what it has. `worth` is the sum, 1 a query at most.
  std::optional<Candidate> Next(const std::vector<Terms>& queries,
                                const std::vector<std::optional<double>>& incumbents,
                                const Effort& effort) const;

  // The believed sample at a choice, and a plan over the probes by what is believed of them (noise averaged
  // out).
  Sample Expected(const Choice& choice) const;
  Plan BestBelieved(const Terms& terms, const std::vector<Probe>& probes) const;

  // Everything believed, of every choice that exists.
  std::vector<Estimate> Estimates() const;

  // Where to measure to know most about the whole space.
  std::optional<Choice> MostUncertain(base::Random& random) const;

 private:
  struct Scan;
  Scan Weigh(const Terms& terms, std::optional<double> incumbent, const Effort& effort) const;
  std::optional<Candidate> Best(const Terms& terms, std::optional<double> incumbent,
                                const Effort& effort) const;
  void Offer(const Terms& terms, std::optional<double> incumbent, Scan* scan) const;
  void OfferTraining(const Terms& terms, std::optional<double> incumbent, Scan* scan) const;
  void OfferInference(const Terms& terms, std::optional<double> incumbent, int b, int m, Scan* scan) const;
  void OfferBackground(const Terms& terms, std::optional<double> incumbent, int b, int m, double feasible,
                       Scan* scan) const;
  Eigen::Index Cell(int batch, int mode) const {
    return static_cast<Eigen::Index>(batch) * space_.modes() + mode;
  }

  const Space& space_;
  std::unique_ptr<Gp> t_in_, p_in_, t_bg_, p_bg_;  // null where the problem has no such part
  int count_ = 0;
};

}  // namespace mortar::plan
