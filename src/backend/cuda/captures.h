// Which captures are open: while there are any, submits are asked for one by one whether they are captured.
//
// Any thread. Without an open capture a submit pays one load.
#pragma once

#include <atomic>

#include "backend/cuda/driver.h"

namespace mortar::cuda {

extern std::atomic<int> open_captures;

inline bool AnyCapture() { return open_captures.load(std::memory_order_relaxed) != 0; }

// Is `stream` being captured, or forbidden to be used now because another is? Then nothing of ours
// goes near it.
bool IsCaptured(CUstream stream) noexcept;

// One more of `origin`, an explicit handle; by the calling thread where that means the thread's own stream.
void OnCaptureBegun(CUstream origin) noexcept;
// The newest of them is over. False: there is none.
bool OnCaptureEnded(CUstream origin) noexcept;
// Those of a context are over with it. Null: none.
void EndCapturesOf(CUcontext context) noexcept;

// While one lives, calls of ours from this thread do not count as unsafe for captures that other
// threads have open.
class RelaxedScope {
 public:
  RelaxedScope() { changed_ = Exchange(&mode_); }
  ~RelaxedScope() {
    if (changed_) Exchange(&mode_);
  }
  RelaxedScope(const RelaxedScope&) = delete;
  RelaxedScope& operator=(const RelaxedScope&) = delete;

 private:
  static bool Exchange(int* mode) {
    return Real<Symbol::cuThreadExchangeStreamCaptureMode>()(mode) == CUDA_SUCCESS;
  }
  int mode_ = CU_STREAM_CAPTURE_MODE_RELAXED;
  bool changed_ = false;
};

}  // namespace mortar::cuda
