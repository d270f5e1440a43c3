#include "backend/cuda/captures.h"

#include <algorithm>
#include <mutex>

#include "backend/cuda/places.h"

namespace mortar::cuda {

constinit std::atomic<int> open_captures{0};

namespace {

constexpr int kMost = 256;  // chosen: captures open at a time
constinit std::mutex mutex;
struct Capture {
  CUstream origin;
  CUcontext context;
};
constinit Capture captures[kMost] = {};
constinit int count = 0;

template <typename Over>
void Remove(Over over) {
  if (!AnyCapture()) return;
  const std::lock_guard lock(mutex);
  count = static_cast<int>(std::remove_if(captures, captures + count, over) - captures);
  open_captures.store(count);
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
  if (count < kMost) captures[count++] = {origin, context};
  open_captures.store(count);
}

void OnCaptureEnded(CUstream origin) noexcept {
  Remove([=](const Capture& capture) { return capture.origin == origin; });
}

void EndCapturesOf(CUcontext context) noexcept {
  Remove([=](const Capture& capture) { return capture.context == context; });
}

}  // namespace mortar::cuda
