#include "policy/policy.h"

#include <algorithm>

#include "policy/floor.h"
#include "policy/rule.h"

namespace mortar::policy {
namespace {

struct Entry {
  model::PolicyId id;
  Verdict (*below)(const View&, const Ask&);  // somebody above is active
  std::int64_t turn_quanta;                   // how long equals' turns are; 0: equals do not take turns
  bool floors;                                // does it keep --min-share?
};

// `share` refuses nobody; `exclusive` promises one client at a time, which any floor would break.
constexpr Entry kRegistry[] = {
    {model::PolicyId::kShare, DecideShare, 0, false},
    {model::PolicyId::kExclusive, DecideExclusive, 10, false},
    {model::PolicyId::kPriority, DecidePriority, 1, true},
    {model::PolicyId::kFikit, DecideFikit, 1, true},
    {model::PolicyId::kFill, DecideFill, 1, true},
};

const Entry& Find(model::PolicyId id) {
  for (const Entry& entry : kRegistry) {
    if (entry.id == id) return entry;
  }
  return kRegistry[0];  // an unknown number on the board: fail open
}

}  // namespace

bool UsesOfflineMeans(model::PolicyId id) { return id == model::PolicyId::kFikit; }

namespace {

Verdict DecideBy(const Entry& entry, const View& view, const Ask& ask, std::int64_t bound) {
  Verdict verdict;
  std::int64_t wake_at = 0;
  std::uint64_t forgiven = 0;
  if (AnyAbove(view, ask)) {
    verdict = entry.below(view, ask);
    if (verdict.action == Action::kWait && entry.floors) verdict = OrFloor(view, ask, verdict);
  } else if (entry.turn_quanta == 0) {
    verdict = DecideShare(view, ask);
  } else if (!WithinBound(view, ask, bound)) {
    verdict = {Action::kWait, Reason::kInFlight, 0, WithinBoundAt(view, ask, bound)};
  } else if (EqualsTurn(view, ask, entry.turn_quanta * view.settings.quantum_ns, &wake_at, &forgiven)) {
    verdict = {Action::kWait, Reason::kEqualsTurn, 0, wake_at, 0, forgiven};
  } else {
    verdict = {Action::kGo, Reason::kNobodyAbove, EarliestStart(view, ask) + Length(ask), 0};
  }
  return verdict;
}

}  // namespace

Verdict Decide(const View& view, const Ask& ask) {
  if (view.settings.off) return {Action::kGo, Reason::kOff, view.now_ns, 0};
  const Entry& entry = Find(view.settings.policy);
  Verdict verdict;
  const bool more = entry.id == model::PolicyId::kFill && AllowsMore(view);
  if (more) {
    verdict = DecideBy(entry, view, ask, FillBound(view, INT64_MAX));
  } else {
    // Nothing goes on beside or behind a long kernel.
    Ask alone = ask;
    alone.long_until_ns = 0;
    verdict = DecideBy(entry, view, alone, view.settings.in_flight_bound_ns);
  }
  verdict.end_ns = verdict.until_ns;
  if (verdict.action == Action::kWait) {
    verdict.wake_at_ns = std::clamp(verdict.wake_at_ns, view.now_ns + 1, view.now_ns + kLongestSleepNs);
  } else if (more && RunsBesideLong(ask, view.now_ns)) {
    verdict.until_ns = std::max(verdict.until_ns, ask.long_until_ns);
  }
  return verdict;
}

}  // namespace mortar::policy
