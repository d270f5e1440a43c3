#include "backend/cuda/stream_use.h"

#include <unistd.h>

#include <array>

namespace mortar::cuda {

constinit std::atomic<bool> cuts_copies{false};

namespace {

constexpr std::size_t kUses = 1024;
constexpr int kWaitsForPieces = 1000;  // chosen: of 100 us each; then time has healed it (principle 4)
constinit std::array<StreamUse, kUses> uses = {};

}  // namespace

StreamUse& StreamUse::Of(CUstream stream, const client::Lane* lane) noexcept {
  const std::uint64_t own = stream == kPerThreadStream ? std::bit_cast<std::uintptr_t>(lane) : 0;
  return uses[base::Mix(NumberOf(stream) ^ base::Mix(own)) % kUses];
}

void StreamUse::Enter(const client::Lane* lane) noexcept {
  users_.fetch_add(1);
  const client::Lane* other = in_pieces_.load();
  if (other == nullptr || other == lane) [[likely]]
    return;
  users_.fetch_sub(1);
  waiters_.fetch_add(1);
  for (int i = 0; i < kWaitsForPieces && in_pieces_.load() == other; ++i) usleep(100);
  // Nobody waits for these again.
  EndPieces(other);
  waiters_.fetch_sub(1);
  users_.fetch_add(1);
}

void StreamUse::EndPieces(const client::Lane* lane) noexcept {
  in_pieces_.compare_exchange_strong(lane, nullptr);
}

bool StreamUse::BeginPieces(const client::Lane* lane) noexcept {
  const client::Lane* none = nullptr;
  if (!in_pieces_.compare_exchange_strong(none, lane)) return false;
  if (users_.load() == 0 && waiters_.load() == 0) return true;
  EndPieces(lane);
  return false;
}

}  // namespace mortar::cuda
