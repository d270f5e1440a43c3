// How a strategy sees a device: ask for a choice, pay one point, get times and powers.
//
// One owner at a time. The same strategies drive a recorded table (TableProfiler) and, later, a live device.
// Not a cache: asking twice pays twice, and under noise gives two readings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include "base/random.h"
#include "plan/space.h"

namespace mortar::plan {

// Relative standard errors of a sample's readings; 0: exact.
struct Spread {
  double t_in = 0, p_in = 0, t_bg = 0, p_bg = 0;
  double Greatest() const { return std::max({t_in, p_in, t_bg, p_bg}); }
};

struct Measurement {
  Sample sample;
  Spread spread;  // estimated from how the repeated minibatches of the point differ
};

class Profiler {
 public:
  virtual ~Profiler() = default;

  // Nothing, and nothing paid, where the choice cannot be profiled (a hole in a recording, a mode refused).
  virtual std::optional<Measurement> Measure(const Choice& choice) = 0;

  int points() const { return points_; }
  // Time the device spent on measuring: `kMinibatches` of each, chosen as a short profiling run.
  double seconds() const { return seconds_; }
  int mode_switches() const { return mode_switches_; }

 protected:
  static constexpr int kMinibatches = 40;  // chosen
  void Pay(const Choice& choice, const Sample& sample);

 private:
  int points_ = 0;
  double seconds_ = 0;
  int mode_switches_ = 0;
  int mode_ = -1;
};

// Replays a table. `sigma` > 0 multiplies every reading by a log-normal factor; the truth stays the table.
// Nobody is told sigma: each reading comes with the standard error that its minibatches would show.
class TableProfiler final : public Profiler {
 public:
  // REQUIRES: the space outlives this.
  TableProfiler(const Space& space, double sigma, std::uint64_t seed)
      : space_(space), sigma_(sigma), random_(seed) {}
  std::optional<Measurement> Measure(const Choice& choice) override;

 private:
  double Noisy(double value);
  double EstimatedError();
  const Space& space_;
  const double sigma_;
  base::Random random_;
};

}  // namespace mortar::plan
