// Launches whose device time is being read back: two events of ours around a sampled launch, looked at
// again at waits.
//
// Only sampled launches come here (predict/kernels.h: WantSample). Events come from pools that are filled at
// waits, where the program has time. Nothing here touches a stream that is being captured, and nothing while
// any capture is open.
#pragma once

#include <atomic>
#include <cstdint>

#include "client/session.h"
#include "cuda/api/types.h"

namespace mortar::cuda {

// Some pool wants events: until a wait has brought them, launches go unsampled.
extern std::atomic<bool> events_wanted;
inline bool CanSample(const client::Session& session) {
  return session.times_all() || !events_wanted.load(std::memory_order_relaxed);
}

// One launch being sampled, from before its call to after it.
class SampledLaunch {
 public:
  // Records the first event. `may_make`: events may be made now (a recording run).
  SampledLaunch(CUstream stream, bool may_make) noexcept;
  // Records the second one and keeps both; or gives them back if the launch failed.
  void Finish(CUresult status, client::Lane* lane, predict::Kernel* kernel, std::int64_t at_ns) noexcept;

 private:
  CUstream stream_;
  CUcontext context_ = nullptr;
  CUevent begin_ = nullptr, end_ = nullptr;
  bool idle_ = false;  // nothing was on the stream: the launch itself lies between the events
  std::int64_t called_ns_ = 0;
};

// Reads what is complete and fills the pool of the thread's context. `lane`: whose thread this is.
void CollectSamples(client::Lane* lane) noexcept;

// `context` will be destroyed, and our events with it. Null: whichever that may be.
void DropSamples(CUcontext context) noexcept;

}  // namespace mortar::cuda
