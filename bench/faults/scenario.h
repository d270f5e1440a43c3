// What is done to whom, and how the others get on. One thread, which is the injector's only one (it forks).
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "bench/faults/program.h"
#include "model/model.h"

namespace mortar::faults {

enum class Role { kHolder, kWaiter, kClaimant };
enum class Fault { kNone, kKill, kStop, kCore, kBytes };

struct Scenario {
  std::string name;
  model::PolicyId policy = model::PolicyId::kFill;
  Role victim = Role::kHolder;
  Fault fault = Fault::kKill;
  int times = 0;
  std::size_t memory = 0;  // bytes that the victim writes to
};

// Times in ms. A stall is the longest time that a program stood still from the fault on.
struct Outcome {
  int times = 0;
  int in_role =
      0;  // faults that met the victim in its role (holding; held at the gate; with a claim standing)
  double survivor_max_stall_ms = 0, control_max_stall_ms = 0;
  double survivor_median_stall_ms = 0;  // of the worst survivor of each fault
  double worst_excess_ms = 0;           // largest survivor's stall minus control's, in one window
  int over_50ms = 0;                    // windows in which that is more than 50 ms
  int hangs = 0;                        // survivors that did nothing for 5 s
  int crashes = 0;                      // survivors that ended
};

// Errors: no board can be made, or no memory can be shared.
base::Result<Outcome> Run(const Scenario& scenario, base::Random& random);

}  // namespace mortar::faults
