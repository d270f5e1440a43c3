// The board: the one memory-mapped file a device that all of its clients share. This header is its layout.
//
//   file: [ Header | Slot 0 | Slot 1 | … | Slot 63 ]          all multi-byte fields in the machine's byte
//   order
//
// State of a slot (actor on each edge; `generation` is odd while the slot is in use):
//
//            joiner, holding the slot's lock          joiner: all fields written
//    kFree ----------------------------------> kJoining ----------------------------> kActive
//      ^                                          |                                      |
//      |      anyone holding the slot's lock      |        owner (leave), or anyone      |
//      +------------------------------------------+<-------holding the slot's lock-------+
//             (owner died: lock was free)                  (owner died); generation += 1
//
// Who may touch what stands beside each field: "owner" is the client in the slot, "any" every process that
// may open the file. Readers treat everything as untrusted: copy once, check, then use. Instants are board
// nanoseconds (base::ClockScale in the header); 0, and anything more than kFarAheadNs ahead of now, means
// absent.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/memory.h"

namespace mortar::board {

inline constexpr std::uint64_t kMagic = 0x31445242'5452414dULL;  // "MARTBRD1"
inline constexpr std::uint32_t kLayoutVersion = 2;
inline constexpr int kSlots = 64;    // chosen: one bitmap word
inline constexpr int kLanes = 8;     // chosen: submitting threads with a line of their own
inline constexpr int kLadders = 16;  // chosen: classes of gaps a client tells apart for others
inline constexpr int kRungs = 16;
inline constexpr std::int64_t kFirstRungNs = 16'384;         // rung r: gaps that lasted kFirstRungNs << r
inline constexpr std::int64_t kFarAheadNs = 10'000'000'000;  // design: further ahead counts as absent

template <typename T>
using Atomic = base::MachineMemory::Atomic<T>;
static_assert(Atomic<std::uint64_t>::is_always_lock_free && Atomic<std::uint32_t>::is_always_lock_free);

enum SlotState : std::uint32_t { kFree = 0, kJoining = 1, kActive = 2 };

// What a lane's thread is doing; part of Lane::flags.
enum LaneState : std::uint32_t {
  kLaneUnused = 0,
  kLaneRunning = 1,  // between submits, in the program
  kLaneWaiting = 2,  // in a call that waits for the device
  kLaneGated = 3,    // held by Mortar; `pending_*` tell for what
};
inline constexpr std::uint32_t kLaneStateMask = 0x3;
inline constexpr std::uint32_t kLaneWithheld = 0x4;   // this request is a control: no fills
inline constexpr std::uint32_t kLaneSpent = 0x8;      // harm has used up what the client allows: floors yield
inline constexpr std::uint32_t kLaneCopiesShift = 4;  // bits 4…6: model::Copies used of late
inline constexpr std::uint32_t kLaneLadderShift = 8;  // bits 8…15: which ladder foretells this gap

// One cache line, written by one thread of the owner (the last lane: by any of its further threads, under a
// lock of the process), read by all. Writers make `sequence` odd, store, make it even; readers retry a few
// times and then take the lane as absent, so a writer that died half-way costs nothing (it expires by
// last_activity_ns): sequence_lock.h. `Memory` is the machine's but in tests of the protocol.
template <typename Memory>
struct alignas(64) BasicLane {
  template <typename T>
  using Atomic = typename Memory::template Atomic<T>;

