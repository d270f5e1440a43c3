#include "policy/own_work.h"

#include <algorithm>

#include "policy/rule.h"

namespace mortar::policy {

void OwnWork::Tell(std::uint64_t stream, Ask* ask) const {
  ask->own_until_ns = until_ns;
  ask->long_until_ns = long_until_ns;
  ask->beside_long = long_until_ns != 0 && stream != long_stream;
  ask->beside_until_ns = beside_until_ns;
  // What follows a copy on its stream waits for it; other streams do not.
  if (stream == copy_stream) {
    ask->own_until_ns = std::max(ask->own_until_ns, copy_until_ns);
    ask->beside_until_ns = std::max(ask->beside_until_ns, copy_until_ns);
  }
}

void OwnWork::Admitted(const Ask& ask, std::uint64_t stream, const Verdict& verdict, const Settings& settings,
                       std::int64_t now_ns) {
  if (verdict.reason == Reason::kBeside) {
    copy_until_ns = std::max(now_ns, copy_until_ns) + Length(ask);
    copy_stream = stream;
    return;
  }
  const std::int64_t ends = std::max(verdict.until_ns, now_ns);
  if (until_ns <= now_ns) {
    const bool is_long = ask.length_ns > settings.in_flight_bound_ns;
    long_until_ns = is_long ? ends : 0;
    long_stream = stream;
    beside_until_ns = 0;
  } else if (RunsBesideLong(ask, now_ns)) {
    beside_until_ns = verdict.end_ns;
  }
  until_ns = ends;
}

void OwnWork::EndsAt(std::int64_t now_until_ns) {
  until_ns = now_until_ns;
  long_until_ns = std::min(long_until_ns, now_until_ns);
  beside_until_ns = std::min(beside_until_ns, now_until_ns);
}

}  // namespace mortar::policy
