// The simulated device's time: a discrete model that says when what programs submitted starts and ends. Pure:
// no clock, no lock, no allocation; one caller at a time (simcuda/shared has the lock and the clock).
//
// The state is exact as of one instant and is moved on by Advance, as often or as seldom as one likes: the
// outcome depends on what was submitted when, and not on who looked when. What ends when is not known at
// submit, since other contexts' later work takes turns with it; EarliestEnd says from when on it is worth
// looking.
//
//   Submit --> kQueued --> kReady ------> kRunning --> kDone --> (notice taken) --> free
//               first of    an engine       ^    |       |
//               its stream, takes it        |    |       +--> free at once where nobody wants a notice
//               nothing to                  +----+
//               wait for                  turn over: goes on from where it was in the context's next turn
//
// Streams run in order. A legacy default stream's command waits for all earlier ones of its context's
// blocking streams, and later ones of these wait for it. Kernels: in one turn (kMerged: of all contexts) they
// run side by side while their occupancies add up to kWhole, in the order of their streams' priorities, then
// of becoming ready, and none overtakes one that does not fit yet; kFifo: one at a time, by becoming ready
// alone. kSliced: a context's turn ends with its work, or after a slice while others have work; changing
// contexts costs switch_ns. A copy engine takes one copy at a time, whoever's, by becoming ready. Kernels
// side by side do not slow each other down.
//
// Not here: how long things take (simcuda/device), what they compute (simcuda/driver).
#pragma once

#include "simcuda/timeline/state.h"

namespace mortar::simcuda {

struct Work {
  WorkKind kind = WorkKind::kNothing;
  Ns duration_ns = 0;
  Ns latency_ns = 0;  // from the call to the earliest start
  std::int32_t occupancy = kWhole;
  std::uint8_t engine = 0;  // kCopy: 0 to the device, 1 from it
  CommandId wait{};         // another command that must be done first
  Index event = kNone;      // recorded by this command
  bool keep = false;        // tell its end by a notice
  std::uint64_t tag = 0;    // comes back with the notice
};

// That a command is done, or that a kHost command's function is to be called.
struct Notice {
  CommandId id;
  std::uint64_t tag = 0;
  bool call = false;  // kHost: call, then FinishHost
  Ns at_ns = 0;
};

class Timeline {
 public:
  explicit Timeline(State& state) : s_(state) {}

  static void Initialise(State* state, const Parameters& parameters, Ns now_ns);

  // Objects. kNone: no room.
  Index AddContext(std::int32_t pid);
  // With all it owns; its commands end here, undone, and whoever waits for them goes on.
  void RemoveContext(Index context);
  Index AddStream(Index context, StreamKind kind, std::int32_t priority);
  void ReleaseStream(Index stream);  // its commands still run
  Index AddEvent(Index context);
  void ReleaseEvent(Index event);

  // False: the device has not as much left.
  bool Allocate(Index context, std::uint64_t bytes);
  void Free(Index context, std::uint64_t bytes);
  std::uint64_t FreeBytes() const {
    return s_.memory_bytes < s_.parameters.memory_bytes ? s_.parameters.memory_bytes - s_.memory_bytes : 0;
  }

  // Puts `work` behind what is in the stream. REQUIRES: Advance(now_ns) before. No sequence: the stream or
  // the device has no room; wait for an earlier command and try again.
  CommandId Submit(Index stream, const Work& work);

  // Moves the state on; an instant that has passed changes nothing.
  void Advance(Ns now_ns);
  Ns now_ns() const { return s_.at_ns; }

  // A kHost command's function has returned. REQUIRES: Advance(now) before.
  void FinishHost(CommandId id);
  // How many commands have ended or become due, of all contexts.
  std::uint64_t Ended() const { return s_.last_done; }
  // The next notice of `context`, in the order in which things happened. False: none.
  bool PopNotice(Index context, Notice* notice);

  // When that is, among the notices of all contexts; 0: there is none.
  std::uint64_t NextNoticeOrder(Index context) const;

  bool IsDone(CommandId id) const;
  // Nothing is left in the blocking streams of `context`, which its legacy default stream waits for.
  bool BlockingAreIdle(Index context) const;
  // The last command in a stream, or none where it is empty.
  CommandId LastOf(Index stream) const;
  // The oldest command of a stream, for waiting until there is room.
  CommandId FirstOf(Index stream) const;
  // The last commands of the busy streams of a context; returns how many there are, writes at most `most`.
  Index LastOfContext(Index context, CommandId* ids, Index most) const;
  // Whether `event` is the one that had `serial`, and its own.
  bool IsEvent(Index event, std::uint64_t serial) const {
    return event < kEvents && s_.events[event].context != kNone && s_.events[event].serial == serial;
  }
  std::uint64_t SerialOf(Index event) const { return s_.events[event].serial; }
  // The latest record of an event; done, where it was never recorded.
  CommandId RecordOf(Index event) const { return s_.events[event].record; }
  bool WasRecorded(Index event) const { return s_.events[event].record.sequence != 0; }
  // REQUIRES: its record is done.
  Ns EndOfEvent(Index event) const { return s_.events[event].end_ns; }

  // An instant before which `id` cannot be done; kNever where only the program (a host function) can move it
  // on.
  Ns EarliestEnd(CommandId id) const;
  // When something next happens on the device if nothing is submitted; kNever: nothing will.
  Ns NextInstant() const;

  // Makes all lists anew from the records, dropping what is not whole. After a caller died at work.
  void Repair();

 private:
  Stream& StreamOf(const Command& command) const { return s_.streams[command.stream]; }
  void MakeBusy(Index stream);
  void MakeIdle(Index stream);
  void FreeCommand(Index slot);
  void AppendNotice(Index slot);
  void DropStream(Index stream);
  Index NextCall(Index context) const;
  Index NextNotice(Index context) const;

  // advance.cc: what happens at at_ns. Those that answer bool: something changed.
  void Settle();
  bool EndFinished();
  bool MarkReady();
  bool MayStart(const Command& command) const;
  bool BarrierPassed(const Command& command) const;
  void Complete(Index slot);
  bool TakeTurns();
  void BeginTurn(Index context);
  bool HasKernel(Index context) const;
  Index NextContextWithKernel() const;
  bool StartKernels();
  bool StartCopies();
  Index NextReady(WorkKind kind, std::uint8_t engine) const;
  bool Goes(const Command& command, const Command& before) const;
  void PassTime(Ns until_ns);
  // Repair's steps.
  bool IsWhole(const Command& command) const;
  void RelinkCommands();

  State& s_;
};

}  // namespace mortar::simcuda
