// What is known of each kernel identity: device time, learned from samples while the program runs, and
// FIKIT's offline means where the program was recorded.
//
// Find is lock-free and may run in any thread; a new identity and every sample take a mutex (first launches
// and sampled launches only). Kernels are never removed; a table that is full answers "unknown".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "base/histogram.h"
#include "model/kernel_id.h"
#include "predict/recent.h"

namespace mortar::predict {

struct Kernel {
  model::KernelId id = 0;
  // What places are told apart by: the identity before arguments became part of it, which happens in mid-run.
  model::KernelId place_id = 0;
  char name[64] = {};  // cut, NUL-terminated; for reports

  // Read on the submit path of any thread; written under the table's mutex.
  std::atomic<std::int64_t> duration_ns{0};  // typical; 0: not yet sampled
  std::atomic<std::int64_t> length_ns{0};    // 0.9 quantile: what a filler is charged (design)
  std::atomic<std::int32_t> until_sample{0};
  std::atomic<std::uint32_t> exact{0};  // samples that were not loose, while these still come
  std::atomic<bool> split{false};  // durations prove bimodal: scalar arguments become part of the identity

  // Offline means (mortar profile record), for `fikit`. 0: not recorded.
  std::atomic<std::int64_t> offline_duration_ns{0};
  std::atomic<std::int64_t> offline_gap_ns{0};

  // Under the table's mutex.
  base::Histogram durations;  // all samples, fading; kept between runs
  Recent recent;  // the last ones, exactly: a bucket is 9 % wide, and errors add up over a request
  std::uint64_t samples = 0;
  std::uint32_t loose = 0;  // loose samples since the last exact one
  bool mixed = false;       // loose ones are among `durations` and `recent`
  double recorded_n = 0, recorded_duration = 0, recorded_gap_n = 0, recorded_gap = 0;
};

class KernelTable {
 public:
  static constexpr double kLengthQuantile = 0.9;  // design: what a filler is charged
  static constexpr std::size_t kCapacity = 8192;  // chosen: real programs use hundreds to a few thousand

  KernelTable();
  ~KernelTable();
  KernelTable(const KernelTable&) = delete;
  KernelTable& operator=(const KernelTable&) = delete;

  // The kernel of `id`, or null if it was never added. Lock-free, no allocation.
  Kernel* Find(model::KernelId id) const;
  // Find, or add under `name`. `place_id` 0: the same. Null if the table is full.
  Kernel* FindOrAdd(model::KernelId id, std::string_view name, model::KernelId place_id = 0);

  // Kernels that last so long are always timed: that costs little beside them, and one that lasts twice as
  // long as foretold hurts whoever it was to fit before.
  static constexpr std::int64_t kAlwaysTimedNs = 1'000'000;  // chosen
  // Is this launch to be timed? Often at first and rarely later: the first 8, then 1 in 16 until 64 samples,
  // then 1 in 128 (design: sampled, FIKIT needs a separate measuring run). Long kernels and `record`: always.
  bool WantSample(Kernel& kernel, bool record) const {
    // Threads may race here: a sample more or less, nothing worse.
    const std::int32_t left = kernel.until_sample.load(std::memory_order_relaxed);
    if (left <= 0 || record) return true;
    kernel.until_sample.store(left - 1, std::memory_order_relaxed);
    return false;
  }
  // The device time of one launch, nanoseconds. Ignores what is negative or above one minute.
  // `loose`: something else may be in it (what lies between a launch and its start on an idle device, a
  // switch of contexts), so that it counts only where hardly any others come, or where it is hardly longer
  // than they are.
  void AddSample(Kernel& kernel, std::int64_t device_ns, bool record, bool loose = false);
  static bool KnownExactly(const Kernel& kernel) {
    return kernel.exact.load(std::memory_order_relaxed) >= kExactNeeds;
  }
  // Recording run: the gap that followed one launch on the device.
  void AddRecordedGap(Kernel& kernel, std::int64_t gap_ns);

  std::size_t size() const { return count_.load(std::memory_order_acquire); }
  // REQUIRES: i < size().
  Kernel& at(std::size_t i) const { return blocks_[i / kBlock].load(std::memory_order_relaxed)[i % kBlock]; }
  std::mutex& mutex() const { return mutex_; }
  // Recomputes what the submit path reads. REQUIRES: the mutex held.
  static void Refresh(Kernel& kernel);

 private:
  static constexpr std::uint32_t kExactNeeds = 4;  // chosen
  static constexpr std::uint32_t kMostLoose = 64;  // chosen: in a row; then they are all there is
  static constexpr std::size_t kSlots = kCapacity * 2;
  struct Entry {
    std::atomic<model::KernelId> id;
    std::atomic<Kernel*> kernel;
  };
  // A kernel is most of a KiB: they come in blocks, when they are wanted.
  static constexpr std::size_t kBlock = 32;
  static_assert(kCapacity % kBlock == 0);
  Entry* entries_ = nullptr;  // kSlots, open addressing, linear probing
  std::array<std::atomic<Kernel*>, kCapacity / kBlock> blocks_{};
  std::atomic<std::size_t> count_{0};
  mutable std::mutex mutex_;
};

}  // namespace mortar::predict
