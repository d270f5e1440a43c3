// Who submits to a stream just now, so that no other thread's command comes between two pieces of a copy
// (pieces.h), as it could not come into the middle of a copy.
//
// Any thread. Only where the client asked for pieces; else a submit pays one load.
#pragma once

#include <atomic>

#include "backend/cuda/places.h"

namespace mortar::cuda {

// Set once, where the client asked for pieces: only then submits look at who else is on their stream.
extern std::atomic<bool> cuts_copies;
inline bool CutsCopies() { return cuts_copies.load(std::memory_order_relaxed); }

// Who submits to a stream just now. Fixed number; streams that share one wait for each other for nothing. Any
// thread; everything seq_cst: of a thread that enters and one that begins pieces one sees the other.
class StreamUse {
 public:
  // Of `stream`; the default stream of each thread is its own.
  static StreamUse& Of(CUstream stream, const client::Lane* lane) noexcept;

  // Around the driver's call of every submit. Waits, 100 ms at most, for pieces of another thread.
  void Enter(const client::Lane* lane) noexcept;
  void Leave() noexcept { users_.fetch_sub(1); }
  // False: another thread is in the middle of a submit, or has pieces under way.
  bool BeginPieces(const client::Lane* lane) noexcept;
  void EndPieces(const client::Lane* lane) noexcept;
  // Somebody waits for the pieces.
  bool awaited() const noexcept { return waiters_.load() != 0; }

 private:
  std::atomic<int> users_{0};
  std::atomic<int> waiters_{0};
  std::atomic<const client::Lane*> in_pieces_{nullptr};
};

class StreamUseScope {
 public:
  StreamUseScope(CUstream stream, const client::Lane* lane) noexcept
      : use_(CutsCopies() ? &StreamUse::Of(stream, lane) : nullptr) {
    if (use_ != nullptr) [[unlikely]]
      use_->Enter(lane);
  }
  ~StreamUseScope() {
    if (use_ != nullptr) [[unlikely]]
      use_->Leave();
  }
  StreamUseScope(const StreamUseScope&) = delete;
  StreamUseScope& operator=(const StreamUseScope&) = delete;

 private:
  StreamUse* use_;
};

}  // namespace mortar::cuda
