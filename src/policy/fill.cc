// `fill`, the default: a fill may start where it ends, with margin, before the latest instant at which the
// device must be free for the holder's next wait to return undisturbed.
//
// Differs from FIKIT: the limit is the holder's slack, not its gap (a program that launches asynchronously
// does not notice a late kernel unless it waits for it); lengths and gaps are learned while the programs run;
// a gap that outlives its prediction is predicted again from the gaps that lasted as long.
#include <algorithm>

#include "policy/policy.h"
#include "policy/rule.h"

namespace mortar::policy {

Verdict DecideFill(const View& view, const Ask& ask) {
  if (RunsBeside(view, ask)) return {Action::kGo, Reason::kBeside, ask.own_until_ns, 0};
  const Chance chance = FindChance(view, ask, /*slack=*/true, /*again=*/true);
  if (!chance.fits) return {Action::kWait, chance.reason, 0, chance.wake_at_ns};
  const std::int64_t bound = FillBound(view, chance.limit_ns - chance.start_ns);
  if (!WithinBound(view, ask, bound)) {
    return {Action::kWait, Reason::kInFlight, 0, WithinBoundAt(view, ask, bound)};
  }
  if (BetterPlacedWaits(view, ask, chance))
    return {Action::kWait, Reason::kBetterPlaced, 0, std::min(chance.wake_at_ns, view.now_ns + kPollNs)};
  return {Action::kFill, Reason::kFits, chance.end_ns, 0};
}

}  // namespace mortar::policy
