// The thread of each device that calls the program's host functions (cuLaunchHostFunc), one after another in
// the order in which they became due, asks for what streams wait for outside the device (values in memory,
// other devices), and lets what ends take effect where nobody asks. Any thread may hand over.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "simcuda/timeline/timeline.h"

namespace mortar::simcuda {

struct SimContext;
struct SimDevice;

struct HostCalls {
  // Submitted, and their notice has not come; any thread.
  std::atomic<std::int64_t> effects_later{0};
  std::atomic<std::int64_t> due_later{0};  // kHost commands; until they have been finished
  std::mutex mutex;
  // Guarded by mutex.
  struct Call {
    const SimContext* context = nullptr;
    std::function<void()> run;
    CommandId id;
  };
  struct Question {
    const SimContext* context = nullptr;
    std::function<bool()> until;
    CommandId id;
  };
  std::deque<Call> due;
  std::deque<Question> asked;
  const SimContext* asking = nullptr;  // whose question is being asked, and stands in `asked` no more
  std::condition_variable answered;    // `asking` has changed
};

// Has the thread call `run` and then finish the command, if there is one: without, it is called within 20 ms
// or so.
void CallLater(HostCalls& calls, HostCalls::Call call);
// Has the thread ask until the answer is true, and then finish the command.
void AskLater(HostCalls& calls, HostCalls::Question question);
// The context is being destroyed: none of its questions is asked any more when this returns, and none of its
// functions is called that has not been. REQUIRES: nothing of it is handed over any more.
void ForgetCallsOf(HostCalls& calls, const SimContext& context);
// Starts the thread, once a device.
void StartHostCalls(SimDevice& device);

}  // namespace mortar::simcuda
