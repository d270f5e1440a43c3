#include "mortar/calibration.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/owner.h"
#include "cuda/api/device_name.h"
#include "cuda/api/types.h"

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;

// Spins for `ns` by the device's own clock. Written for this purpose; the driver compiles it.
constexpr char kSpin[] = R"(.version 6.0
.target sm_50
.address_size 64
.visible .entry mortar_spin(.param .u64 ns) {
  .reg .u64 %until, %now;
  .reg .pred %early;
  ld.param.u64 %until, [ns];
  mov.u64 %now, %globaltimer;
  add.u64 %until, %until, %now;
again:
  mov.u64 %now, %globaltimer;
  setp.lt.u64 %early, %now, %until;
  @%early bra again;
  ret;
}
)";

constexpr int kBatch = 200;  // kernels, alone and beside the other process
constexpr unsigned long long kBatchNs = 100'000;
constexpr int kMostBatches = 40;
constexpr int kRounds = 150;
constexpr unsigned long long kRoundNs = 20'000;
constexpr std::int64_t kHandOverNs = 5'000;  // there and back; longer: a processor was taken from one of them
constexpr std::int64_t kNoRound = INT64_MAX;
constexpr int kLeastRounds = 20;
constexpr std::int64_t kPatienceNs = 60'000'000'000;  // the first context on a large machine takes seconds

// Steps by number: setting up; then batches, alone and together by turns; then rounds, likewise.
constexpr int kSettingUp = 0;
constexpr int kFirstRounds = 1 + 2 * kMostBatches;
constexpr int kOver = kFirstRounds + 2 * static_cast<int>(kMostEstimates);
bool IsAlone(int step) { return step % 2 == 1; }

// Between the three processes.
struct Table {
  std::atomic<int> step{kSettingUp};
  std::atomic<int> ready[2]{};  // the step that each has finished setting up or doing, plus 1
  std::atomic<int> turn{0};
  std::atomic<int> arrived{0};  // at the beginning of a step
  std::atomic<bool> failed{false};
  char why[256] = {};
  char device[128] = {};
  bool absent = false;  // no such device
  double batch_ms[2] = {};
  std::int64_t begun_ns[2] = {};
  std::int64_t round_ns[kRounds] = {};
  std::int64_t answer_ns = 0;  // the second process' part of the round
};

class Child {
 public:
  Child(Table& table, int place, int ordinal) : table_(table), place_(place), ordinal_(ordinal) {}

  int Run(const std::string& driver) {
    if (!SetUp(driver)) {
      table_.failed.store(true);
      return 1;
    }
    for (int step = kSettingUp; step != kOver; step = table_.step.load()) {
      if (step != kSettingUp && !Do(step)) return 1;
      table_.ready[place_].store(step + 1);
      while (table_.step.load() <= step) usleep(100);
    }
    return 0;
  }

 private:
  template <typename... Arguments>
  bool Call(const char* name, Arguments... arguments) {
    auto* function = reinterpret_cast<CUresult (*)(Arguments...)>(dlsym(library_, name));
    if (function == nullptr) return Fail(std::string(name) + ": the driver lacks it");
    const CUresult status = function(arguments...);
    return status == CUDA_SUCCESS || Fail(std::string(name) + ": error " + std::to_string(status));
  }
  bool Fail(const std::string& why) {
    why.copy(table_.why, sizeof table_.why - 1);
    table_.failed.store(true);
    return false;
  }

  bool SetUp(const std::string& driver) {
    library_ = dlopen(driver.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) return Fail(dlerror());
    int count = 0;
    if (!Call("cuInit", 0U) || !Call("cuDeviceGetCount", &count)) return false;
    if (ordinal_ >= count) {
      table_.absent = true;
      return Fail("the driver has " + std::to_string(count) + " devices");
    }
    CUdevice device = 0;
    CUcontext context = nullptr;
    CUmodule module = nullptr;
    return Call("cuDeviceGet", &device, ordinal_) && Name(device) &&
           Call("cuDevicePrimaryCtxRetain", &context, device) && Call("cuCtxSetCurrent", context) &&
           Call("cuModuleLoadData", &module, static_cast<const void*>(kSpin)) &&
           Call("cuModuleGetFunction", &spin_, module, "mortar_spin") && Call("cuEventCreate", &begin_, 0U) &&
           Call("cuEventCreate", &end_, 0U) && Spin(kRoundNs) && Wait();
  }

  bool Name(CUdevice device) {
    cuda::DeviceFacts facts{.ordinal = ordinal_,
                            .simulated = dlsym(library_, cuda::kMarkOfSimulation) != nullptr};
    char text[256] = {};
    if (!Call("cuDeviceGetName", &text[0], 255, device)) return false;
    facts.model = text;
    if (!Call("cuDeviceGetPCIBusId", &text[0], 255, device)) return false;
    facts.pci_bus_id = text;
    if (!Call("cuDeviceGetUuid_v2", &facts.uuid, device)) return false;
    if (place_ == 0) cuda::BoardName(facts).copy(table_.device, sizeof table_.device - 1);
    return true;
  }

