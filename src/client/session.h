// This process as one client of one device's board: slot, kernels, settings, lanes.
//
// Made by Device (client/client.h) and never destroyed: threads of the program may be inside it at any time.
// A forked child makes its own.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <memory>
#include <mutex>
#include <string>

#include "board/board.h"
#include "client/lane.h"
#include "client/options.h"
#include "client/trace_writer.h"
#include "predict/kernels.h"

namespace mortar::client {

class Session {
 public:
  // Opens (or creates) the board of `device` and joins it. Errors: as board::Board::Open and Join give them.
  static base::Result<std::unique_ptr<Session>> Open(const std::string& device, const Options& options,
                                                     predict::KernelTable& kernels);
  Session(board::Board board, board::SlotRef ref, const Options& options, predict::KernelTable& kernels);

  board::Board& board() { return board_; }
  board::Slot& slot() { return board_.slot(ref_.index); }
  int slot_index() const { return ref_.index; }
  predict::KernelTable& kernels() { return kernels_; }
  TraceWriter* trace() { return trace_.get(); }
  bool recording() const { return recording_; }
  bool times_all() const { return recording_ || trace_ != nullptr; }
  // What all of this process's gates on the device share.
  Gate::Shared& shared() { return shared_; }
  Gate::Host& host() { return host_; }

  // The lane of a thread that comes for the first time; kLanes - 1 is shared by those that come late.
  Lane* Attach();
  void Detach(Lane* lane);
  int lanes_in_use() const { return std::popcount(lanes_used_.load(std::memory_order_relaxed)); }

  // Takes a look (system call, rare path): gone, truncated or replaced means lost.
  // `rivals`: clients of the same or a higher priority are in the way of this one; the dead among them are
  // cleared.
  void CheckInPlace(bool rivals);
  bool lost() const { return lost_.load(std::memory_order_relaxed); }
  void set_lost() { lost_.store(true, std::memory_order_relaxed); }
  // Was this program recorded (mortar profile record)? Rare path: looks through all kernels.
  bool HasOfflineMeans() const;
  // What the requests of lane `index` leave to those below (policy::Controller); 0: not known. The board gets
  // the least of all lanes that know. Any thread.
  void AllowInFlight(int index, std::int64_t ns);
  // Device time had, for turns among equals; weight 2 counts half.
  void AddServed(std::uint64_t device_ns);
  // After a rest: a client does not save up turns while it has nothing to submit.
  void CatchUpTurns();
  // The board's copy is for others to read: whatever became of it, it is put right.
  void ForgiveServed(std::uint64_t ns);
  void PublishServed() { slot().counters.served_ns.store(served_.load(std::memory_order_relaxed)); }
  void Leave();

 private:
  board::Board board_;
  board::SlotRef ref_;
  predict::KernelTable& kernels_;
  bool recording_;
  // Threads held at the gate while the process was stopped bring its turns level, as after a rest.
  class Host final : public BoardHost {
   public:
    explicit Host(Session& session) : BoardHost(session.board_), session_(session) {}
    void OnOverslept() override {
      session_.CatchUpTurns();
      session_.PublishServed();
    }
    void OnHeldLong() override { session_.CheckInPlace(/*rivals=*/true); }

   private:
    Session& session_;
  };
  Host host_;
  std::unique_ptr<TraceWriter> trace_;
  Gate::Shared shared_;
  std::atomic<std::uint64_t> served_{0};
  std::array<std::atomic<std::int64_t>, board::kLanes> allowed_in_flight_{};
  std::atomic<std::uint32_t> lanes_used_{0};
  std::atomic<bool> lost_{false};
  std::mutex mutex_;  // lanes_
  std::array<std::unique_ptr<Lane>, board::kLanes> lanes_;
};

}  // namespace mortar::client
