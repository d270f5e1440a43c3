// The policies: given what a client sees and wants to submit, go, fill or wait.
//
// One file a policy; `policy.cc` holds the registry and what is the same for all (off, nobody above, equals).
// Pure: no clock, no lock, no system header, no state; the live runtime, the simulator and the tests run this
// code.
#pragma once

#include "policy/view.h"

namespace mortar::policy {

// REQUIRES: ask.length_ns > 0 or ask.assumed_length_ns > 0; peers in [0, view.count) set.
// Returns what to do now. Decide never says kWait with a wake-up further away than kLongestSleepNs.
Verdict Decide(const View& view, const Ask& ask);

inline constexpr std::int64_t kLongestSleepNs = 10'000'000;  // chosen: every wait has a time-out

// Does the holder publish FIKIT's offline means in place of what it learned? (fikit)
bool UsesOfflineMeans(model::PolicyId id);

// Verdicts for the case that somebody above is active, one a file.
Verdict DecideShare(const View& view, const Ask& ask);
Verdict DecideExclusive(const View& view, const Ask& ask);
Verdict DecidePriority(const View& view, const Ask& ask);
Verdict DecideFikit(const View& view, const Ask& ask);
Verdict DecideFill(const View& view, const Ask& ask);

}  // namespace mortar::policy
