// Inside a run: clients, their threads and lanes, and the loop that moves time from event to event.
//
// Internal to src/sim; use run.h. One owner, one thread. host.cc steps host threads, gate.cc admits submits
// under the live policies as client/gate.cc and client/lane.cc do, gate_own.cc under the simulator's own;
// gate_view.cc is what clients see of each other.
#pragma once

#include <memory>
#include <vector>

#include "base/histogram.h"
#include "base/random.h"
#include "policy/controller.h"
#include "policy/floor.h"
#include "policy/lanes.h"
#include "policy/own_work.h"
#include "policy/rule.h"
#include "predict/lane.h"
#include "sim/device.h"
#include "sim/event_tree.h"
#include "sim/run.h"
#include "sim/yardstick.h"

namespace mortar::sim {

enum class ThreadState : std::uint8_t {
  kCall,    // its event: a call begins
  kGate,    // its event: look again
  kWait,    // waits for the device; no event
  kReturn,  // its event: the wait returns
  kToken,   // waits for a call of another thread; no event
  kMark,    // its event: a mark that waits for everything
  kJoin,    // its part of the lap is done; no event
  kOver,    // no further arrivals
};

struct LaneState {
  LaneState(predict::KernelTable& kernels, std::uint64_t seed, double limit)
      : predictor(kernels, seed), controller(limit), random(seed + 1) {
    predictor.set_caution(controller.caution());
    predictor.set_spent(controller.spent());
  }
  predict::LanePredictor predictor;
  policy::Controller controller;
  base::Random random;
  policy::LaneNews news;
  bool used = false;
  Ns last_activity = 0;
  Ns allowed_in_flight = 0;  // published
  Ns foretold_submit = 0;    // published at the last submit
};

struct Target {
  std::uint32_t stream = 0;  // of the client
  std::uint64_t count = 0;   // completed operations
};

struct ThreadData {
  std::uint32_t client = 0;
  std::uint32_t actor = 0;
  std::uint32_t index = 0;  // in its client
  ThreadState state = ThreadState::kJoin;
  std::uint32_t pc = 0;
  Ns returned = 0;    // of the step before
  Ns began = 0;       // the present call
  Ns held_since = 0;  // at the gate
  bool spins = false;
  bool waits_its_turn = false;     // at the gate, because of others who wait
  const Step* step = nullptr;      // at the gate: what waits there
  policy::Ask ask;                 // the same, as last looked at
  std::uint64_t asked_as_of = 0;   // ClientData::changes when it was made
  std::uint32_t excluder = kNone;  // rank of the client that alone keeps it there; kNone: not one alone
  bool refused = false;
  std::uint32_t refused_for = 0;  // policy::Reason of the first refusal
  Ns granted = 0;                 // yardsticks: the submit goes then
  Ns extra = 0;                   // host time of the present call's decision
  std::vector<Target> targets;
  std::uint64_t jitter_key = 0;
  LaneState* lane = nullptr;  // its client's
};

// One run through a program, for as long as operations of it are queued.
struct LapRun {
  const Lap* lap = nullptr;
  std::vector<std::uint64_t> bases;  // by stream: operations submitted before it
  std::uint64_t queued = 0;
};

struct StreamData {
  std::uint32_t device = 0;
  std::uint32_t number = 0;  // on that device
  std::uint64_t submitted = 0;
  std::uint64_t completed = 0;
  std::vector<std::uint64_t> sequences;  // by operation of this lap: of its launch, on its lane
  bool watched = false;                  // a thread of the client waits for it
  Ns running_end = 0;                    // of the operation that runs, if nothing can interrupt it
};

// On one device: somebody's fill runs until then.
struct Claim {
  std::uint32_t client = kNone;
  Ns until = 0;
  bool floor = false;  // it is a floor fill's
};

struct ClientData {
  const ClientSpec* spec = nullptr;
  std::uint32_t first_device = 0, devices_end = 0;  // of the run
  const Lap* lap = nullptr;
  LapRun* run = nullptr;  // the newest, of `lap`
  std::vector<std::unique_ptr<LapRun>> runs;
  std::unique_ptr<predict::KernelTable> kernels;
  std::vector<predict::Kernel*> by_launch;
  std::vector<Ns> graph_began;  // by launch: start of the first of several operations
  std::vector<StreamData> streams;
  std::unique_ptr<LaneState> lane;
  std::uint32_t first_thread = 0;
  std::uint32_t thread_count = 0;
  std::uint32_t joined = 0;
  std::vector<Ns> tokens;  // when given; -1: not yet
  std::uint32_t rank = 0;  // by priority, among all clients
  // Of what follows, those on other devices are no part.
  std::uint64_t above = 0;          // ranks of clients of higher priority, as a bitmap
  std::vector<std::uint32_t> seen;  // and of the same one, itself included
  bool one_above = false;
  bool scattered = false;  // they are not the first ranks
  Ns look_ns = 0;          // that much later it sees what others change
  bool rivals = false;
  bool others = false;
  bool blocked_heads = false;
  bool learning = false;
  bool judged = false;  // has begun its first judged lap
  std::uint32_t laps = 0;
  std::uint64_t next_request = 0;
  Ns request_began = 0;
  policy::OwnWork own;
  Ns allowed_in_flight = 0;  // as policy::View
  Ns idle_after = 5'000'000;
  Ns granted_until = 0;             // yardsticks: end of what was granted last
  std::uint64_t slice_request = 0;  // kSlice: 1 + the request that has begun
  std::uint64_t slice_after = 0;    // kSlice: the holder's request that it follows
  std::uint32_t slice_count = 0;    // kSlice: requests begun since that one
  std::uint64_t served = 0;
  std::uint64_t changes = 0;  // of what its asks are made from
  Ns floor_due = 0;           // policy/floor.h
  Ns floor_seen = 0;
  policy::RoomSeen room;
  std::uint32_t in_flight_ops = 0;
  ClientResult result;
  // What was foretold too late, and too early.
  struct Account {
    base::Histogram late, early;
    void Add(Ns error) { (error < 0 ? early : late).Add(error < 0 ? -error : error); }
  };
  Account next_submit, device_end;
};

class World final : public DeviceListener {
 public:
  explicit World(const RunSpec& spec);
  RunResult Run();

