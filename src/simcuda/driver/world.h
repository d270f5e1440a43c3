// What this process knows of its simulated devices: descriptions, shared timelines, contexts and their
// objects. One a process, made by cuInit and never destroyed; a child of a process that made it has none.
//
// Any thread. Locks, in the order in which they are taken: `mutex` (the tables), the graphs' (captures.h), a
// device's `effects`, a Session of its shared timeline. Objects that were destroyed stay as records, since
// other threads may be in them; their handles are refused.
//
// The devices are those that MORTAR_SIM_DEVICE describes, files parted by colons; without it there is one
// with the description's own values.
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

#include "simcuda/device/description.h"
#include "simcuda/driver/export.h"
#include "simcuda/driver/host_calls.h"
#include "simcuda/shared/shared_device.h"

namespace mortar::simcuda {

struct Capture;  // captures.h
struct Node;
struct SimContext;
struct SimPool;  // memory.h

struct SimDevice {
  int ordinal = 0;
  Description description;
  SharedDevice shared;
  HostCalls calls;
  std::mutex effects;  // held while what ended takes effect, in the order of ending
  // Guarded by effects.
  std::vector<SimContext*> contexts;  // of this process, alive
  // Guarded by World::mutex.
  SimContext* primary = nullptr;
  unsigned int primary_flags = 0;
  SimPool* default_pool = nullptr;
  SimPool* pool = nullptr;
};

struct SimStream {
  SimContext* context = nullptr;
  Index index = kNone;
  StreamKind kind = StreamKind::kBlocking;
  unsigned int flags = 0;
  int priority = 0;
  std::uint64_t id = 0;
  std::shared_ptr<Capture> capture{};  // null: none. Guarded by the graphs' mutex
};

struct SimEvent {
  SimContext* context = nullptr;
  SimDevice* device = nullptr;
  Index index = kNone;
  std::uint64_t serial = 0;
  unsigned int flags = 0;
  bool borrowed = false;  // of another process
  // Where it was last recorded in a capture. Guarded by the graphs' mutex.
  std::shared_ptr<Capture> capture{};
  std::vector<Node*> captured{};
};

struct SimContext {
  SimDevice* device = nullptr;
  std::atomic<Index> index{
      kNone};  // kNone again once destroyed; that change: guarded by the device's effects
  std::uint64_t id = 0;
  std::atomic<unsigned int> flags{0};
  bool primary = false;
  int retained = 0;                           // primary: how often
  std::atomic<CUresult> error{CUDA_SUCCESS};  // an asynchronous error, which sticks
  std::unique_ptr<SimStream> legacy;
  std::map<pthread_t, std::unique_ptr<SimStream>> per_thread;  // guarded by World::mutex
  std::map<int, std::size_t> limits;                           // guarded by World::mutex
  std::set<SimContext*> peers;                                 // guarded by World::mutex
};

struct World {
  std::vector<std::unique_ptr<SimDevice>> devices;  // fixed
  std::atomic<std::uint64_t> last_id{0};            // of streams, contexts, captures
  std::mutex mutex;
  // Guarded by mutex.
  std::unordered_set<SimContext*> contexts;
  std::unordered_set<SimStream*> streams;
  std::unordered_set<SimEvent*> events;
};

// Null before cuInit.
World* TheWorld();
// Null: no such device.
SimDevice* FindDevice(CUdevice device);

// The calling thread's current context, or null. Its stack: contexts.cc.
SimContext* Current();
// The context that a handle means (null: the current one), where it can be worked in. Errors:
// CUDA_ERROR_NOT_INITIALIZED, CUDA_ERROR_INVALID_CONTEXT, or the asynchronous error that has stuck to it.
CUresult Enter(SimContext** context, CUcontext handle = nullptr);
// That, where only the error matters.
CUresult Enter();
SimContext* FindContext(CUcontext handle);

// The stream that a handle means: null and 1 the current context's legacy default stream, or with
// `per_thread` null the calling thread's; 2 that. Errors: as Enter, and CUDA_ERROR_INVALID_HANDLE.
CUresult FindStream(CUstream handle, bool per_thread, SimStream** stream);
// Null: not an event that lives.
SimEvent* FindEvent(CUevent handle);

// Blocks until all that is in the context's streams by now is done and has taken effect. Returns the error
// that has stuck to it.
CUresult WaitForContext(SimContext& context);
// The same for every context of this process, of whichever device.
void WaitForAll();

template <typename Handle, typename Object>
Handle HandleOf(Object* object) {
  return reinterpret_cast<Handle>(object);
}

}  // namespace mortar::simcuda