  Atomic<std::uint32_t> sequence;
  Atomic<std::uint32_t> flags;          // LaneState | kLaneWithheld | kLaneSpent | copies, ladder, shifted
  Atomic<std::int64_t> busy_until_ns;   // device has work of this lane until then (predicted)
  Atomic<std::int64_t> next_submit_ns;  // predicted
  Atomic<std::int64_t>
      latest_free_ns;  // device must be free again by then for this lane's next wait; 0: no slack
  Atomic<std::int64_t> last_activity_ns;   // last submit, or entry or return of a wait
  Atomic<std::int64_t> pending_length_ns;  // kLaneGated: predicted device time of what waits
  Atomic<std::int64_t> arrived_ns;         // by then the newest submit is in the device's queue (predicted)
  Atomic<std::int64_t> wake_at_ns;         // kLaneGated: when its thread looks again
};
using Lane = BasicLane<base::MachineMemory>;
static_assert(sizeof(Lane) == 64);

// Among the gaps of one class that lasted kFirstRungNs << r, the whole length expected, in microseconds; 0:
// unknown.
struct alignas(64) Ladder {
  Atomic<std::uint32_t> length_us[kRungs];  // owner writes, relaxed: each entry stands alone
};
static_assert(sizeof(Ladder) == 64);

// Monotone sums since joining. Owner adds (relaxed, from any of its threads, at waits); any reads.
struct alignas(64) Counters {
  Atomic<std::uint64_t> submits;
  Atomic<std::uint64_t> gated;      // submits that were held at least once
  Atomic<std::uint64_t> gated_ns;   // time held
  Atomic<std::uint64_t> fills;      // submits admitted while a higher client was active
  Atomic<std::uint64_t> fill_ns;    // their predicted device time
  Atomic<std::uint64_t> device_ns;  // predicted device time of all submits
  Atomic<std::uint64_t> waits;
  Atomic<std::uint64_t> wait_ns;
  Atomic<std::uint64_t> requests;  // with fills allowed
  Atomic<std::uint64_t> request_ns;
  Atomic<std::uint64_t> harm_ns;   // modelled, over `requests`
  Atomic<std::uint64_t> controls;  // requests with fills withheld
  Atomic<std::uint64_t> control_ns;
  Atomic<std::uint64_t> claims_lost;    // given up as too late, or lost to another
  Atomic<std::uint64_t> sampled;        // submits whose device time was read back
  Atomic<std::uint64_t> served_ns;      // weighted device time (virtual time): equals take turns by it
  Atomic<std::uint64_t> floors;         // of `fills`: admitted because the share was below its floor
  Atomic<std::uint64_t> floor_ns;       // of `fill_ns`
  Atomic<std::uint64_t> floor_harm_ns;  // modelled, by floor fills of others, over `requests`; beside harm_ns
  Atomic<std::uint64_t> refused;        // allocations refused because of memory_limit
};

// What the owner reports of itself now and then (floats as bits would tear nothing: each is one word).
struct alignas(64) Report {
  Atomic<std::int32_t> measured_slowdown_ppm;  // mean over controls; INT32_MIN: not yet known
  Atomic<std::int32_t> measured_low_ppm;       // 95 % interval
  Atomic<std::int32_t> measured_high_ppm;
  Atomic<std::uint32_t> caution_permille;  // controller: 0 bold … 1000 no fills
  Atomic<std::uint64_t> period_submits;    // submits in one request or iteration; 0: no pattern
  Atomic<std::uint64_t> period_ns;
  Atomic<std::uint64_t> kernels_known;
  Atomic<std::uint64_t> minibatches;  // as marked by the program; monotone sums
  Atomic<std::uint64_t> minibatch_ns;
  Atomic<std::uint64_t> memory;  // bytes of device memory held, as far as allocations are seen
};
static_assert(sizeof(Report) == 64);

enum SlotFlags : std::uint32_t { kSlotFloorFirst = 1 };

struct alignas(64) Slot {
  // Line 0: rarely written, so that readers keep it in cache.
  Atomic<std::uint32_t> generation;        // whoever holds the slot's lock
  Atomic<std::uint32_t> state;             // SlotState; whoever holds the slot's lock
  Atomic<std::int32_t> pid;                // owner, in its own pid namespace
  Atomic<std::uint32_t> priority;          // 0…9; owner at join, any later (`mortar set`)
  Atomic<std::uint32_t> lanes_used;        // bitmap; owner
  Atomic<std::uint32_t> max_slowdown_ppm;  // owner at join, any later
  Atomic<std::uint32_t> weight_permille;   // among equals; owner at join, any later
  Atomic<std::uint32_t> flags;             // SlotFlags; owner at join, any later
  Atomic<std::int64_t> idle_after_ns;      // owner: p99 of its gaps within 5…50 ms
  Atomic<std::int64_t> joined_at_ns;       // owner
  Atomic<std::uint64_t> memory_limit;      // bytes of device memory; 0: no limit; owner at join, any later
  Atomic<std::uint32_t>
      min_share_ppm;  // floor under its share of device time; 0: none; owner at join, any later
  Atomic<std::uint32_t> allowed_in_flight_us;  // of clients below; owner, at a request's end; 0: not known
  Atomic<char> name[64];                       // NUL-terminated, UTF-8; owner at join
  Counters counters;
  Report report;
  Ladder ladders[kLadders];
  Lane lanes[kLanes];
};
static_assert(sizeof(Slot) % 64 == 0 && alignof(Slot) == 64);

// fill_until: slot (6 bits) | floor (1 bit) | sequence (9 bits) | time in units of 64 ns (48 bits, 208 days).
// Changed by compare-and-swap alone: a client that claims the device for a fill, or that gives its claim up.
inline constexpr int kFillTimeBits = 48;
inline constexpr int kFillUnitShift = 6;

struct alignas(64) Header {
  // Written once by the creator, before the file gets its name.
  Atomic<std::uint64_t> magic;
  Atomic<std::uint32_t> layout_version;
  Atomic<std::uint32_t> header_size;
  Atomic<std::uint64_t> file_size;
  Atomic<std::uint32_t> clock_kind;  // base::ClockKind
  Atomic<std::uint32_t> clock_shift;
  Atomic<std::uint64_t> clock_multiplier;
  Atomic<std::uint64_t> clock_base;
  Atomic<std::uint64_t> boot_id;         // hash of /proc/sys/kernel/random/boot_id
  Atomic<std::uint64_t> time_namespace;  // inode of /proc/self/ns/time; checked with the monotonic clock

  // Settings: any writes, then bumps `version`.
  alignas(64) Atomic<std::uint32_t> policy;  // model::PolicyId
  Atomic<std::uint32_t> device_mode;         // model::DeviceMode
  Atomic<std::uint32_t> off;                 // 1: every submit passes
  Atomic<std::uint32_t> spare_setting;
  Atomic<std::int64_t> switch_cost_ns;
  Atomic<std::int64_t> in_flight_bound_ns;  // design: 200 us
  Atomic<std::int64_t> margin_ns;           // added to every fill
  Atomic<char> device[64];                  // what the file is named after; creator

  alignas(64) Atomic<std::uint32_t> version;  // futex; any bumps it on join, leave, new setting, off
  Atomic<std::uint64_t> active;               // bitmap of slots in use; joiners and leavers

  alignas(64) Atomic<std::uint64_t> fill_until;
  Atomic<std::uint32_t> sleepers;  // how many wait on `version` (nobody: no wake call); away from the line
                                   // that a holder reads at every submit
};

struct Layout {
  Header header;
  Slot slots[kSlots];
};
inline constexpr std::size_t kFileSize = (sizeof(Layout) + 4095) / 4096 * 4096;

}  // namespace mortar::board
