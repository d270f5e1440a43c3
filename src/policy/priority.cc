// `priority`: strict priority at kernel boundaries, without knowledge of the future: a lower client's kernel
// starts whenever no higher client has anything on the device.
#include <algorithm>

#include "policy/policy.h"
#include "policy/rule.h"

namespace mortar::policy {

Verdict DecidePriority(const View& view, const Ask& ask) {
  std::int64_t free_at = view.now_ns;
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (!IsAbove(peer, ask, view.now_ns)) continue;
    const bool overdue = peer.doing == Doing::kWaiting && peer.busy_until_ns <= view.now_ns;
    free_at = std::max(free_at, overdue ? LookAgain(peer.busy_until_ns, view.now_ns) : peer.busy_until_ns);
  }
  if (free_at > view.now_ns) return {Action::kWait, Reason::kHolderBusy, 0, free_at};
  if (!WithinBound(view, ask, view.settings.in_flight_bound_ns))
    return {Action::kWait, Reason::kInFlight, 0, ask.own_until_ns};
  const std::int64_t start = EarliestStart(view, ask);
  return {Action::kFill, Reason::kFits, start + Length(ask), 0};
}

}  // namespace mortar::policy
