#include "backend/opencl/samples.h"

#include <atomic>
#include <mutex>

#include "backend/opencl/layer.h"

namespace mortar::opencl {
namespace {

struct Sample {
  cl_event event;
  predict::Kernel* kernel;
  std::int64_t at_ns;
};
constexpr int kMost = 256;

constinit std::mutex mutex;
constinit Sample samples[kMost] = {};
constinit int count = 0;
constinit std::atomic<int> pending{0};  // `count`, readable without the mutex

bool Complete(cl_event event) {
  cl_int status = CL_QUEUED;
  return next.clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr) !=
             CL_SUCCESS ||
         status <= CL_COMPLETE;
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
  const bool tied = ask(CL_PROFILING_COMMAND_QUEUED, &queued) && queued <= start;
  lane->AddSample(*sample.kernel, static_cast<std::int64_t>(end - start),
                  tied ? sample.at_ns + static_cast<std::int64_t>(start - queued) : 0, sample.at_ns);
}

}  // namespace

void AddSample(cl_event event, client::Lane* lane, predict::Kernel* kernel, std::int64_t at_ns) noexcept {
  if (pending.load(std::memory_order_relaxed) >= kMost / 2) CollectSamples(lane);
  {
    const std::lock_guard lock(mutex);
    if (count < kMost) {
      samples[count++] = {event, kernel, at_ns};
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
      if (Complete(samples[i].event)) {
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
