// What a decision is made from: the other clients of a device as one client sees them at one instant.
//
// Plain values, filled by src/client from the board or by the simulator from its own state. Pure data;
// instants are nanoseconds on any one clock. Nothing here blocks, allocates or reads a clock.
#pragma once

#include <array>
#include <cstdint>

#include "model/kernel_id.h"
#include "model/model.h"

namespace mortar::policy {

inline constexpr int kMaxPeers = 64;

// Design: a client whose counters stand still this long is not active under any policy.
inline constexpr std::int64_t kStandstillNs = 100'000'000;
// Design: idle_after is the p99 of a client's gaps within 5 and 50 ms; what says more is not believed.
inline constexpr std::int64_t kIdleAfterAtMostNs = 50'000'000;
// Design: a waiting client whose wake-up is overdue by this much no longer comes first.
inline constexpr std::int64_t kOverdueNs = 50'000;

// Chosen: more than that in flight is allowed to nobody, whatever a client above says.
inline constexpr std::int64_t kMostInFlightNs = 10'000'000;

enum class Doing : std::uint8_t { kRunning, kWaiting, kGated };

// One other client, its lanes merged (see Merge in client/snapshot.h).
struct Peer {
  int slot = 0;
  int priority = model::kLowestPriority;
  Doing doing = Doing::kRunning;
  bool withheld = false;  // its present request is a control: nobody may fill
  bool spent = false;     // harm has used up what it allows: floors yield
  std::int64_t last_activity_ns = 0;
  std::int64_t idle_after_ns = 5'000'000;
  std::int64_t arrived_ns = 0;      // by then its newest submit is in the device's queue
  std::int64_t busy_until_ns = 0;   // the device has work of it until then (predicted)
  std::int64_t next_submit_ns = 0;  // predicted; 0: not known, then it has no gaps
  std::int64_t latest_free_ns = 0;  // the device must be free again by then; 0: no slack known, only the gap
  std::int64_t foretold_gap_ns =
      0;                     // whole gap expected, given how long it has lasted; 0: no such experience
  model::Copies copies = 0;  // the copy engines that it used of late
  std::int64_t pending_length_ns = 0;  // kGated: length of what waits
  std::int64_t wake_at_ns = 0;         // kGated
  std::uint64_t served_ns = 0;         // device time had, weighted; equals take turns by it
};

struct Settings {
  model::PolicyId policy = model::PolicyId::kFill;
  model::DeviceMode mode = model::DeviceMode::kFifo;
  bool off = false;
  std::int64_t switch_cost_ns = 0;
  std::int64_t in_flight_bound_ns = 200'000;  // design: harmless in replay, whatever is above
  std::int64_t margin_ns = 0;
  std::int64_t quantum_ns = 2'000'000;  // chosen: equals' turns (`exclusive`: ten times as long)
};

struct View {
  std::int64_t now_ns = 0;
  std::int64_t fill_until_ns = 0;  // the last claim on the board, another client's; 0 if past or absent
  Settings settings;
  std::int64_t allowed_in_flight_ns = 0;  // the least that any client above allows; 0: not known
  int count = 0;
  std::array<Peer, kMaxPeers> peers;  // active slots but the asker's; only [0, count) is set
};

// What the asking client wants to submit.
struct Ask {
  int priority = model::kLowestPriority;
  model::Copies copies = 0;            // one copy engine: the device runs it beside kernels
  std::int64_t length_ns = 0;          // predicted device time; 0: not known
  std::int64_t assumed_length_ns = 0;  // used in its place where length_ns is 0
  std::int64_t own_until_ns = 0;       // when the asker's own submits in flight end, as predicted
  std::int64_t long_until_ns = 0;     // of these, a kernel longer than the bound (policy/own_work.h); 0: none
  bool beside_long = false;           // asked on another stream than that one's
  std::int64_t beside_until_ns = 0;   // when what already runs beside it ends
  std::int64_t lead_ns = 0;           // from a submit to its start on an idle device
  std::int64_t waiting_since_ns = 0;  // 0: first look
  std::uint64_t served_ns = 0;
  std::uint32_t floor_share_ppm = 0;  // --min-share; 0: none
  bool floor_first = false;
  std::int64_t floor_due_ns = 0;   // see policy/floor.h
  std::int64_t floor_room_ns = 0;  // the largest room seen lately
};

enum class Action : std::uint8_t {
  kGo,    // submit now; nobody above is active
  kFill,  // submit now, as a fill: first claim the device until `until_ns`
  kWait,  // look again at `wake_at_ns`, or when the board changes
};

enum class Reason : std::uint8_t {
  kNobodyAbove,
  kShared,
  kFits,
  kInFlight,    // own work in flight reaches the bound
  kEqualsTurn,  // an equal has had less device time
  kHolderBusy,
  kNoGap,         // too long for what is left of the gap or slack
  kBetterPlaced,  // another waiting client comes first
  kWithheld,
  kExclusive,
  kBeside,  // a copy, on an engine that nobody above uses
  kOff,
  kFloor,        // no gap or slack fits, but its share is below its floor
  kFloorYields,  // it would, but harm has used up what a client above allows
};
const char* ReasonName(Reason reason);

struct Verdict {
  Action action = Action::kGo;
  Reason reason = Reason::kNobodyAbove;
  std::int64_t until_ns = 0;  // kGo and kFill: when it, and what it runs beside, will have run, as predicted
  std::int64_t wake_at_ns = 0;  // kWait
  std::int64_t end_ns = 0;      // kGo and kFill: when it will have run itself
  // kEqualsTurn: the asker's served_ns is to be so much less (rule.h, EqualsTurn).
  std::uint64_t forgiven_ns = 0;
};

}  // namespace mortar::policy
