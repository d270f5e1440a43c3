// `share`: everything passes; the device's own behaviour. The baseline for all others.
#include "policy/policy.h"
#include "policy/rule.h"

namespace mortar::policy {

Verdict DecideShare(const View& view, const Ask& ask) {
  return {Action::kGo, Reason::kShared, view.now_ns + Length(ask), 0};
}

}  // namespace mortar::policy
