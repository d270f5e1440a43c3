#include "backend/cuda/captures.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>

#include "backend/cuda/places.h"

namespace mortar::cuda {

constinit std::atomic<int> open_captures{0};

namespace {

constexpr int kMost = 256;  // chosen: captures open at a time
constinit std::mutex mutex;
struct Capture {
  CUstream origin = nullptr;
  pthread_t thread{};  // whose stream it is, where the handle says only that
  CUcontext context = nullptr;
};
constinit Capture captures[kMost] = {};
constinit int count = 0;

pthread_t OwnerOf(CUstream origin) { return origin == kPerThreadStream ? pthread_self() : pthread_t{}; }

// REQUIRES: the mutex held. In the order in which they began.
void Remove(Capture* capture) {
  std::copy(capture + 1, captures + count, capture);
  open_captures.store(--count);
}

}  // namespace

bool IsCaptured(CUstream stream) noexcept {
  int status = CU_STREAM_CAPTURE_STATUS_NONE;
  return Real<Symbol::cuStreamIsCapturing>()(stream, &status) != CUDA_SUCCESS ||
         status != CU_STREAM_CAPTURE_STATUS_NONE;
}

void OnCaptureBegun(CUstream origin) noexcept {
  CUcontext context = CurrentContext();
  const std::lock_guard lock(mutex);
  if (count < kMost) captures[count++] = {origin, OwnerOf(origin), context};
  open_captures.store(count);
}

bool OnCaptureEnded(CUstream origin) noexcept {
  if (!AnyCapture()) return false;
  const std::lock_guard lock(mutex);
  for (int i = count; i-- > 0;) {
    if (captures[i].origin != origin || pthread_equal(captures[i].thread, OwnerOf(origin)) == 0) continue;
    Remove(&captures[i]);
    return true;
  }
  return false;
}

void EndCapturesOf(CUcontext context) noexcept {
  if (context == nullptr || !AnyCapture()) return;
  const std::lock_guard lock(mutex);
  for (int i = count; i-- > 0;) {
    if (captures[i].context == context) Remove(&captures[i]);
  }
}

}  // namespace mortar::cuda
