// What a recording comes to, in numbers: for the paragraph and the JSON that `mortar trace record` prints.
//
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trace/spool.h"
#include "trace/timeline.h"

namespace mortar::trace {

struct ClientSummary {
  std::string name, device, policy;
  std::int32_t pid = 0;
  int priority = 0;
  std::uint64_t kernels = 0, measured = 0, fills = 0;
  std::int64_t device_ns = 0;  // measured where it was, else predicted
  std::uint64_t waits = 0, held = 0, requests = 0, controls = 0;
  std::int64_t wait_ns = 0, held_ns = 0, request_ns = 0;
  std::int64_t harm_ns = 0;     // modelled, over all waits
  std::int64_t gap_ns = 0;      // nothing of it on the device
  std::int64_t others_ns = 0;   // of those gaps, used by others
  std::uint64_t not_drawn = 0;  // more at once than a timeline shows
  Unusable unusable;
};

// Measured kernels of two clients at the same time. A device that runs one kernel at a time has none beyond
// the jitter of clocks.
struct Overlap {
  std::uint64_t count = 0;
  std::int64_t total_ns = 0;
  std::int64_t longest_ns = 0;
  std::int64_t longest_at_ns = 0;  // from the recording's first event
};

struct BoardSummary {
  std::string device;
  std::int64_t busy_ns = 0;
  std::int64_t span_ns = 0;  // from the first kernel's begin to the last one's end
  Overlap overlap;
};

struct Summary {
  std::vector<ClientSummary> clients;
  std::vector<BoardSummary> boards;
  std::int64_t span_ns = 0;
  std::vector<std::string> unreadable;
};

Summary Summarize(const SpoolSet& recording, const Timeline& timeline);

}  // namespace mortar::trace
