// What one simulated device knows at one instant: plain data of fixed size, so that all processes that use
// the device can keep it in one file. Only Timeline (timeline.h) reads or writes it, one caller at a time.
//
//   contexts  one a CUDA context of any process, with its pid
//   streams   of a context; a stream with commands is in the list of busy streams
//   commands  what was submitted and is not done, in each stream's list; free ones in the free list
//   events    the latest record of each CUDA event
//
// Links are indices (kNone: none) and every list can be made anew from the records (Repair): a process that
// dies while it holds the lock leaves nothing that others cannot go on from. Instants are nanoseconds of
// whatever clock the caller uses, always the same.
#pragma once

#include <cstdint>
#include <type_traits>

namespace mortar::simcuda {

using Ns = std::int64_t;
using Index = std::uint32_t;
inline constexpr Index kNone = 0xffffffffU;
inline constexpr Ns kNever = INT64_MAX;

// Chosen: more than programs that share a device use; a state is about 1.5 MB.
inline constexpr Index kContexts = 256;
inline constexpr Index kStreams = 2048;
inline constexpr Index kEvents = 16384;
inline constexpr Index kCommands = 8192;
inline constexpr Index kStreamDepth = 1024;  // commands in one stream; CUDA's launches block at about as many
inline constexpr std::int32_t kWhole = 1000;  // occupancy of a kernel that fills the device

enum class StreamKind : std::uint8_t { kFree, kLegacy, kBlocking, kNonBlocking };
enum class WorkKind : std::uint8_t {
  kKernel,   // takes its part of the compute engine
  kCopy,     // takes a copy engine
  kNothing,  // takes no time: event records, waits, markers
  kHost,     // a function of the program: until FinishHost
};
enum class CommandState : std::uint8_t { kQueued, kReady, kRunning, kDone };

struct CommandId {
  Index slot = kNone;
  std::uint64_t sequence = 0;  // 0: none; rises with every submit on the device
};

struct Command {
  std::uint64_t sequence;  // 0: free. Written last when a command is made
  std::uint64_t tag;       // the submitter's own
  CommandId wait;          // must be done first
  Ns earliest_ns;          // not before this instant
  Ns remaining_ns;
  Ns ready_ns;  // since when nothing but the engine was missing
  Ns end_ns;
  std::uint64_t done_order;  // kDone, kHost's call: rises in the order in which they happen
  Index stream;
  Index context;
  Index event;  // to be stamped at the end, or kNone
  Index next;   // in its stream's, its context's notices' or the free list
  std::int32_t occupancy;
  WorkKind kind;
  CommandState state;
  std::uint8_t engine;  // kCopy: which
  bool keep;            // its end becomes a notice
  bool told;            // kHost: its call was
};

struct Stream {
  Index context;
  Index first;  // commands, oldest first
  Index last;
  Index depth;
  Index previous_busy;
  Index next_busy;
  std::int32_t priority;  // lower goes first, as CUDA's
  StreamKind kind;
  bool released;  // freed when it is empty
};

struct Event {
  Index context;  // kNone: free
  CommandId record;
  Ns end_ns;             // of the latest record, where that is done
  std::uint64_t serial;  // no two events have the same
};

struct Context {
  std::int32_t pid;  // 0: free
  Index first_notice;
  Index last_notice;
  std::uint64_t memory_bytes;
  std::uint64_t busy_ns;  // sum of its commands' lengths on engines
};

enum class Sharing : std::uint8_t { kFifo, kSliced, kMerged };

struct Parameters {
  Sharing sharing = Sharing::kSliced;
  Ns slice_ns = 2'000'000;
  Ns switch_ns = 0;
  std::uint64_t memory_bytes = 0;
  std::uint32_t copy_engines = 2;
};

struct State {
  Parameters parameters;
  Ns at_ns;  // all below is as of this instant; never goes back
  std::uint64_t last_sequence;
  std::uint64_t last_done;
  std::uint64_t memory_bytes;  // allocated, of all contexts
  // The compute engine, where contexts take turns.
  Index owner;     // whose turn it is, or was last
  bool turn;       // it is
  Ns switched_ns;  // kernels start from here on
  Ns slice_end_ns;
  std::uint64_t switches;

  Index free_command;
  Index first_busy;  // stream
  Context contexts[kContexts];
  Stream streams[kStreams];
  Event events[kEvents];
  Command commands[kCommands];
};
static_assert(std::is_trivially_copyable_v<State> && std::is_standard_layout_v<State>);

}  // namespace mortar::simcuda
