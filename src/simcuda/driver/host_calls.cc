#include "simcuda/driver/host_calls.h"

#include <signal.h>

#include <thread>
#include <utility>

#include "simcuda/driver/work.h"

namespace mortar::simcuda {
namespace {

constexpr Ns kLongestSleepNs = 20'000'000;  // chosen
constexpr Ns kAskEveryNs = 20'000;          // chosen: what a wait for a value in memory may be late by

void Finish(SimDevice& device, CommandId id) {
  device.calls.due_later.fetch_sub(1);
  SharedDevice::Session session(device.shared);
  session->FinishHost(id);
  session.Wake();
}

bool RunOne(SimDevice& device) {
  HostCalls::Call call;
  {
    const std::lock_guard lock(device.calls.mutex);
    if (device.calls.due.empty()) return false;
    call = std::move(device.calls.due.front());
    device.calls.due.pop_front();
  }
  call.run();
  if (call.id.sequence != 0) Finish(device, call.id);
  return true;
}

// Asks every question once; `open`: some were not answered.
void AskAll(SimDevice& device, bool* open) {
  HostCalls& calls = device.calls;
  *open = false;
  std::unique_lock lock(calls.mutex);
  for (std::size_t left = calls.asked.size(); left > 0 && !calls.asked.empty(); --left) {
    HostCalls::Question question = std::move(calls.asked.front());
    calls.asked.pop_front();
    calls.asking = question.context;
    lock.unlock();
    const bool answered = question.until();
    if (answered) Finish(device, question.id);
    lock.lock();
    calls.asking = nullptr;
    calls.answered.notify_all();
    if (answered) continue;
    calls.asked.push_back(std::move(question));
    *open = true;
  }
}

[[noreturn]] void Main(SimDevice& device) {
  for (;;) {
    const SharedDevice::Seen seen = device.shared.Look();
    Settle(device);
    while (RunOne(device)) {
    }
    bool open = false;
    AskAll(device, &open);
    // Where there is nothing to tell there is no reason to look at every instant of the device.
    const bool calls = device.calls.due_later.load() > 0;
    device.shared.WaitForWork(seen, open ? kAskEveryNs : kLongestSleepNs,
                              calls || device.calls.effects_later.load() > 0, calls && !open);
  }
}

}  // namespace

void CallLater(HostCalls& calls, HostCalls::Call call) {
  const std::lock_guard lock(calls.mutex);
  calls.due.push_back(std::move(call));
}

void AskLater(HostCalls& calls, HostCalls::Question question) {
  const std::lock_guard lock(calls.mutex);
  calls.asked.push_back(std::move(question));
}

void ForgetCallsOf(HostCalls& calls, const SimContext& context) {
  const auto of_context = [&](const auto& entry) { return entry.context == &context; };
  std::unique_lock lock(calls.mutex);
  calls.answered.wait(lock, [&] { return calls.asking != &context; });
  const auto forgotten = std::erase_if(calls.asked, of_context) + std::erase_if(calls.due, of_context);
  calls.due_later.fetch_sub(static_cast<std::int64_t>(forgotten));
}

void StartHostCalls(SimDevice& device) {
  // Signals are the program's own threads'.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([&device] { Main(device); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace mortar::simcuda
