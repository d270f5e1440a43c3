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
constexpr int kRounds = 300;
constexpr unsigned long long kRoundNs = 20'000;
constexpr std::int64_t kPatienceNs = 60'000'000'000;  // the first context on a large machine takes seconds

enum Step : int { kSettingUp, kAlone, kTogether, kInTurnAlone, kInTurn, kOver };

// Between the three processes.
struct Table {
  std::atomic<int> step{kSettingUp};
  std::atomic<int> ready[2]{};  // the step that each has finished setting up or doing, plus 1
  std::atomic<int> turn{0};
  std::atomic<bool> failed{false};
  char why[256] = {};
  char device[128] = {};
  bool absent = false;  // no such device
  double batch_ms[2] = {};
  double alone_ms = 0;
  std::int64_t round_ns[kRounds] = {};
  std::int64_t alone_round_ns[kRounds] = {};
};

class Child {
 public:
  Child(Table& table, int place, int ordinal) : table_(table), place_(place), ordinal_(ordinal) {}

  int Run(const std::string& driver) {
    if (!SetUp(driver)) {
      table_.failed.store(true);
      return 1;
    }
    for (int step = kSettingUp; step != kOver; ++step) {
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
    if (step == kAlone) return place_ == 1 || Batch(&table_.alone_ms);
    if (step == kTogether) return Batch(&table_.batch_ms[place_]);
    return InTurn(step == kInTurn, step == kInTurn ? table_.round_ns : table_.alone_round_ns);
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
  bool InTurn(bool both, std::int64_t* rounds) {
    for (int i = 0; i < kRounds; ++i) {
      const std::int64_t before = base::MonotonicNs();
      if (place_ == 0 && !Kernel()) return false;
      if (place_ == 0) table_.turn.store(1);
      if (!AwaitTurn(place_)) return false;
      if ((both ? place_ == 1 : place_ == 0) && !Kernel()) return false;
      if (place_ == 1) table_.turn.store(0);
      if (place_ == 0) rounds[i] = base::MonotonicNs() - before;
    }
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

std::int64_t Median(std::int64_t* values) {
  std::nth_element(values, values + kRounds / 2, values + kRounds);
  return values[kRounds / 2];
}

base::Status Drive(Table& table, Pair& pair) {
  const std::int64_t deadline = base::MonotonicNs() + kPatienceNs;
  for (int step = kSettingUp; step != kOver; ++step) {
    while (table.ready[0].load() <= step || table.ready[1].load() <= step) {
      if (table.failed.load()) return Error{table.absent ? Code::kNotFound : Code::kSystem, table.why};
      if (pair.Ended()) return Error{Code::kSystem, "the driver ended the process that called it"};
      if (base::MonotonicNs() > deadline) return Error{Code::kSystem, "no answer within 60 s"};
      usleep(200);
    }
    table.step.store(step + 1);
  }
  return {};
}

}  // namespace

model::DeviceMode ModeOf(double together) {
  // One after another takes twice as long as alone, side by side as long; between them: which is nearer.
  return together < 1.5 ? model::DeviceMode::kMerged : model::DeviceMode::kSliced;
}

std::int64_t SwitchCostOf(std::int64_t round_trip_ns, std::int64_t alone_ns) {
  // A round changes over twice.
  return std::max<std::int64_t>(0, round_trip_ns - alone_ns) / 2;
}

base::Result<Calibration> Calibrate(const std::string& driver, int ordinal) {
  void* page = mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return Error{Code::kFull, "map shared memory: out of memory"};
  const base::Mapping mapping(page, sizeof(Table));
  auto* table = new (page) Table;
  {
    Pair pair(*table, driver, ordinal);
    const base::Status driven = Drive(*table, pair);
    if (!driven.ok())
      return Error{driven.error().code, "calibrate device " + std::to_string(ordinal) + " of " + driver +
                                            ": " + driven.error().message};
  }
  Calibration result;
  result.device = table->device;
  result.together =
      table->alone_ms > 0 ? std::max(table->batch_ms[0], table->batch_ms[1]) / table->alone_ms : 0;
  result.mode = ModeOf(result.together);
  result.round_trip_ns = Median(table->round_ns);
  result.alone_ns = Median(table->alone_round_ns);
  if (result.mode == model::DeviceMode::kSliced) {
    result.switch_cost_ns = SwitchCostOf(result.round_trip_ns, result.alone_ns);
  }
  return result;
}

}  // namespace mortar::cli
