// A recorded program: what it had on the device, and what its host threads did to bring it there.
//
// Plain data, read by ReadRecording (trace/read_recording.h), replayed by the simulator. Any thread may read
// it; nobody changes it once it is read. Not a timeline of several clients (trace/timeline.h), and not a
// measurement of ours: whoever recorded it says what it ran on.
//
// How to replay it in closed loop. Each thread makes its calls in order. Call `c` begins
//   think_ns after the return of `c.after` (which may be a call of another thread: a hand-over),
//   and not before its own thread's previous call has returned;
//   where `after` is kNone, at think_ns from the recording's zero.
// As it begins it puts its operations into their streams. An operation starts at the latest of
//   latency_ns after its call's beginning,
//   dispatch_ns after the end of the operation before it in its stream, and of those that `dependencies`
//   name.
// It returns
//   duration_ns after it began, where it waits for nothing;
//   else at max(begun, done) + tail_ns, and not before it began: done is when all that it waits for has
//   ended.
// A stream runs its operations one after another in the order of submission (`Stream::ops`). Operations
// without a call were submitted before the recording began, or where nobody saw it, and in time for their
// place in the stream: they come at their own recorded instants.
// Replayed alone, every instant of a recording comes out as recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/kernel_id.h"

namespace mortar::trace {

using Index = std::uint32_t;
inline constexpr Index kNone = UINT32_MAX;

// A part of a vector: [first, first + count).
struct Range {
  Index first = 0;
  Index count = 0;
  Index end() const { return first + count; }
};

// What a recording tells. Requires the fields said beside it; the others are empty.
enum class Form : std::uint8_t {
  kClosedLoop = 0,  // host and device: all fields
  kDeviceOnly = 1,  // when each operation ran, not who submitted it: no threads, no calls
  kDurations = 2,   // how long each operation ran, in launch order: starts are sums of the durations before
};

enum class OpKind : std::uint8_t { kKernel = 0, kCopy = 1, kSet = 2 };
enum class CopyPath : std::uint8_t {
  kUnsaid = 0,  // no copy, or not said
  kHostToDevice = 1,
  kDeviceToHost = 2,
  kDeviceToDevice = 3,  // on one device
  kPeerToPeer = 4,
  kHostToHost = 5,
};

// What is launched: a kernel, or a copy or fill of memory, whose shape then holds only its bytes
// (shared_bytes).
struct Identity {
  std::string name;
  model::LaunchShape shape;
  bool shape_known = false;  // false: the recording does not say grid and block; one identity a name
  OpKind kind = OpKind::kKernel;
  CopyPath path = CopyPath::kUnsaid;
  model::KernelId id = 0;  // of name and shape
};

struct Device {
  std::int32_t number = 0;  // as the recording numbers it
  std::string name;         // "NVIDIA A100-PG509-200"; empty: not said
};

struct Stream {
  Index device = 0;
  std::int64_t number = 0;  // as the recording numbers it
  Range ops;                // into Recording::stream_ops: in the order of submission, as it ran
};

// A device operation. All instants are nanoseconds from the recording's zero.
struct Op {
  std::int64_t start_ns = 0;  // on the device
  std::int64_t duration_ns = 0;
  // What of its delay the launch took, and what following another operation took. Only one of the two shows
  // in a recording; the other is then at most the recording's median.
  std::int64_t latency_ns = 0;
  std::int64_t dispatch_ns = 0;
  Index identity = 0;
  Index stream = 0;
  Index call = kNone;  // who submitted it; kNone: before the recording began, or not said

  std::int64_t end_ns() const { return start_ns + duration_ns; }
};

enum class CallKind : std::uint8_t {
  kLaunch = 0,  // one kernel (rarely more); waits only where the launch queue was full
  kGraph = 1,   // a graph launch: any number of operations of any stream, none of them waited for
  kCopy = 2,    // asynchronous, or so short that nothing shows that it waited
  kSet = 3,
  kSyncCopy = 4,  // a copy that returns when it is done
  kWaitDevice = 5,
  kWaitStream = 6,
  kWaitEvent = 7,
  kImplicitWait = 8,  // a call that waited in fact, as one that frees memory
};

// A call by a host thread into the driver that submits or waits. Calls that do neither are part of think
// times.
struct HostCall {
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::int64_t think_ns = 0;  // since the return of `after`; never negative
  // Where it waits: its return minus the later of its beginning and the end of what it waits for. Negative
  // where it returned earlier: a copy from pageable memory returns when the last piece is on its way.
  std::int64_t tail_ns = 0;
  Index after = kNone;    // the call whose return it follows
  Range ops;              // into Recording::ops: what it submitted, ascending by start
  Range waits;            // into Recording::waited: it returns after these operations
  Index name = 0;         // into Recording::call_names
  Index request = kNone;  // the request that it began in
  CallKind kind = CallKind::kLaunch;

  std::int64_t end_ns() const { return start_ns + duration_ns; }
};

struct HostThread {
  std::int64_t process = 0;
  std::int64_t number = 0;
  std::string name;
  Range calls;  // into Recording::calls, ascending by start, none overlapping
};

// An operation that waits on the device for one of another stream (an event between streams).
struct Dependency {
  Index op = 0;
  Index after = 0;
};

// As the program marked it: a profiler step. Ascending, none overlapping.
struct Request {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t number = 0;  // ProfilerStep#12: 12
  Index thread = kNone;     // that marked it; kNone where the thread has no calls
};

// What the file holds and a replay cannot use, or what was inferred and not read: one line a cause.
struct Note {
  std::string what;  // "operations submitted before the recording began: replayed at their recorded instants"
  std::uint64_t count = 0;
  bool left_out = true;  // false: used, but with an assumption that `what` says
};

struct Recording {
  std::string source;    // the file
  std::string recorder;  // "Kineto (CUDA)", "Kineto (ROCm)", "mortar trace record", "kernel list"
  Form form = Form::kClosedLoop;
  std::int64_t zero_ns = 0;  // the recording's zero on the file's own clock: its first call or operation
  std::int64_t end_ns = 0;   // the last end of a call or operation
  std::int64_t median_latency_ns = 0;   // of operations that found their stream idle
  std::int64_t median_dispatch_ns = 0;  // of operations that were there before the one in front of them ended
  std::int64_t resolution_ns = 1;       // of the file's instants; 1000 in older files
  std::vector<std::string> call_names;
  std::vector<Identity> identities;
  std::vector<Device> devices;
  std::vector<Stream> streams;  // by device, then number
  std::vector<Op> ops;  // by call: those of one call side by side; those without a call last, by start
  std::vector<Index> stream_ops;         // see Stream::ops
  std::vector<HostThread> threads;       // by first call
  std::vector<HostCall> calls;           // by thread, then start
  std::vector<Index> waited;             // see HostCall::waits: of each stream waited for, the last operation
  std::vector<Dependency> dependencies;  // by op; `after` was submitted earlier
  std::vector<Request> requests;
  std::vector<Note> notes;
};

}  // namespace mortar::trace