  bool Spin(unsigned long long ns) {
    void* arguments[] = {&ns};
    return Call("cuLaunchKernel", spin_, 1U, 1U, 1U, 1U, 1U, 1U, 0U, CUstream{nullptr}, &arguments[0],
                static_cast<void**>(nullptr));
  }
  bool Wait() { return Call("cuCtxSynchronize"); }

  bool Do(int step) {
    if (step >= kFirstRounds) return InTurn(!IsAlone(step));
    if (IsAlone(step)) return place_ == 1 || Batch(&table_.batch_ms[0]);
    table_.arrived.fetch_add(1);
    while (table_.arrived.load() < 2) {
      if (table_.failed.load()) return false;
    }
    table_.begun_ns[place_] = base::MonotonicNs();
    return Batch(&table_.batch_ms[place_]);
  }

  bool Batch(double* took_ms) {
    if (!Call("cuEventRecord", begin_, CUstream{nullptr})) return false;
    for (int i = 0; i < kBatch; ++i) {
      if (!Spin(kBatchNs)) return false;
    }
    float milliseconds = 0;
    if (!Call("cuEventRecord", end_, CUstream{nullptr}) || !Call("cuEventSynchronize", end_) ||
        !Call("cuEventElapsedTime", &milliseconds, begin_, end_)) {
      return false;
    }
    *took_ms = static_cast<double>(milliseconds);
    return true;
  }

  // Rounds of two kernels, each waited for: both here with the turn handed over and back in between, or one
  // in each process.
  bool InTurn(bool both) {
    for (int i = 0; i < kRounds; ++i) {
      if (!(place_ == 0 ? Begin(both, &table_.round_ns[i]) : Answer(both))) return false;
    }
    return true;
  }
  bool Begin(bool both, std::int64_t* round_ns) {
    const std::int64_t before = base::MonotonicNs();
    if (!Kernel()) return false;
    const std::int64_t handed = base::MonotonicNs();
    table_.turn.store(1);
    if (!AwaitTurn(0)) return false;
    const std::int64_t over_ns = base::MonotonicNs() - handed - (both ? table_.answer_ns : 0);
    if (!both && !Kernel()) return false;
    *round_ns = over_ns <= kHandOverNs ? base::MonotonicNs() - before : kNoRound;
    return true;
  }
  bool Answer(bool both) {
    if (!AwaitTurn(1)) return false;
    const std::int64_t before = base::MonotonicNs();
    if (both && !Kernel()) return false;
    table_.answer_ns = base::MonotonicNs() - before;
    table_.turn.store(0);
    return true;
  }
  bool Kernel() { return Spin(kRoundNs) && Wait(); }
  bool AwaitTurn(int whose) {
    while (table_.turn.load() != whose) {
      if (table_.failed.load()) return false;
    }
    return true;
  }

  Table& table_;
  int place_;
  int ordinal_;
  void* library_ = nullptr;
  CUfunction spin_ = nullptr;
  CUevent begin_ = nullptr, end_ = nullptr;
};

// Two children, killed at the end whatever they do.
class Pair {
 public:
  Pair(Table& table, const std::string& driver, int ordinal) {
    const pid_t parent = getpid();
    for (int place = 0; place < 2; ++place) {
      children_[static_cast<std::size_t>(place)] = fork();
      if (children_[static_cast<std::size_t>(place)] != 0) continue;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      _exit(Child(table, place, ordinal).Run(driver));
    }
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const pid_t child : children_) {
      if (child <= 0) continue;
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }
  // Has one of them ended without having said why?
  bool Ended() {
    for (pid_t& child : children_) {
      if (child <= 0) return true;
      if (waitpid(child, nullptr, WNOHANG) == child) {
        child = 0;
        return true;
      }
    }
    return false;
  }

 private:
  std::array<pid_t, 2> children_{};
};

// Of a step's rounds the time that one in ten stays below: what others do to the host only adds. Nothing: too
// few went undisturbed.
std::optional<std::int64_t> LowRound(Table& table) {
  std::sort(table.round_ns, table.round_ns + kRounds);
  const auto good = std::lower_bound(table.round_ns, table.round_ns + kRounds, kNoRound) - table.round_ns;
  return good < kLeastRounds ? std::nullopt : std::optional(table.round_ns[good / 10]);
}

