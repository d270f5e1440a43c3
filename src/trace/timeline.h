// A recording as tracks: what each client had on the device, waited for, was held for, and left idle.
//
// Pure. Instants are nanoseconds from the recording's first event, the same zero for all clients. Measured
// device times are told from predicted ones throughout. Harm is modelled (design: Harm), never a measurement.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/rows.h"
#include "trace/spool.h"

namespace mortar::trace {

struct Kernel : Slice {  // a submit's time on the device; copies and fills of memory as well
  std::uint64_t id = 0;
  std::int64_t submitted_ns = 0;
  std::int64_t predicted_ns = 0;  // its length, as predicted when it was submitted; 0: not known
  std::uint32_t lane = 0;
  bool submitted = true;  // false: its submit is not in the recording
  bool measured = false;  // false: begin and end are predictions
  bool fill = false;      // ran while a client of higher priority was active
};

struct Gap : Slice {           // the client has nothing on the device
  std::int64_t others_ns = 0;  // of it, used by other clients
};

struct Span : Slice {  // a wait, a time at the gate or a request
  std::uint32_t lane = 0;
  std::uint32_t detail = 0;  // at the gate: policy::Reason; request: 1 control
  std::uint64_t id = 0;      // at the gate: of the kernel
  std::int64_t harm_ns = 0;  // wait, request
};

struct ClientTimeline {
  std::uint32_t board = 0;      // clients of the same board share a device and a clock
  std::vector<Kernel> kernels;  // ascending by begin, as all below
  std::vector<Gap> gaps;
  std::vector<Span> waits, held, requests;  // ascending by lane, then begin
  std::uint64_t not_drawn = 0;              // more at once than kMostRows
};

struct Timeline {
  std::vector<ClientTimeline> clients;  // as in the recording
  std::int64_t end_ns = 0;
  // Of each board: what to add to its instants, minus the recording's first event.
  std::vector<std::int64_t> shifts_ns;
};

inline constexpr std::int64_t kLeastGapNs = 1000;
// Chosen: a measured begin is off by what passes between Mortar's look at the clock and the driver's.
inline constexpr std::int64_t kJitterNs = 20'000;

Timeline BuildTimeline(const std::vector<Client>& clients);

// Disjoint, ascending times in which any of `kernels` (ascending by begin) was on the device.
std::vector<Slice> BusyTimes(const std::vector<const Kernel*>& kernels);

}  // namespace mortar::trace
