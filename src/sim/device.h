// A simulated device: engines that run operations of streams of several clients.
//
// Streams run in order. An engine runs one operation at a time, whoever's comes first by arrival; operations
// of one program that overlapped when it was recorded may again. Modes: kFifo as said; kSliced: contexts
// (clients) take turns on the compute engine; kOverlap: clients do not notice each other. No interference on
// the chip (SMs, bandwidth, caches) is modelled. One owner (World). Time only moves forward.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "predict/kernels.h"
#include "sim/event_tree.h"
#include "sim/program.h"

namespace mortar::sim {

enum class DeviceKind : std::uint8_t { kFifo, kSliced, kOverlap };

struct DeviceOptions {
  DeviceKind kind = DeviceKind::kFifo;
  Ns slice_ns = 2'000'000;  // kSliced: NVIDIA's default time slice is about 2 ms
  Ns switch_ns = 0;         // kSliced: between two contexts
};

struct LapRun;  // the listener's

struct Queued {
  const Op* op = nullptr;
  LapRun* lap = nullptr;  // that it belongs to: hosts may run ahead of the device by more than one
  Ns arrival_ns = 0;
  predict::Kernel* sampled = nullptr;  // its device time is to be read back
  bool begins_graph = false;           // the first of several of one launch
  std::uint32_t launch = kNone;
  std::uint32_t thread = 0;
  Ns submitted_ns = 0;
  Ns foretold_end_ns = 0;  // 0: nothing was foretold
};

// What happens on the device, told as it happens.
class DeviceListener {
 public:
  virtual ~DeviceListener() = default;
  // `ready_ns`: since when the device would have taken it, had it been free.
  virtual void OnStart(std::uint32_t stream, const Queued& queued, Ns ready_ns, Ns start_ns, Ns end_ns) = 0;
  virtual void OnDone(std::uint32_t stream, const Queued& queued, Ns start_ns, Ns end_ns) = 0;
};

class Device {
 public:
  Device(const DeviceOptions& options, DeviceListener& listener, EventTree& events, std::uint32_t first_actor)
      : options_(options), listener_(listener), events_(events), first_actor_(first_actor) {}

  // Adds a stream of `client`; returns its number on this device, which is the listener's.
  std::uint32_t AddStream(std::uint32_t client, std::uint32_t tag);
  void Submit(std::uint32_t stream, const Queued& queued, Ns now);
  // The operation at the head of `stream` is not blocked by a dependency any more.
  void Unblock(std::uint32_t stream, Ns now);
  // An engine's event is due.
  void Run(int engine, Ns now);

  // Asked when an operation comes to the head of its stream: may it run as far as its dependencies go?
  using ReadyTest = bool (*)(void* context, std::uint32_t tag, const Queued& queued);
  void set_ready_test(ReadyTest test, void* context) {
    ready_test_ = test;
    ready_context_ = context;
  }

  bool used() const { return !streams_.empty(); }
  bool Idle(std::uint32_t client) const;  // nothing of `client` is queued or running
  Ns busy_ns(Ns now) const;               // compute engine
  Ns switch_total_ns() const { return switched_ns_; }

 private:
  struct Stream {
    std::uint32_t client = 0;
    std::uint32_t tag = 0;
    std::vector<Queued> ring = std::vector<Queued>(64);
    std::uint32_t head = 0, tail = 0;  // counted on for ever, modulo ring.size()
    Ns last_end_ns = 0;
    Ns start_ns = 0;      // of the head, while it runs
    Ns remaining_ns = 0;  // of the head: what is left of it
    Ns ready_ns = 0;      // of the head, while it is listed
    bool running = false;
    bool listed = false;  // among its engine's heads
    bool begun = false;   // the head ran before and was interrupted
    const Queued& front() const { return ring[head & (ring.size() - 1)]; }
  };
  struct Running {
    std::uint32_t stream = 0;
    Ns end_ns = 0;
  };
  struct EngineState {
    std::vector<std::uint32_t> heads;  // streams whose head waits for this engine
    std::vector<Running> running;
    Ns blocked_until_ns = 0;  // switching contexts
    std::uint32_t owner = kNone;
    Ns owner_since_ns = 0;
    Ns slice_end_ns = 0;  // 0: nobody else wants a turn
    Ns busy_since_ns = 0;
    Ns busy_ns = 0;
  };

  void ListHead(std::uint32_t stream, Ns now);
  void Complete(EngineState& engine, Ns now);
  void Start(EngineState& engine, std::uint32_t stream, Ns at);
  bool StartNext(EngineState& engine, Ns now, Ns* next);
  bool TakeTurns(EngineState& engine, Ns now, Ns* next);
  void Interrupt(EngineState& engine, Ns now);
  void Schedule(int index, Ns now);

  DeviceOptions options_;
  DeviceListener& listener_;
  EventTree& events_;
  std::uint32_t first_actor_;
  std::vector<Stream> streams_;
  std::array<EngineState, kEngines> engines_;
  ReadyTest ready_test_ = nullptr;
  void* ready_context_ = nullptr;
  Ns switched_ns_ = 0;
};

}  // namespace mortar::sim
