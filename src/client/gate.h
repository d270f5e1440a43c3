// The gate: holds a submit of a client that is not the holder until its chance comes. The program's own
// thread waits, then makes its own call (principle 1: delay, never queue).
//
// Driven by the thread that submits; nothing of Mortar's is held while it waits. Every wait has a time-out; a
// board that is lost or switched off lets everything pass.
#pragma once

#include <atomic>
#include <cstdint>

#include "board/board.h"
#include "client/claims.h"
#include "client/lane_writer.h"
#include "client/snapshot.h"
#include "policy/floor.h"
#include "policy/own_work.h"
#include "policy/view.h"

namespace mortar::client {

struct Admission {
  std::int64_t at_ns = 0;         // board time of the admission
  std::int64_t until_ns = 0;      // when the submit will have run, as predicted
  std::int64_t held_ns = 0;       // time spent at the gate
  std::int64_t behind_ns = 0;     // how long the device has others' work in front of it, as predicted
  bool fill = false;              // admitted while a higher client was active
  bool floor = false;             // … by its floor, and not because it fitted
  std::uint64_t forgiven_ns = 0;  // of served_ns, which the slot's already is less
  std::uint32_t claims_lost = 0;
  policy::Reason held_for = policy::Reason::kNobodyAbove;  // of the first refusal
};

// One thread at a time.
class Gate {
 public:
  // Clock and sleep, replaced in tests.
  class Host {
   public:
    virtual ~Host() = default;
    virtual std::int64_t NowNs() = 0;
    // Blocks until `until_ns` or until the board's version differs from `version`; may return early.
    virtual void Sleep(std::uint32_t version, std::int64_t until_ns) = 0;
    // The sleep lasted far beyond its end: the process was stopped. Turns that it missed are not to be made
    // up for at its equals' cost; leaves the slot's served_ns as it is to count.
    virtual void OnOverslept() {}
    // A submit has been held for long, and this long again since the last call: whoever it waits for may be
    // dead.
    virtual void OnHeldLong() {}
    static constexpr std::int64_t kHeldLongNs = 10'000'000;  // chosen: a look costs some microseconds
  };

  Gate(const board::Board& board, Host& host, int slot)
      : board_(board), host_(host), slot_(slot), claims_(board.header().fill_until, slot) {}

  // Shared by the threads of a client; read and advanced by Admit.
  struct Shared {
    // policy::OwnWork
    std::atomic<std::int64_t> in_flight_until{0};
    std::atomic<std::int64_t> long_until{0};
    std::atomic<std::uint64_t> long_stream{0};
    std::atomic<std::int64_t> beside_until{0};
    std::atomic<std::int64_t> copy_until{0};
    std::atomic<std::uint64_t> copy_stream{0};

    std::atomic<std::int64_t> floor_due{0};  // policy/floor.h
    std::atomic<std::int64_t> seen{0};       // newest admission
    std::atomic<std::int64_t> lead{0};       // predict::LanePredictor::lead_ns
    policy::OwnWork Own() const;
    // Writes what `change` made different: another thread may be at the rest.
    template <typename Change>
    void ChangeOwn(Change&& change);
    // A wait told that all of it, but copies beside kernels, ends at `until_ns`.
    void OwnEndsAt(std::int64_t until_ns);
  };

  struct Want {
    std::int64_t length_ns = 0;  // predicted device time; 0: unknown
    model::Copies copies = 0;    // one copy engine, of a device that runs it beside kernels
    std::uint64_t stream = 0;
  };
  // Waits until a submit may go, and claims the device for it where that is needed.
  Admission Admit(Watch* watch, LaneWriter* lane, const Want& want, Shared* shared);
  // A wait told that the client's work in flight ends at `until_ns`: if the standing claim is its own and
  // lies further ahead, it is drawn back to then. Without this, predictions that are too long add up from
  // claim to claim.
  void DrawBack(std::int64_t until_ns) { claims_.DrawBack(until_ns); }

 private:
  policy::Ask Compose(const Shared& shared, const Want& want, std::int64_t since_ns,
                      std::int64_t now_ns) const;
  void Look(Watch* watch, std::int64_t now_ns, policy::Ask* ask, std::uint64_t* fill_word);
  void Arrive(std::int64_t now_ns, Shared* shared);
  void Charge(const policy::Ask& ask, const Want& want, const policy::Verdict& verdict,
              const Admission& admission, Shared* shared);

  const board::Board& board_;
  Host& host_;
  int slot_;
  Claims<board::Atomic<std::uint64_t>> claims_;
  policy::View view_;  // scratch: large, and set up once
  policy::RoomSeen room_;
};

// The board's own clock and futex, with a short spin at the end of a sleep.
class BoardHost : public Gate::Host {
 public:
  static constexpr std::int64_t kSpinNs = 50'000;  // issue A: spinning allowed for 50 us

  explicit BoardHost(board::Board& board) : board_(board) {}
  std::int64_t NowNs() override { return board_.NowNs(); }
  void Sleep(std::uint32_t version, std::int64_t until_ns) override;

 private:
  board::Board& board_;
};

}  // namespace mortar::client
