#include "simcuda/driver/host_calls.h"

#include <deque>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "simcuda/driver/world.h"

namespace mortar::simcuda {
namespace {

struct Call {
  std::function<void()> run;
  CommandId id;
};

struct Calls {
  std::mutex mutex;
  std::deque<Call> due;  // guarded by mutex
};

// Never destroyed: the thread outlives main.
Calls& TheCalls() {
  static Calls* calls = new Calls;
  return *calls;
}

bool RunOne() {
  Call call;
  {
    const std::lock_guard lock(TheCalls().mutex);
    if (TheCalls().due.empty()) return false;
    call = std::move(TheCalls().due.front());
    TheCalls().due.pop_front();
  }
  call.run();
  SharedDevice::Session session(TheWorld()->device);
  session->FinishHost(call.id);
  session.Wake();
  return true;
}

void SettleAll() {
  World& world = *TheWorld();
  std::vector<SimContext*> contexts;
  {
    const std::lock_guard lock(world.mutex);
    contexts.assign(world.contexts.begin(), world.contexts.end());
  }
  for (SimContext* context : contexts) Settle(*context);
}

[[noreturn]] void Main() {
  for (;;) {
    SettleAll();
    while (RunOne()) {
    }
    // Nothing to tell: no reason to look at every instant of the device.
    TheWorld()->device.WaitForChange(TheWorld()->awaited.load() > 0);
  }
}

}  // namespace

void CallLater(std::function<void()> run, CommandId id) {
  const std::lock_guard lock(TheCalls().mutex);
  TheCalls().due.push_back({std::move(run), id});
}

void StartHostCalls() { std::thread(Main).detach(); }

}  // namespace mortar::simcuda
