// One event of a Chrome trace, as Kineto of any age and `mortar trace record` write it.
//
// Reads what a recording needs and stops as soon as an event is known to be none of that. One parser a
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/kernel_id.h"

namespace mortar::trace {

enum class EventClass : std::uint8_t {
  kHalf,    // the beginning of a device operation whose end is an event of its own
  kOther,   // nothing that a recording needs
  kKernel,  // on the device
  kCopy,
  kSet,
  kCall,    // of a host thread into the driver
  kSync,    // what a call waited for, from newer profilers (cat cuda_sync)
  kStep,    // a profiler step
  kName,    // of a process or thread
  kFlow,    // forward to backward, ph s and f
  kSubmit,  // of `mortar trace record`, as the two below
  kWait,
  kRequest,
  kLegacy,  // a kernel of the profiler before Kineto: nothing ties it to a call
};

inline constexpr std::int64_t kMissing = INT64_MIN;

// Views are valid until the next event is read.
struct ChromeEvent {
  EventClass what = EventClass::kOther;
  char phase = 0;
  bool measured = true;         // false: the device time is a prediction (kKernel of `mortar trace record`)
  bool predicted_seen = false;  // it says whether it was measured: `mortar trace record` wrote it
  bool shape_known = false;
  bool bad_time = false;  // ts or dur is no number
  std::string_view category, name, pid, tid;
  std::string_view label;  // args.name or args.labels of kName
  std::string_view sync_kind;
  std::int64_t ts_ns = kMissing;
  std::int64_t dur_ns = kMissing;
  std::int64_t correlation = kMissing;
  std::int64_t device = kMissing;
  std::int64_t stream = kMissing;
  std::int64_t bytes = kMissing;
  std::int64_t wait_on_stream = kMissing;
  std::int64_t wait_on_record = kMissing;       // correlation of the call that recorded the event
  std::int64_t submitted_before_ns = kMissing;  // `mortar trace record`
  std::int64_t drawn_late_ns = 0;               // likewise
  std::int64_t drawn_short_ns = 0;              // likewise: ends so much later
  model::LaunchShape shape;
};

class EventParser {
 public:
  EventParser();
  ~EventParser();
  EventParser(const EventParser&) = delete;
  EventParser& operator=(const EventParser&) = delete;

  // `text`: one JSON value, with kCutterPadding readable bytes behind it. Errors: kCorrupt
  // (no JSON), kInvalid (not UTF-8); the cause alone.
  base::Result<ChromeEvent> Parse(std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The devices of a trace's member deviceProperties: number and name. Empty where it is none.
std::vector<std::pair<std::int64_t, std::string>> ParseDeviceProperties(std::string_view text);

// "12.345" microseconds as 12345 ns, exactly; sub-nanosecond digits are rounded. False: no number, or beyond
// what nanoseconds of 64 bits hold.
bool ParseMicroseconds(std::string_view text, std::int64_t* ns);

// "-12" or "stream 12": the number at its end. False: none there.
bool ParseTrailingNumber(std::string_view text, std::int64_t* number);

}  // namespace mortar::trace
