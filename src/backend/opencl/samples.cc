#include "backend/opencl/samples.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "backend/opencl/layer.h"

namespace mortar::opencl {
namespace {

struct Sample {
  cl_event event;
  predict::Kernel* kernel;
  const client::Session* session;  // whose kernel it is
  std::int64_t at_ns;
};
constexpr int kMost = 256;

// How far a device's clock is ahead of the board's. A launch is queued on the device's clock a little after
// its at_ns, so the least difference seen is the truest; it is allowed to grow as clocks drift apart.
struct DeviceClock {
  const client::Session* session = nullptr;
  std::int64_t ahead_ns = 0;
  std::int64_t at_ns = 0;
};
constexpr int kClocks = 8;  // chosen: devices of one process whose clocks are followed
constexpr std::int64_t kDriftPerSecondNs = 50'000;  // chosen: 50 ppm, more than crystals drift

constinit std::mutex mutex;
constinit Sample samples[kMost] = {};
constinit int count = 0;
constinit std::atomic<int> pending{0};  // `count`, readable without the mutex
constinit DeviceClock clocks[kClocks] = {};

bool Complete(cl_event event) {
  cl_int status = CL_QUEUED;
  return next.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr) !=
             CL_SUCCESS ||
         status <= CL_COMPLETE;
}

// Returns the clock's lead after one more observation; the observation itself where too many devices are in
// use.
std::int64_t FollowClock(const client::Session* session, std::int64_t queued_ns, std::int64_t at_ns) {
  const std::lock_guard lock(mutex);
  const std::int64_t seen = queued_ns - at_ns;
  for (DeviceClock& clock : clocks) {
    if (clock.session == nullptr) clock = {session, seen, at_ns};
    if (clock.session != session) continue;
    const std::int64_t drift =
        std::max<std::int64_t>(0, at_ns - clock.at_ns) / 1'000'000 * kDriftPerSecondNs / 1000;
    clock.ahead_ns = std::min(clock.ahead_ns + drift, seen);
    clock.at_ns = std::max(clock.at_ns, at_ns);
    return clock.ahead_ns;
  }
  return seen;
}

void Read(const Sample& sample, client::Lane* lane) {
  cl_ulong queued = 0;
  cl_ulong start = 0;
  cl_ulong end = 0;
  const auto ask = [&](cl_profiling_info what, cl_ulong* ns) {
    return next.clGetEventProfilingInfo(sample.event, what, sizeof *ns, ns, nullptr) == CL_SUCCESS;
  };
  if (!ask(CL_PROFILING_COMMAND_START, &start) || !ask(CL_PROFILING_COMMAND_END, &end) || end < start) return;
  // The device's clock is tied to ours at the instant of queueing, which both saw.
  std::int64_t began = 0;
  if (ask(CL_PROFILING_COMMAND_QUEUED, &queued) && queued <= start) {
    began = static_cast<std::int64_t>(start) -
            FollowClock(sample.session, static_cast<std::int64_t>(queued), sample.at_ns);
  }
  lane->AddSample(*sample.kernel, static_cast<std::int64_t>(end - start), began, sample.at_ns);
}

}  // namespace

void AddSample(cl_event event, client::Lane* lane, predict::Kernel* kernel, std::int64_t at_ns) noexcept {
  if (pending.load(std::memory_order_relaxed) >= kMost / 2) CollectSamples(lane);
  {
    const std::lock_guard lock(mutex);
    if (count < kMost) {
      samples[count++] = {event, kernel, &lane->session(), at_ns};
      pending.store(count, std::memory_order_relaxed);
      return;
    }
  }
  next.clReleaseEvent(event);
}

void CollectSamples(client::Lane* lane) noexcept {
  if (pending.load(std::memory_order_relaxed) == 0) return;
  Sample done[kMost];
  int done_count = 0;
  {
    const std::unique_lock lock(mutex, std::try_to_lock);
    if (!lock.owns_lock()) return;
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      if (samples[i].session == &lane->session() && Complete(samples[i].event)) {
        done[done_count++] = samples[i];
      } else {
        samples[kept++] = samples[i];
      }
    }
    count = kept;
    pending.store(kept, std::memory_order_relaxed);
  }
  for (int i = 0; i < done_count; ++i) {
    Read(done[i], lane);
    next.clReleaseEvent(done[i].event);
  }
}

cl_uint OurReferences(cl_event event) noexcept {
  if (pending.load(std::memory_order_relaxed) == 0) return 0;
  const std::lock_guard lock(mutex);
  cl_uint ours = 0;
  for (int i = 0; i < count; ++i) ours += samples[i].event == event ? 1 : 0;
  return ours;
}

}  // namespace mortar::opencl
