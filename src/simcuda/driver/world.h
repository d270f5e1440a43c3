// What this process knows of its simulated device: description, shared timeline, contexts and their objects.
// One a process, made by cuInit and never destroyed. Any thread: `mutex` guards the tables; a context's
// streams and events live in the shared device, behind its own lock (never taken first, so: mutex before
// Session).
//
// The device is described by the file that MORTAR_SIM_DEVICE names; without it the description's own values
// hold.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "cuda/api/types.h"
#include "simcuda/device/description.h"
#include "simcuda/driver/export.h"
#include "simcuda/shared/shared_device.h"

namespace mortar::simcuda {

struct SimContext;

struct SimStream {
  SimContext* context = nullptr;
  Index index = kNone;
  StreamKind kind = StreamKind::kBlocking;
  unsigned int flags = 0;
  int priority = 0;
};

struct SimEvent {
  SimContext* context = nullptr;
  Index index = kNone;
  unsigned int flags = 0;
};

struct SimContext {
  Index index = kNone;  // kNone again once destroyed; that change: guarded by effects
  unsigned int flags = 0;
  bool primary = false;
  int retained = 0;  // primary: how often
  std::unique_ptr<SimStream> legacy;
  std::map<pthread_t, std::unique_ptr<SimStream>> per_thread;  // guarded by World::mutex
  std::mutex effects;  // held while what ended takes effect, in the order of ending
};

// What a command does when it is done; freed when it has.
struct Effect {
  std::function<void()> run;
};

struct World {
  Description description;
  SharedDevice device;
  std::atomic<std::int64_t> awaited{0};  // commands submitted whose notice has not come; any thread
  std::mutex mutex;
  // Guarded by mutex.
  std::unordered_set<SimContext*> contexts;
  std::unordered_set<SimStream*> streams;
  std::unordered_set<SimEvent*> events;
  SimContext* primary = nullptr;
  unsigned int primary_flags = 0;
};

// Null before cuInit.
World* TheWorld();

// The calling thread's current context, or null. Its stack: contexts.cc.
SimContext* Current();

// The stream that a handle means in the current context: null and 1 the legacy default stream, or with
// `per_thread` null the calling thread's; 2 that. Null: no such stream.
SimStream* FindStream(CUstream handle, bool per_thread);

// Puts work into a stream, waiting for room. Returns the command. With `run`: that takes effect when the work
// is done (kHost: is called when it is due).
CommandId SubmitWork(const SimStream& stream, Work work, std::function<void()> run = nullptr);
// What has ended takes effect now: copies and results become visible. Before any answer that something is
// done.
void Settle(SimContext& context);
// Blocks until `id` is done and has taken effect.
void WaitDone(SimContext& context, CommandId id);
// Blocks until all that is in the context's streams by now is done and has taken effect.
void WaitForContext(SimContext& context);
bool IsDoneNow(SimContext& context, CommandId id);

}  // namespace mortar::simcuda
