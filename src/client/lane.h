// One submitting thread of this process as a client of one device: what a backend calls around the driver's
// calls.
//
//   ticket = lane->BeforeSubmit(…);  status = driver's call;      (may block at the gate; never on the
//   holder's path) lane->EnterWait();  status = driver's wait;  lane->LeaveWait(sequence covered);
//
// Owned by its thread. The last lane of a session is shared by all further threads: they take its mutex.
// On the holder's path BeforeSubmit takes no lock, no system call, no memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/random.h"
#include "client/gate.h"
#include "policy/controller.h"
#include "predict/lane.h"

namespace mortar::client {

class Session;

struct Launch {
  predict::Kernel* kernel = nullptr;  // null: not known and not to be learned (the table is full)
  std::uint64_t stream = 0;
  bool ordered = true;
  model::Copies copies = 0;  // the copy engines that it may use
  bool gated = true;         // false: a call that must not be held (from a driver's callback)
};

// What the program itself says of its requests (client/hints.h).
enum class Mark { kRequestBegin, kRequestEnd, kMinibatchBegin, kMinibatchEnd };

struct Ticket {
  std::uint64_t sequence = 0;  // of this submit on its lane; 0: nothing is tracked
  std::int64_t at_ns = 0;      // board time
  bool sample = false;         // read this launch's device time back
  bool behind = false;         // others' work is in front of it on the device, as predicted
  bool fill = false;           // passed the gate: flush it, so that it runs when it was admitted
};

class Lane {
 public:
  Lane(Session& session, int index, std::uint64_t seed);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  Ticket BeforeSubmit(const Launch& launch);
  void EnterWait();
  // The wait returned and covered this lane's submits up to `covered`; kAll: all of them; 0: none that is
  // known.
  static constexpr std::uint64_t kAll = ~std::uint64_t{0};
  void LeaveWait(std::uint64_t covered);
  void OnInvisibleWait() { predictor_.OnInvisibleWait(); }
  // Are there clients that this one's submits may have to wait for? Never on the lane that several threads
  // share.
  bool HasRivals();
  // Counts for nothing on the lane that several threads share: whose request it is would not be known.
  void TakeMark(Mark mark);

  // Device time of a launch; for tracing also when it ran (board time; 0: unknown) and, if that is known, its
  // ticket's at_ns. `loose`: as in predict::KernelTable::AddSample.
  void AddSample(predict::Kernel& kernel, std::int64_t device_ns, std::int64_t began_ns,
                 std::int64_t submitted_ns = 0, bool loose = false);

  int index() const { return index_; }
  Session& session() { return session_; }
  // The thread is gone: sums are handed in and the board's line cleared.
  void Retire();

 private:
  friend class Session;
  Ticket Submit(const Launch& launch);
  // How a submit came by the gate, or without one.
  struct Passed {
    std::int64_t at_ns = 0;
    std::int64_t until_ns = 0;       // when it will have run, as predicted; 0: not gated
    std::int64_t not_before_ns = 0;  // as predict::Submission
    std::int64_t held_ns = 0;
    std::int64_t fill_until_ns = 0;
    bool fill_is_floor = false;
    bool behind = false;  // others' work is in front of it
    bool filled = false;  // while a higher client was active
  };
  Passed PassGate(const Launch& launch, bool offline);
  void TraceSubmit(const Ticket& ticket, const predict::Kernel* kernel, std::int64_t end_ns, bool filled);
  void Refresh();
  void OnEndedRequest();
  void Flush();
  void PublishLadders();
  void Report();

  Session& session_;
  int index_;
  bool shared_;
  std::mutex mutex_;  // the shared lane's
  predict::LanePredictor predictor_;
  policy::Controller controller_;
  LaneWriter writer_;
  Gate gate_;
  Watch watch_;
  // By which harm has been counted.
  model::PolicyId policy_ = model::PolicyId::kFill;
  bool off_ = false;
  base::Random random_;
  std::int64_t wait_began_ = 0;
  std::int64_t last_activity_ = 0;
  std::int64_t checked_at_ = 0;
  bool in_request_ = false;  // as marked
  bool in_minibatch_ = false;
  std::int64_t minibatch_began_ = 0;
  std::int64_t idle_after_ = 0;  // published
  // Not yet on the board.
  struct Pending {
    std::uint64_t submits = 0, gated = 0, gated_ns = 0, fills = 0, fill_ns = 0, device_ns = 0, waits = 0,
                  wait_ns = 0, requests = 0, request_ns = 0, harm_ns = 0, controls = 0, control_ns = 0,
                  claims_lost = 0, floors = 0, floor_ns = 0, floor_harm_ns = 0;
  } pending_;
};

}  // namespace mortar::client
