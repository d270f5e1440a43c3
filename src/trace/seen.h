// What a file shows of a recorded program, in the order read: readers fill it, Assemble makes a Recording of
// it.
//
// Plain data; instants are nanoseconds on the file's own clock. Nothing is paired, ordered or checked yet but
// that instants lie within ±kFarthestNs and lengths within 0…kFarthestNs (ParseMicroseconds sees to it).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "trace/recording.h"

namespace mortar::trace {

inline constexpr std::int64_t kFarthestNs = 4'000'000'000'000'000'000;
inline constexpr std::int64_t kNoCorrelation = INT64_MIN;
inline constexpr Index kMostStreams = 4096;   // chosen: PyTorch has 32 a device and priority
inline constexpr Index kMostThreads = 65536;  // chosen: beyond it numbers are no threads'

// What a call is, by its name.
enum class CallClass : std::uint8_t {
  kUnknown,  // submits if an operation names it
  kUseless,  // neither submits nor waits, whatever happens
  kLaunch,
  kGraph,
  kCopy,
  kSyncCopy,
  kSet,
  kWaitDevice,
  kWaitStream,
  kWaitEvent,
  kMayWait,      // frees memory: waits for the device where the driver must
  kRecordEvent,  // marks a place in a stream
  kStreamWait,   // makes a stream wait for such a mark
};
CallClass ClassifyCall(std::string_view name);

struct SeenOp {
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::int64_t correlation = kNoCorrelation;
  Index name = 0;   // into Seen::op_names
  Index shape = 0;  // into Seen::shapes
  Index stream = 0;
  std::uint32_t line = 0;
  OpKind kind = OpKind::kKernel;
  CopyPath path = CopyPath::kUnsaid;
  bool pageable = false;  // a copy from or to memory that the driver stages
};

struct SeenCall {
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::int64_t correlation = kNoCorrelation;
  Index name = 0;  // into Seen::call_names
  Index thread = 0;
  Index shape = 0;  // ROCm writes a launch's shape here
  std::uint32_t line = 0;
};

// What the profiler itself says that a call waited for.
struct SeenSync {
  std::int64_t correlation = kNoCorrelation;
  std::int64_t record = kNoCorrelation;  // correlation of the call that recorded the event waited for
  Index stream = kNone;                  // that waits, or that the host waits for
  Index wait_on = kNone;                 // the event's stream
};

struct SeenThread {
  std::int64_t process = 0;
  std::int64_t number = 0;
  std::string name;
  bool hands_over = false;  // a flow from forward to backward passes begins or ends here
};

struct SeenStep {
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::int64_t number = 0;
  Index thread = 0;
};

// Strings by number, each once.
class Names {
 public:
  Index Of(std::string_view name);
  const std::vector<std::string>& all() const { return names_; }
  std::vector<std::string> Take() { return std::move(names_); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, Index, Hash, std::equal_to<>> index_;
  std::vector<std::string> names_;
};

// Launch shapes by number, each once; 0: not said.
class Shapes {
 public:
  Index Of(const model::LaunchShape& shape);
  const std::vector<model::LaunchShape>& all() const { return shapes_; }

 private:
  std::unordered_map<std::uint64_t, std::vector<Index>> index_;
  std::vector<model::LaunchShape> shapes_{{}};
};

struct Seen {
  std::string source;
  std::string recorder;
  Names op_names;
  Names call_names;
  Shapes shapes;
  std::vector<Device> devices;
  std::vector<Stream> streams;  // device: into devices
  std::vector<SeenThread> threads;
  std::vector<SeenOp> ops;
  std::vector<SeenCall> calls;
  std::vector<SeenSync> syncs;
  std::vector<SeenStep> steps;
  std::vector<Note> notes;
  bool device_only = false;  // the user wants the device's times alone
};

// Orders, pairs and checks what was seen, infers what waits for what, and makes the recording. Errors:
// kInvalid and kCorrupt, each naming the source and the line where there is one: nothing on the device, no
// operation tied to a call, a clock that jumps, calls of a thread that overlap.
base::Result<Recording> Assemble(Seen seen);

}  // namespace mortar::trace
