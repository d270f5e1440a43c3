// The thread that calls the program's host functions (cuLaunchHostFunc), one after another in the order in
// which they became due, and that lets what ends take effect where nobody asks. Any thread may hand over.
#pragma once

#include <functional>

#include "simcuda/timeline/timeline.h"

namespace mortar::simcuda {

// Has the thread call `run` and then finish the command.
void CallLater(std::function<void()> run, CommandId id);
// Starts the thread, once a process. REQUIRES: the world is made.
void StartHostCalls();

}  // namespace mortar::simcuda
