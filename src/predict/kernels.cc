#include "predict/kernels.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"

namespace mortar::predict {
namespace {

constexpr std::int64_t kLongestSampleNs = 60'000'000'000;
constexpr std::int64_t kSettleShare = 8;  // chosen: small changes count an eighth
constexpr std::uint64_t kOftenUntil = 8;
constexpr std::uint64_t kWarmUntil = 64;
constexpr std::uint32_t kSplitNeeds = 24;  // samples before two modes are believed
constexpr std::int64_t kLooseShare = 32;   // chosen: so much longer, or by kLooseNs, a loose sample may be
constexpr std::int64_t kLooseNs = 1'000;   // chosen
constexpr double kSplitRatio = 2.0;        // chosen: ninth against first decile

}  // namespace

KernelTable::KernelTable() : entries_(new (std::nothrow) Entry[kSlots]()) {}

KernelTable::~KernelTable() {
  delete[] entries_;
  for (const auto& block : blocks_) delete[] block.load(std::memory_order_relaxed);
}

Kernel* KernelTable::Find(model::KernelId id) const {
  if (entries_ == nullptr) return nullptr;
  for (std::size_t probe = id % kSlots;; probe = (probe + 1) % kSlots) {
    // Pairs with the release store in FindOrAdd: the kernel behind the id is whole.
    const model::KernelId seen = entries_[probe].id.load(std::memory_order_acquire);
    if (seen == id) return entries_[probe].kernel.load(std::memory_order_relaxed);
    if (seen == 0) return nullptr;
  }
}

Kernel* KernelTable::FindOrAdd(model::KernelId id, std::string_view name, model::KernelId place_id) {
  if (Kernel* known = Find(id)) return known;
  const std::lock_guard lock(mutex_);
  if (Kernel* known = Find(id)) return known;
  const std::size_t count = count_.load(std::memory_order_relaxed);
  if (count >= kCapacity || entries_ == nullptr) return nullptr;
  if (count % kBlock == 0) {
    auto* block = new (std::nothrow) Kernel[kBlock];
    if (block == nullptr) return nullptr;
    blocks_[count / kBlock].store(block, std::memory_order_relaxed);  // seen by those who see count_, below
  }
  Kernel& kernel = blocks_[count / kBlock].load(std::memory_order_relaxed)[count % kBlock];
  kernel.id = id;
  kernel.place_id = place_id != 0 ? place_id : id;
  const std::size_t length = std::min(name.size(), sizeof kernel.name - 1);
  std::memcpy(kernel.name, name.data(), length);
  std::size_t probe = id % kSlots;
  while (entries_[probe].id.load(std::memory_order_relaxed) != 0) probe = (probe + 1) % kSlots;
  entries_[probe].kernel.store(&kernel, std::memory_order_relaxed);
  entries_[probe].id.store(id, std::memory_order_release);  // pairs with Find
  count_.store(count + 1, std::memory_order_release);       // pairs with size()
  return &kernel;
}

void KernelTable::Refresh(Kernel& kernel) {
  if (kernel.durations.total() == 0) return;
  const bool fresh = kernel.recent.count() > 0;
  const std::int64_t target = fresh ? kernel.recent.Middle() : kernel.durations.Quantile(0.5);
  const std::int64_t high =
      fresh ? kernel.recent.Quantile(kLengthQuantile) : kernel.durations.Quantile(kLengthQuantile);
  const auto settle = [&](std::atomic<std::int64_t>& value, std::int64_t to) {
    const std::int64_t old = value.load(std::memory_order_relaxed);
    const bool settled = kernel.recent.count() > Recent::kSize && std::abs(to - old) < old / 4;
    value.store(std::max<std::int64_t>(1, settled ? old + (to - old) / kSettleShare : to),
                std::memory_order_relaxed);
  };
  settle(kernel.duration_ns, target);
  settle(kernel.length_ns, std::max(target, high));
  if (kernel.durations.total() >= kSplitNeeds && !kernel.split.load(std::memory_order_relaxed)) {
    const auto low = static_cast<double>(kernel.durations.Quantile(0.1));
    const auto top = static_cast<double>(kernel.durations.Quantile(0.9));
    if (top > kSplitRatio * low) kernel.split.store(true, std::memory_order_relaxed);
  }
}

void KernelTable::AddSample(Kernel& kernel, std::int64_t device_ns, bool record, bool loose) {
  if (device_ns < 0 || device_ns > kLongestSampleNs) return;
  const std::lock_guard lock(mutex_);
  ++kernel.samples;
  kernel.loose = loose ? kernel.loose + 1 : 0;
  if (kernel.loose > kMostLoose) kernel.exact.store(0, std::memory_order_relaxed);
  if (!loose) kernel.exact.fetch_add(1, std::memory_order_relaxed);
  const bool exactly = KnownExactly(kernel);
  if (exactly && std::exchange(kernel.mixed, false)) {
    kernel.durations = {};
    kernel.recent = {};
  }
  const std::int64_t usual = kernel.duration_ns.load(std::memory_order_relaxed);
  const bool counts = !loose || !exactly || device_ns <= usual + std::max(usual / kLooseShare, kLooseNs);
  if (counts) {
    kernel.durations.Add(device_ns);
    kernel.recent.Add(device_ns);
    kernel.mixed |= loose && !exactly;
  }
  // Drawn, not counted: a kernel launched sixteen times a period would be timed at one place only.
  const auto draw = static_cast<std::int32_t>(base::Combine(kernel.id, kernel.samples) % 128);
  const bool always = kernel.samples < kOftenUntil || device_ns >= kAlwaysTimedNs;
  const std::int32_t pause = always ? 0 : kernel.samples < kWarmUntil ? 4 + draw % 24 : 64 + draw;
  kernel.until_sample.store(pause, std::memory_order_relaxed);
  if (counts) Refresh(kernel);
  if (record && counts) {
    kernel.recorded_n += 1;
    kernel.recorded_duration += static_cast<double>(device_ns);
    kernel.offline_duration_ns.store(static_cast<std::int64_t>(kernel.recorded_duration / kernel.recorded_n),
                                     std::memory_order_relaxed);
  }
}

void KernelTable::AddRecordedGap(Kernel& kernel, std::int64_t gap_ns) {
  const std::lock_guard lock(mutex_);
  kernel.recorded_gap_n += 1;
  kernel.recorded_gap += static_cast<double>(std::max<std::int64_t>(0, gap_ns));
  kernel.offline_gap_ns.store(static_cast<std::int64_t>(kernel.recorded_gap / kernel.recorded_gap_n),
                              std::memory_order_relaxed);
}

}  // namespace mortar::predict
