#include "backend/cuda/samples.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "backend/cuda/captures.h"
#include "backend/cuda/places.h"
#include "base/clock.h"
#include "client/session.h"

namespace mortar::cuda {

constinit std::atomic<bool> events_wanted{true};

namespace {

constexpr int kPools = 32;      // chosen: contexts of one process that are sampled
constexpr int kPoolSize = 512;  // events
constexpr int kFirstFill = 32;
constexpr int kMost = 1024;             // samples under way
constexpr std::int64_t kLeastNs = 500;  // an event's resolution, as the interface documents it

struct Pool {
  CUcontext context = nullptr;
  int count = 0;
  int wanted = kFirstFill;  // doubles when the pool ran dry
  CUevent events[kPoolSize] = {};
};

struct Sample {
  CUcontext context = nullptr;
  CUevent begin = nullptr, end = nullptr;
  predict::Kernel* kernel = nullptr;         // null: of no interest any more
  const client::Session* session = nullptr;  // whose kernel it is
  std::int64_t at_ns = 0;
  std::int64_t overhead_ns = 0;  // host time that lies between the events and is not the kernel's
  bool idle = false;             // nothing was on the stream: the way to the device lies between them too
};

constinit std::mutex mutex;  // all below
constinit Pool pools[kPools];
constinit Sample samples[kMost] = {};
constinit int count = 0;
constinit std::atomic<int> pending{0};  // `count`, readable without the mutex

Pool* PoolOf(CUcontext context) {
  for (Pool& pool : pools) {
    if (pool.context == nullptr) pool.context = context;
    if (pool.context == context) return &pool;
  }
  return nullptr;
}

bool TakeTwo(CUcontext context, CUevent* begin, CUevent* end) {
  const std::lock_guard lock(mutex);
  Pool* pool = PoolOf(context);
  if (pool == nullptr) return false;
  if (pool->count < 2) {
    if (!events_wanted.exchange(true)) pool->wanted = std::min(pool->wanted * 2, kPoolSize);
    return false;
  }
  *begin = pool->events[--pool->count];
  *end = pool->events[--pool->count];
  return true;
}

// REQUIRES: the mutex held.
void PutBack(CUcontext context, CUevent event, CUevent* surplus, int* surplus_count) {
  Pool* pool = PoolOf(context);
  if (pool != nullptr && pool->count < kPoolSize) {
    pool->events[pool->count++] = event;
  } else {
    surplus[(*surplus_count)++] = event;
  }
}

// Nulls are passed over.
void GiveBack(CUcontext context, CUevent begin, CUevent end) {
  CUevent surplus[2];
  int surplus_count = 0;
  {
    const std::lock_guard lock(mutex);
    if (begin != nullptr) PutBack(context, begin, surplus, &surplus_count);
    if (end != nullptr) PutBack(context, end, surplus, &surplus_count);
  }
  for (int i = 0; i < surplus_count; ++i) Real<Symbol::cuEventDestroy_v2>()(surplus[i]);
}

// Off the submit path: the calling thread waits or has waited.
void FillPool() {
  if (!events_wanted.load(std::memory_order_relaxed)) return;
  CUcontext context = CurrentContext();
  if (context == nullptr) return;
  events_wanted.store(false, std::memory_order_relaxed);
  int missing = 0;
  {
    const std::lock_guard lock(mutex);
    const Pool* pool = PoolOf(context);
    if (pool != nullptr) missing = pool->wanted - pool->count;
  }
  for (; missing > 0; --missing) {
    CUevent event = nullptr;
    if (Real<Symbol::cuEventCreate>()(&event, CU_EVENT_DEFAULT) != CUDA_SUCCESS) break;
    GiveBack(context, event, nullptr);
  }
}

std::int64_t BetweenNs(CUevent begin, CUevent end) {
  float milliseconds = 0;
  if (Real<Symbol::cuEventElapsedTime>()(&milliseconds, begin, end) != CUDA_SUCCESS) return -1;
  return static_cast<std::int64_t>(static_cast<double>(milliseconds) * 1e6);
}

// Ties a context's events to the board's clock, for traces. An event happens on the device no earlier than
// the submit that it was recorded at, so the latest instant that this leaves for the first event is the
// truest; it may move back as clocks drift apart. Events tell only how far apart two of them are, in a float:
// the first is replaced before that grows coarse.
struct DeviceClock {
  CUcontext context = nullptr;
  CUevent base = nullptr;  // taken from the pool
  std::int64_t base_ns = 0, seen_ns = 0;
};
constexpr int kClocks = 8;                          // chosen: contexts that are traced
constexpr std::int64_t kRenewNs = 1'000'000'000;    // a float's millisecond is then good to 60 ns
constexpr std::int64_t kDriftPerSecondNs = 50'000;  // chosen: 50 ppm, more than crystals drift
constinit DeviceClock clocks[kClocks];

// When `sample` began, on the board's clock; 0: not known. The event that is no longer needed stands in its
// `begin` afterwards, null if none is. REQUIRES: the mutex held.
std::int64_t Follow(Sample* sample) {
  for (DeviceClock& clock : clocks) {
    if (clock.context == nullptr) {
      clock = {sample->context, std::exchange(sample->begin, nullptr), sample->at_ns, sample->at_ns};
      return sample->at_ns;
    }
    if (clock.context != sample->context) continue;
    const std::int64_t since = BetweenNs(clock.base, sample->begin);
    if (since < 0) return 0;
    const std::int64_t drift =
        std::max<std::int64_t>(0, sample->at_ns - clock.seen_ns) / 1'000'000 * kDriftPerSecondNs / 1000;
    clock.base_ns = std::max(clock.base_ns - drift, sample->at_ns - since);
    clock.seen_ns = std::max(clock.seen_ns, sample->at_ns);
    const std::int64_t began_ns = clock.base_ns + since;
    if (since > kRenewNs) {
      std::swap(clock.base, sample->begin);
      clock.base_ns = began_ns;
    }
    return began_ns;
  }
  return 0;
}

void Read(Sample sample, client::Lane* lane) {
  const std::int64_t elapsed = sample.kernel != nullptr ? BetweenNs(sample.begin, sample.end) : -1;
  std::int64_t began_ns = 0;
  if (elapsed >= 0 && lane->session().trace() != nullptr) {
    const std::lock_guard lock(mutex);
    began_ns = Follow(&sample);
    if (began_ns != 0) began_ns += sample.overhead_ns;
  }
  if (elapsed >= 0) {
    lane->AddSample(*sample.kernel, std::max(elapsed - sample.overhead_ns, kLeastNs), began_ns, sample.at_ns,
                    sample.idle);
  }
  GiveBack(sample.context, sample.begin, sample.end);
}

// Takes those samples out whose launches are over. REQUIRES: a RelaxedScope.
int TakeDone(const client::Session* session, Sample* done, int most) {
  const std::unique_lock lock(mutex, std::try_to_lock);
  if (!lock.owns_lock()) return 0;
  int kept = 0;
  int taken = 0;
  for (int i = 0; i < count; ++i) {
    // Nobody comes for what the client of a lost board left behind: only its events are of use.
    if (samples[i].session->lost())
      samples[i] = {.context = samples[i].context,
                    .begin = samples[i].begin,
                    .end = samples[i].end,
                    .session = session};
    const bool ours = samples[i].session == session && taken < most;
    if (ours && Real<Symbol::cuEventQuery>()(samples[i].end) != CUDA_ERROR_NOT_READY) {
      done[taken++] = samples[i];
    } else {
      samples[kept++] = samples[i];
    }
  }
  count = kept;
  pending.store(kept, std::memory_order_relaxed);
  return taken;
}

}  // namespace

SampledLaunch::SampledLaunch(CUstream stream, bool may_make) noexcept
    : stream_(stream), context_(CurrentContext()) {
  if (context_ == nullptr) return;
  if (!TakeTwo(context_, &begin_, &end_)) {
    if (!may_make || Real<Symbol::cuEventCreate>()(&begin_, CU_EVENT_DEFAULT) != CUDA_SUCCESS) return;
    if (Real<Symbol::cuEventCreate>()(&end_, CU_EVENT_DEFAULT) != CUDA_SUCCESS) {
      GiveBack(context_, std::exchange(begin_, nullptr), nullptr);
      return;
    }
  }
  {
    const RelaxedScope scope;
    idle_ = Real<Symbol::cuStreamQuery>()(stream_) == CUDA_SUCCESS;
  }
  if (Real<Symbol::cuEventRecord>()(begin_, stream_) != CUDA_SUCCESS) {
    GiveBack(context_, std::exchange(begin_, nullptr), end_);
    return;
  }
  called_ns_ = base::MonotonicNs();
}

void SampledLaunch::Finish(CUresult status, client::Lane* lane, predict::Kernel* kernel,
                           std::int64_t at_ns) noexcept {
  if (begin_ == nullptr) return;
  const std::int64_t overhead_ns = idle_ ? base::MonotonicNs() - called_ns_ : 0;
  if (status == CUDA_SUCCESS && Real<Symbol::cuEventRecord>()(end_, stream_) == CUDA_SUCCESS) {
    const std::lock_guard lock(mutex);
    if (count < kMost) {
      samples[count++] = {context_, begin_, end_, kernel, &lane->session(), at_ns, overhead_ns, idle_};
      pending.store(count, std::memory_order_relaxed);
      return;
    }
  }
  GiveBack(context_, begin_, end_);
}

void CollectSamples(client::Lane* lane) noexcept {
  const bool any = pending.load(std::memory_order_relaxed) != 0;
  if (!any && !events_wanted.load(std::memory_order_relaxed)) return;
  if (AnyCapture()) return;
  const RelaxedScope scope;
  FillPool();
  if (!any) return;
  constexpr int kAtOnce = 64;
  Sample done[kAtOnce];
  int taken = kAtOnce;
  while (taken == kAtOnce) {
    taken = TakeDone(&lane->session(), done, kAtOnce);
    for (int i = 0; i < taken; ++i) Read(done[i], lane);
  }
}

void DropSamples(CUcontext context) noexcept {
  const auto gone = [context](CUcontext other) { return context == nullptr || other == context; };
  // The events still stand: they are destroyed first, for the context may outlive the call.
  constexpr int kAtOnce = 64;
  CUevent events[kAtOnce];
  int taken = kAtOnce;
  while (taken == kAtOnce) {
    taken = 0;
    {
      const std::lock_guard lock(mutex);
      for (Pool& pool : pools) {
        while (gone(pool.context) && pool.count > 0 && taken < kAtOnce)
          events[taken++] = pool.events[--pool.count];
      }
      for (int i = 0; i < count && taken + 2 <= kAtOnce;) {
        if (!gone(samples[i].context)) {
          ++i;
          continue;
        }
        events[taken++] = samples[i].begin;
        events[taken++] = samples[i].end;
        samples[i] = samples[--count];
      }
      pending.store(count, std::memory_order_relaxed);
      for (DeviceClock& clock : clocks) {
        if (!gone(clock.context) || taken == kAtOnce) continue;
        if (clock.base != nullptr) events[taken++] = clock.base;
        clock = {};
      }
      if (taken + 1 == kAtOnce) ++taken, events[kAtOnce - 1] = nullptr;  // a pair did not fit: once more
    }
    for (int i = 0; i < taken; ++i) {
      if (events[i] != nullptr) Real<Symbol::cuEventDestroy_v2>()(events[i]);
    }
  }
  events_wanted.store(true, std::memory_order_relaxed);
}

}  // namespace mortar::cuda
