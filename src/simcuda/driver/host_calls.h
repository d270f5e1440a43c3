// The thread of each device that calls the program's host functions (cuLaunchHostFunc), one after another in
// the order in which they became due, asks for what streams wait for outside the device (values in memory,
// other devices), and lets what ends take effect where nobody asks. Any thread may hand over.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "simcuda/timeline/timeline.h"

namespace mortar::simcuda {

struct SimDevice;

struct HostCalls {
  // Submitted, and their notice has not come; any thread.
  std::atomic<std::int64_t> effects_later{0};
  std::atomic<std::int64_t> due_later{0};  // kHost commands; until they have been finished
  std::mutex mutex;
  // Guarded by mutex.
  struct Call {
    std::function<void()> run;
    CommandId id;
  };
  struct Question {
    std::function<bool()> until;
    CommandId id;
  };
  std::deque<Call> due;
  std::vector<Question> asked;
};

// Has the thread call `run` and then finish the command.
void CallLater(HostCalls& calls, std::function<void()> run, CommandId id);
// Has the thread ask until the answer is true, and then finish the command.
void AskLater(HostCalls& calls, std::function<bool()> until, CommandId id);
// Starts the thread, once a device.
void StartHostCalls(SimDevice& device);

}  // namespace mortar::simcuda