  void OnStart(std::uint32_t tag, const Queued& queued, Ns ready, Ns start, Ns end) override;
  void OnDone(std::uint32_t tag, const Queued& queued, Ns start, Ns end) override;

 private:
  static constexpr Ns kStart = 1'000'000'000;  // no instant is 0, the mark for "absent"
  static constexpr Ns kSpinNs = 50'000;        // as client/gate.h
  // Chosen: a spinning thread sees a change that much later, and more for each further client to look at.
  static constexpr Ns kReactNs = 500;
  static constexpr Ns kReactMoreNs = 100;
  static constexpr Ns kLookAgainNs = 40'000;   // chosen: own policies, where nothing changes
  static constexpr Ns kRestedNs = 10'000'000;  // as client/lane.cc

  // Host threads: host.cc.
  void Resume(ThreadData& t, Ns now);
  void BeginLap(ClientData& c, Ns now);
  static void BeginRun(ClientData& c);
  void NextStep(ThreadData& t, Ns now);
  bool TakeMark(ThreadData& t, const Step& step, Ns now);
  void EndRequest(ClientData& c, Ns now);
  void BeginCall(ThreadData& t, Ns now);
  void Submitted(ThreadData& t, const Step& step, Ns now);
  void BeginWait(ThreadData& t, const Step& step, Ns now);
  void WaitDone(ThreadData& t, Ns done);
  void TryEarlyReturn(ThreadData& t, const Step& step);
  std::uint64_t Covered(const ThreadData& t, const Step& step) const;
  void ReturnFromWait(ThreadData& t, Ns now);
  void JoinLap(ThreadData& t);
  void GiveToken(ClientData& c, std::uint32_t token, Ns at);
  Ns Think(const ThreadData& t, const Step& step) const;
  bool Satisfied(const ClientData& c, const ThreadData& t) const;
  bool LearnedEnough(const ClientData& c, Ns now) const;
  bool Exhausted(ClientData& c, Ns now);

