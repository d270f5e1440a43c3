// `fikit`: whole gaps only, from offline means, best priority fit first. Our reconstruction of the paper's
// method, kept as the baseline.
//
// Reconstructed: FIKIT (arXiv 2311.10359) fills the gap between two kernels of the high-priority job with
// kernels of others whose measured mean length fits the measured mean gap; only its abstract is public to us.
#include <algorithm>

#include "policy/policy.h"
#include "policy/rule.h"

namespace mortar::policy {

Verdict DecideFikit(const View& view, const Ask& ask) {
  // A kernel that was not measured cannot be placed.
  if (ask.length_ns == 0) return {Action::kWait, Reason::kNoGap, 0, view.now_ns + kLongestSleepNs};
  const Chance chance = FindChance(view, ask, /*slack=*/false, /*again=*/false);
  if (!chance.fits) return {Action::kWait, chance.reason, 0, chance.wake_at_ns};
  if (BetterPlacedWaits(view, ask, chance))
    return {Action::kWait, Reason::kBetterPlaced, 0, std::min(chance.wake_at_ns, view.now_ns + kPollNs)};
  return {Action::kFill, Reason::kFits, chance.end_ns, 0};
}

}  // namespace mortar::policy