// Has both do `step`, which they wait for, and waits until they have.
base::Status Await(Table& table, Pair& pair, int step, std::int64_t deadline) {
  table.arrived.store(0);
  table.step.store(step);
  while (table.ready[0].load() <= step || table.ready[1].load() <= step) {
    if (table.failed.load()) return Error{table.absent ? Code::kNotFound : Code::kSystem, table.why};
    if (pair.Ended()) return Error{Code::kSystem, "the driver ended the process that called it"};
    if (base::MonotonicNs() > deadline) return Error{Code::kSystem, "no answer within 60 s"};
    usleep(200);
  }
  return {};
}

double Least(const std::vector<double>& times) { return *std::min_element(times.begin(), times.end()); }

// Three or more, and the shortest was reached twice: a busy machine only adds.
bool Repeats(std::vector<double> times) {
  if (times.size() < 3) return false;
  std::sort(times.begin(), times.end());
  return times[0] > 0 && times[1] <= 1.1 * times[0];
}

base::Status Drive(Table& table, Pair& pair, Calibration* result) {
  const std::int64_t deadline = base::MonotonicNs() + kPatienceNs;
  int step = kSettingUp;
  if (auto status = Await(table, pair, step, deadline); !status.ok()) return status;
  result->device = table.device;
  std::vector<double> together_ms;
  std::vector<double> alone_ms;
  while (++step < kFirstRounds && !(Repeats(alone_ms) && Repeats(together_ms))) {
    if (auto status = Await(table, pair, step, deadline); !status.ok()) return status;
    alone_ms.push_back(table.batch_ms[0]);
    if (auto status = Await(table, pair, ++step, deadline); !status.ok()) return status;
    // Where one began late, as its processor was taken, they were not together.
    const double apart_ms = 1e-6 * static_cast<double>(std::abs(table.begun_ns[0] - table.begun_ns[1]));
    if (apart_ms < 0.1 * Least(alone_ms))
      together_ms.push_back(std::max(table.batch_ms[0], table.batch_ms[1]));
  }
  if (!Repeats(alone_ms) || !Repeats(together_ms)) {
    return Error{Code::kSystem,
                 "the same work takes another time each time: device or machine are too busy; run it again "
                 "when they are idle"};
  }
  step = kFirstRounds;
  result->together = Least(together_ms) / Least(alone_ms);
  result->mode = ModeOf(result->together);
  for (; step != kOver && !SettledCost(result->estimates_ns); step += 2) {
    if (auto status = Await(table, pair, step, deadline); !status.ok()) return status;
    const auto alone = LowRound(table);
    if (auto status = Await(table, pair, step + 1, deadline); !status.ok()) return status;
    const auto in_turn = LowRound(table);
    if (!alone || !in_turn) continue;
    const bool first = result->estimates_ns.empty();
    result->alone_ns = first ? *alone : std::min(result->alone_ns, *alone);
    result->round_trip_ns = first ? *in_turn : std::min(result->round_trip_ns, *in_turn);
    result->estimates_ns.push_back((*in_turn - *alone) / 2);  // a round changes over twice
  }
  if (result->mode == model::DeviceMode::kSliced) {
    result->switch_cost_ns = SettledCost(result->estimates_ns);
  } else {
    result->switch_cost_ns = 0;
  }
  return {};
}

}  // namespace

model::DeviceMode ModeOf(double together) {
  // One after another takes twice as long as alone, side by side as long; between them: which is nearer.
  return together < 1.5 ? model::DeviceMode::kMerged : model::DeviceMode::kSliced;
}

std::optional<std::int64_t> SettledCost(std::vector<std::int64_t> estimates_ns) {
  constexpr std::size_t kLeast = 5;
  constexpr std::int64_t kFineNs = 2'000;  // finer than this no margin of a fill is
  if (estimates_ns.size() < kLeast) return std::nullopt;
  std::sort(estimates_ns.begin(), estimates_ns.end());
  const std::size_t quarter = estimates_ns.size() / 4;
  const std::int64_t median = estimates_ns[estimates_ns.size() / 2];
  const std::int64_t spread = estimates_ns[estimates_ns.size() - 1 - quarter] - estimates_ns[quarter];
  if (spread > std::max(kFineNs, median / 5) || median < -kFineNs) return std::nullopt;
  return std::max<std::int64_t>(0, median);
}

base::Result<Calibration> Calibrate(const std::string& driver, int ordinal) {
  void* page = mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return Error{Code::kFull, "map shared memory: out of memory"};
  const base::Mapping mapping(page, sizeof(Table));
  auto* table = new (page) Table;
  Calibration result;
  {
    Pair pair(*table, driver, ordinal);
    const base::Status driven = Drive(*table, pair, &result);
    if (!driven.ok())
      return Error{driven.error().code, "calibrate device " + std::to_string(ordinal) + " of " + driver +
                                            ": " + driven.error().message};
  }
  return result;
}

}  // namespace mortar::cli
