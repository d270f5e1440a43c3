// For tests of this folder and of the backends alone: other clients of a board, played by the test.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include "board/board.h"
#include "client/lane_writer.h"

namespace mortar::client {

// A client of the board of `device` in `directory` with one lane, which shows what the test lets it publish.
// One thread at a time.
class FakePeer {
 public:
  FakePeer(const std::string& directory, const std::string& device, const std::string& name,
           std::uint32_t priority) {
    auto board = board::Board::Open(directory, device, /*create=*/true);
    if (!board.ok()) return;
    board_ = std::move(*board);
    board::JoinRequest request;
    request.name = name;
    request.priority = priority;
    const auto ref = board_.Join(request);
    if (!ref.ok()) return;
    ref_ = *ref;
    slot().lanes_used.store(1);
  }
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;
  ~FakePeer() { Leave(); }

  bool joined() const { return ref_.index >= 0; }
  int index() const { return ref_.index; }
  board::Board& board() { return board_; }
  board::Slot& slot() { return board_.slot(ref_.index); }
  LaneWriter writer(int lane = 0) { return LaneWriter(&slot().lanes[lane]); }
  void Leave() {
    if (joined()) board_.Leave(ref_);
    ref_ = {};
  }

 private:
  board::Board board_;
  board::SlotRef ref_;
};

// A peer that is active without any gap, from Start until Stop: whoever is below it is held under every
// policy but `share`. A thread keeps it so, since activity expires (design: time heals).
class BusyPeer {
 public:
  BusyPeer(const std::string& directory, const std::string& device, std::uint32_t priority)
      : peer_(directory, device, "busy", priority) {
    if (!peer_.joined()) return;
    Publish();
    thread_ = std::thread([this] {
      while (!over_.load()) {
        Publish();
        usleep(1000);
      }
    });
  }
  BusyPeer(const BusyPeer&) = delete;
  BusyPeer& operator=(const BusyPeer&) = delete;
  ~BusyPeer() { Stop(); }

  FakePeer& peer() { return peer_; }
  bool joined() const { return peer_.joined(); }
  // It leaves the board.
  void Stop() {
    over_.store(true);
    if (thread_.joinable()) thread_.join();
    peer_.Leave();
  }

 private:
  void Publish() {
    const std::int64_t now = peer_.board().NowNs();
    // No next submit foretold: no gap. Busy for longer than any stall of this thread.
    peer_.writer().Publish(board::kLaneRunning, now, {.busy_until_ns = now + 1'000'000'000});
  }

  FakePeer peer_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// Blocks until `lane` is held at the gate, or `for_ms` passed (then false).
inline bool AwaitGated(const board::Lane& lane, int for_ms = 20'000) {
  for (int i = 0; i < for_ms * 2; ++i) {
    if ((lane.flags.load() & board::kLaneStateMask) == board::kLaneGated) return true;
    usleep(500);
  }
  return false;
}

}  // namespace mortar::client
