// `exclusive`: one client at a time. Nothing of a lower client starts while a higher one is active.
#include <algorithm>

#include "policy/policy.h"
#include "policy/rule.h"

namespace mortar::policy {

Verdict DecideExclusive(const View& view, const Ask& ask) {
  std::int64_t inactive_at = view.now_ns;
  for (int i = 0; i < view.count; ++i) {
    const Peer& peer = view.peers[static_cast<std::size_t>(i)];
    if (IsAbove(peer, ask, view.now_ns)) inactive_at = std::max(inactive_at, ActiveUntil(peer, IsLong(ask)));
  }
  return {Action::kWait, Reason::kExclusive, 0, inactive_at};
}

}  // namespace mortar::policy
