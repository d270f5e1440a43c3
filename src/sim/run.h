// One run: clients with their programs on simulated devices under one policy, for so long.
//
// Pure and deterministic: the same RunSpec gives the same RunResult, on any thread. Runs share nothing that
// changes, so any number may go side by side. Time is simulated; nothing here measures a device.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "model/trace_record.h"
#include "policy/view.h"
#include "sim/device.h"
#include "sim/program.h"

namespace mortar::sim {

// Issue A's policies (0…5) run the code of src/policy; the others are the simulator's own.
enum class Policy : std::uint8_t {
  kShare = 1,
  kExclusive = 2,
  kPriority = 3,
  kFikit = 4,
  kFill = 5,
  kSlice = 6,        // whole requests of the filler between requests of the holder
  kThreshold = 7,    // strict priority, a few of the filler's commands in flight
  kTimeslice = 8,    // default sharing of contexts that take turns
  kOracleGap = 9,    // yardstick: whole gaps, perfect knowledge
  kOracleSlack = 10  // yardstick: the holder's kernels may be late, its waits may not
};
inline constexpr Policy kPolicies[] = {
    Policy::kShare, Policy::kExclusive, Policy::kPriority,  Policy::kFikit,     Policy::kFill,
    Policy::kSlice, Policy::kThreshold, Policy::kTimeslice, Policy::kOracleGap, Policy::kOracleSlack};
std::string_view PolicyName(Policy policy);
std::optional<Policy> FindPolicy(std::string_view name);
inline bool IsLive(Policy policy) { return policy <= Policy::kFill; }
inline bool IsYardstick(Policy policy) { return policy >= Policy::kOracleGap; }

// What a client did alone, for yardsticks: each operation when it ran, and how late it could have started.
struct ScheduledOp {
  Ns ready_ns = 0;  // since when the device would have taken it, had it been free
  Ns start_ns = 0;
  Ns duration_ns = 0;
  Ns pause_ns = 0;
  Ns latest_ns = 0;  // latest start that moves no wait and no end of a request
  std::uint32_t stream = 0;
  bool beside = false;  // began before the one before it ended
};
struct Schedule {
  // By device and engine, in the order in which they ran.
  std::vector<std::vector<ScheduledOp>> engines;
  std::vector<Ns> waits;  // when each wait returned
};

// FIKIT's offline means of one launch.
struct OfflineMeans {
  Ns duration_ns = 0;
  Ns gap_ns = 0;
};

// What profiles keep between runs: the durations of each launch's kernel (predict/profile_file.h).
using Durations = std::vector<base::Histogram>;

struct ClientSpec {
  std::string name;
  ProgramPtr program;
  int priority = 0;
  std::shared_ptr<const std::vector<Ns>> arrivals;  // null: back to back
  bool jitter = false;
  bool judged = false;  // learns first, and is what the window of measurement waits for
  std::uint32_t learn_laps = 0;
  double max_slowdown = 0.02;
  double weight = 1;
  std::uint32_t min_share_ppm = 0;                           // floor under its share of device time; 0: none
  bool floor_first = false;                                  // its floor comes before others' max_slowdown
  Ns request_ns = 0;                                         // kSlice: what a request takes alone
  std::uint32_t most_between = UINT32_MAX;                   // kSlice: requests between two of the holder's
  std::uint32_t first_device = 0;                            // where the program's first device is in the run
  std::shared_ptr<const std::vector<OfflineMeans>> offline;  // by launch; for kFikit
  std::shared_ptr<const Durations> known;                    // by launch, from a run before; null: none
};

struct RunSpec {
  std::vector<ClientSpec> clients;
  Policy policy = Policy::kFill;
  DeviceOptions device;
  policy::Settings settings;  // policy, mode and switch cost are set from the above
  Ns gate_ns = 0;             // cost of a decision, on the host of whoever has rivals
  Ns for_ns = 5'000'000'000;  // from the end of learning
  // The window of another run, to compare with it: all judged requests since the beginning are kept, and
  // busy times count from there. 0: the run's own.
  Ns window_begin_ns = 0, window_end_ns = 0;
  std::uint64_t max_requests = UINT64_MAX;  // of the judged clients; ends the run earlier
  std::uint32_t threshold = 4;              // kThreshold: commands in flight
  std::uint64_t seed = 1;
  std::shared_ptr<const Schedule> holder;  // yardsticks: what the highest client did alone
  bool keep_schedule = false;              // of client 0
  bool keep_waits = false;
  bool keep_trace = false;      // of all clients, in the window
  bool record_offline = false;  // FIKIT's measuring run
};

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();  // there is no such number

struct RequestTimes {
  std::uint64_t number = 0;
  Ns arrival_ns = 0;  // or its beginning, back to back
  Ns end_ns = 0;
};

// How a prediction compared with what came, nanoseconds.
struct Errors {
  std::uint64_t count = 0;
  Ns p10 = 0, p50 = 0, p90 = 0;  // foretold minus actual
};

struct ClientResult {
  std::vector<RequestTimes> requests;  // that ended in the window
  bool exhausted = false;              // no arrival is left
  std::uint64_t ops = 0;               // completed in the window
  Ns work_ns = 0;                      // useful device time completed in the window
  std::uint64_t submits = 0, fills = 0, floors = 0, held = 0, waits = 0;  // floors are fills too
  Ns held_ns = 0;
  Ns harm_ns = 0, floor_harm_ns = 0, request_ns = 0;  // as the live accounts say, all requests
  std::uint64_t controls = 0;
  bool measured = false;
  double measured_slowdown = 0, measured_low = 0, measured_high = 0;
  double modelled_slowdown = 0;
  double caution = 0;
  std::uint32_t period_submits = 0;
  Errors next_submit;  // foretold at a submit
  Errors device_end;   // of what was submitted
  std::vector<model::TraceRecord> trace;
  ProgramPtr program;
  std::vector<Ns> wait_returns;       // all, where RunSpec::keep_waits is set
  std::vector<OfflineMeans> offline;  // by launch, after a measuring run
  Durations durations;                // the same
};

struct RunResult {
  std::vector<ClientResult> clients;
  Ns window_begin_ns = 0;
  Ns window_end_ns = 0;
  Ns busy_ns = 0;                  // of the compute engine in the window, mean of the devices used
  std::vector<Ns> device_busy_ns;  // of each
  std::uint64_t events = 0;        // completed operations, learning included
  std::uint32_t learn_laps = 0;    // of client 0
  std::shared_ptr<Schedule> schedule;
};

// REQUIRES: at least one client; each with a program that has a lap to judge.
RunResult Run(const RunSpec& spec);

// A judged client without a number of laps learns for 20 requests and a fifth of RunSpec::for_ns (2 s at
// most), but never longer than twice for_ns.
inline constexpr std::uint32_t kLearnRequests = 20;
inline constexpr Ns kLearnAtLeastNs = 2'000'000'000;

}  // namespace mortar::sim