  // The gate: gate.cc.
  void Submit(ThreadData& t, const Step& step, Ns now);
  void Look(ThreadData& t, const Step& step, Ns now);
  void AskAnew(ThreadData& t, const Step& step);
  void LookLive(ThreadData& t, const Step& step, Ns now);
  void Refuse(ThreadData& t, const policy::Verdict& verdict, Ns now);
  void HoldRefused(ThreadData& t, Ns now, Ns wake_at);
  void FindExcluder(ThreadData& t, const policy::Verdict& verdict);
  bool StaysExcluded(ThreadData& t, Ns at);
  void Foretell(std::uint32_t rank, Ns now);
  const policy::Obstacle& ObstacleOf(std::uint32_t rank, Ns now);
  void LookOwn(ThreadData& t, const Step& step, Ns now);
  void Pass(ThreadData& t, const Step& step, Ns now, Ns until, bool through_gate, bool filled);
  static void AskForFloor(ClientData& c, const policy::View& view, policy::Ask* ask);
  void ChargeFloor(ClientData& c, const policy::Ask& ask, Ns now, bool floor);
  void UpdatePeer(std::uint32_t client);
  const Claim& ClaimNear(const ClientData& c) const;
  void MakeClaim(std::uint32_t client, Ns until, bool floor);
  void DrawClaimBack(std::uint32_t client, Ns until);
  const policy::View& BuildView(std::uint32_t asker, Ns now);
  void TellAllowed(std::uint32_t rank);
  void LookAtClaim(std::uint32_t asker, Ns now);
  void Publish(ThreadData& t, policy::Doing doing, Ns now, const predict::Forecast& forecast);
  void Changed(std::uint32_t client, Ns now);
  void Hold(ThreadData& t, Ns now, Ns wake_at);
  void StopSpinning(ThreadData& t);
  void TakeEnded(ThreadData& t);
  bool UnderThreshold(const ClientData& c) const;
  bool InSlice(ClientData& c, Ns now);
  void CatchUpTurns(ClientData& c, Ns now);
  Ns Length(const ThreadData& t, const Step& step) const;

  // Setting up, and results: world.cc.
  void AddClient(std::uint32_t number, std::uint32_t first_actor);
  void RankClients();
  void FindNeighbours(ClientData& c);
  void EndLearning(ClientData& c, Ns now);
  void OpenWindow(Ns now);
  void Finish(RunResult* result);
  void Trace(ClientData& c, const model::TraceRecord& record);
  void KeepStart(const ClientData& c, std::uint32_t stream, const Queued& queued, Ns ready, Ns start);
  bool InWindow(Ns at) const { return window_begin_ != 0 && at >= window_begin_; }

  // They have a device in common.
  static bool Near(const ClientData& a, const ClientData& b) {
    return a.first_device < b.devices_end && b.first_device < a.devices_end;
  }
  Step const& step_of(const ThreadData& t) const { return clients_[t.client].lap->threads[t.index][t.pc]; }
  ThreadData& thread(const ClientData& c, std::uint32_t index) { return threads_[c.first_thread + index]; }
  static bool ReadyTest(void* self, std::uint32_t tag, const Queued& queued);

  const RunSpec& spec_;
  policy::Settings settings_;
  bool live_ = true;
  std::vector<ClientData> clients_;
  std::vector<ThreadData> threads_;
  std::vector<std::uint32_t> tag_client_;  // by tag of a stream
  std::vector<std::uint32_t> tag_stream_;
  std::unique_ptr<EventTree> events_;
  std::vector<Device> devices_;
  std::vector<ThreadData*> spinners_;   // threads at the gate that look at every change
  std::vector<std::uint32_t> by_rank_;  // clients by priority
  policy::View view_;                   // holds them in that order
  policy::View scattered_;              // of a client that sees only some of them
  std::uint64_t ungated_ = 0;           // ranks of those not held at the gate, as a bitmap
  struct ObstacleAt {
    Ns at = 0;  // 0: its client has changed since
    policy::Obstacle obstacle;
  };
  std::vector<ObstacleAt> obstacles_;  // by rank
  bool apart_ = false;                 // some have no device in common
  std::vector<Claim> claims_;          // by device
  std::unique_ptr<Yardstick> yardstick_;
  std::uint32_t unjudged_ = 0;
  std::uint64_t judged_requests_ = 0;
  std::uint64_t events_done_ = 0;
  std::uint32_t learn_laps_ = 0;
  Ns window_begin_ = 0;
  Ns window_end_ = 0;
  std::vector<Ns> busy_at_begin_;  // by device
  Ns now_ = 0;
  std::unique_ptr<class ScheduleKeeper> keeper_;
};

}  // namespace mortar::sim
