// Two programs on one device: the holder, who matters, and the filler, who may have the rest. What each had
// alone, and what each has under a policy.
//
// Bench makes and keeps what is alone (runs of each program by itself, yardsticks), so that any number of
// policies and pairs can be compared. Several threads may use one Bench: what is missing is made once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/compile.h"
#include "sim/run.h"
#include "trace/arrivals.h"

namespace mortar::sim {

struct PairOptions {
  trace::ArrivalSpec arrivals;  // of the holder
  Ns for_ns = 5'000'000'000;
  std::uint64_t max_requests = UINT64_MAX;
  Ns split_ns = 0;  // cuts the filler's kernels and copies
  Ns split_cost_ns = 0;
  bool blocking = false;   // the holder waits after every launch
  bool jitter = true;      // of the holder
  bool yardsticks = true;  // compare with them
  double max_slowdown = 0.02;
  std::uint64_t seed = 1;
  DeviceOptions device;
  Ns gate_ns = 0;
  std::uint32_t threshold = 4;
  Ns in_flight_bound_ns = 200'000;
  Ns margin_ns = 0;
  bool cold = false;  // fillers do not know their kernels' durations from a run before
};

// A file that was read, and the programs made of it.
struct Source {
  std::string path;
  std::string name;  // for people: the file's, without endings
  std::shared_ptr<const trace::Recording> recording;
};

// One row of a comparison. Ratios to what the same had alone; kUnknown, a NaN, where there is none, as times
// and windows are.
struct Row {
  std::string holder, filler;
  Policy policy = Policy::kFill;
  std::uint64_t requests = 0;
  double mean_x = kUnknown, p50_x = kUnknown, p99_x = kUnknown, max_x = kUnknown;
  double filler_vs_alone = 0, filler_vs_gap = 0, filler_vs_slack = 0;
  double fluid = 0;  // the most that a filler could have had, against alone
  double device_busy = 0;
  double filler_work_ns = 0, gap_work_ns = 0, slack_work_ns = 0, alone_work_ns = 0;  // per second
  double filler_jct_x = 0;  // mean time of a filler's request against alone
  double holder_mean_ns = kUnknown, holder_p50_ns = kUnknown, holder_max_ns = kUnknown;
  double holder_p99_ns = kUnknown;  // as p99_x
  double alone_mean_ns = kUnknown;
  double worst_window = kUnknown;  // mean slowdown of 100 consecutive requests: the 99th percentile
  double windows_over = kUnknown;  // share of those windows above max_slowdown
  std::uint64_t windows = 0;
  bool repeats_itself = false;
  std::uint64_t alone_requests = 0;  // of the holder; 0: none of them ends in the time simulated
  RunResult run;                     // what is told beside: accounts, errors of prediction, traces
};

class Bench {
 public:
  explicit Bench(const PairOptions& options) : options_(options) {}
  const PairOptions& options() const { return options_; }

  // Errors: what Compile and MakeArrivals say; NoRequest where requests have arrival times.
  base::Result<Row> Measure(const Source& holder, const Source& filler, Policy policy,
                            bool keep_trace = false);
  // What the holder does alone: request times by number.
  struct Alone {
    ProgramPtr program;
    std::shared_ptr<const std::vector<Ns>> arrivals;
    RunResult run;
    std::vector<double> request_ns;  // by number; NaN where it did not end in the window
    double rate = 0;                 // requests a second, back to back
    double work_per_s = 0;
    std::shared_ptr<const std::vector<OfflineMeans>> offline;
    std::shared_ptr<const Durations> known;  // of a filler
  };
  base::Result<std::shared_ptr<const Alone>> HolderAlone(const Source& holder);
  base::Result<std::shared_ptr<const Alone>> FillerAlone(const Source& filler);
  // The run that Measure makes. REQUIRES: both made by this Bench.
  RunSpec Pair(const Alone& holder, const Alone& filler, Policy policy) const;

 private:
  using Made = base::Result<std::shared_ptr<const Alone>>;
  struct Slot {
    std::once_flag once;
    std::unique_ptr<Made> made;
  };
  std::shared_ptr<Slot> Find(std::map<std::string, std::shared_ptr<Slot>>* slots, const std::string& key);
  Made MakeHolder(const Source& holder) const;
  Made MakeFiller(const Source& filler) const;
  RunSpec Frame() const;
  base::Result<double> Yardstick(const Source& holder, const Source& filler, Policy policy);

  PairOptions options_;
  std::mutex mutex_;  // the maps
  std::map<std::string, std::shared_ptr<Slot>> holders_;
  std::map<std::string, std::shared_ptr<Slot>> fillers_;
  struct Work {
    std::once_flag once;
    double per_s = 0;
  };
  std::map<std::string, std::shared_ptr<Work>> yardsticks_;
};

// What to say of a holder none of whose requests ends in the time simulated. `exhausted`: because none came.
base::Error NoRequest(const Source& holder, const trace::ArrivalSpec& arrivals = {}, bool exhausted = false);

// Reads a file of any kind that ReadRecording knows. Errors: its.
base::Result<Source> ReadSource(const std::string& path);

}  // namespace mortar::sim
