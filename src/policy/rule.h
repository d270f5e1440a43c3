// The pieces that policies share: who is active, when the device is free, until when it must be free again,
// whose turn it is. Pure functions of a View.
#pragma once

#include <cstdint>

#include "policy/view.h"

namespace mortar::policy {

// Chosen: how soon to look again where no instant is foretold.
inline constexpr std::int64_t kPollNs = 20'000;
// Chosen: an equal that has had this much more device time than another did not get it by taking turns: one
// of the numbers is wrong (the board's content is untrusted), and nobody waits because of it.
inline constexpr std::uint64_t kLargestDebtNs = 10'000'000'000;
inline constexpr std::int64_t kMostTurnsOwed = 10;  // chosen
// Chosen: and nobody waits longer than this for an equal's turn, whatever the numbers say.
inline constexpr std::int64_t kLongestTurnNs = 1'000'000'000;

// Active = submitted, waited or had device work less than `idle_after` ago; but never after kStandstillNs
// without any activity (principle 4: time heals; a stopped or dead holder loses its force).
// `long_kernel`: what is asked for would delay it so much, if it came back, that twice the silence is wanted.
std::int64_t ActiveUntil(const Peer& peer, bool long_kernel = false);
inline bool IsActive(const Peer& peer, std::int64_t now_ns, bool long_kernel = false) {
  return now_ns < ActiveUntil(peer, long_kernel);
}

inline std::int64_t Length(const Ask& ask) {
  return ask.length_ns > 0 ? ask.length_ns : ask.assumed_length_ns;
}
// Design: a bound of 200 us was harmless in replay.
inline constexpr std::int64_t kLongKernelNs = 200'000;
inline bool IsLong(const Ask& ask) { return Length(ask) > kLongKernelNs; }

// A client above the asker whose waits and submits count now: active, of higher priority, not itself held by
// Mortar.
inline bool IsAbove(const Peer& peer, const Ask& ask, std::int64_t now_ns) {
  return peer.priority < ask.priority && peer.doing != Doing::kGated && IsActive(peer, now_ns, IsLong(ask));
}
bool AnyAbove(const View& view, const Ask& ask);

// When the submit would start if nobody else used the device.
std::int64_t EarliestStart(const View& view, const Ask& ask);

// What one fill of `length_ns` takes from the device: itself, the margin, and the way there and back where
// contexts take turns (design: twice the switch cost).
std::int64_t Cost(const Settings& settings, std::int64_t length_ns);

// When the device will have done everything that is known to be on it for `peer`. While a peer waits past its
// predicted completion, that is "now": its kernel takes longer than foreseen.
std::int64_t BusyUntil(const Peer& peer, std::int64_t now_ns);

// Until when the device must be free again so that `peer` does not notice. `slack`: use latest_free where
// known; else its next submit, which is FIKIT's rule. When the predicted submit did not come, the prediction
// is made again among the gaps that lasted as long (`again`); when there is none, nothing may start.
std::int64_t Limit(const Peer& peer, std::int64_t now_ns, bool slack, bool again);

// When to look again at what has outlasted its prediction since `since_ns`: soon, and less often the longer
// it lasts.
std::int64_t LookAgain(std::int64_t since_ns, std::int64_t now_ns);

// The asker's stream goes on beside a long kernel of its own on another one (policy/own_work.h).
inline bool RunsBesideLong(const Ask& ask, std::int64_t now_ns) {
  return ask.beside_long && ask.long_until_ns > now_ns;
}

// In-flight rule: own work in flight plus `length` stays within the bound, or nothing of one's own is in
// flight. In-flight work is a prediction that time alone brings to zero, never an uncompleted event (an event
// may be completed by the very thread that waits here). A kernel that is longer than the bound costs whoever
// comes meanwhile its own length; what follows it, or runs beside it, is bounded apart.
bool WithinBound(const View& view, const Ask& ask, std::int64_t bound_ns);
// When it will be so.
std::int64_t WithinBoundAt(const View& view, const Ask& ask, std::int64_t bound_ns);
// Something may go on beside or behind a kernel longer than the bound: not where those above allow less than
// a quarter of the bound, or are not known.
inline bool AllowsMore(const View& view) {
  return 4 * view.allowed_in_flight_ns > view.settings.in_flight_bound_ns;
}
// The bound of fills for which `room_ns` is foretold: more than the setting as far as those above allow it,
// and a small part of the room at most, so that it is large where a client rests and not between two kernels.
std::int64_t FillBound(const View& view, std::int64_t room_ns);

struct Chance {
  bool fits = false;
  Reason reason = Reason::kNoGap;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;      // of the fill alone, without margin
  std::int64_t limit_ns = 0;    // the tightest limit among those above
  std::int64_t wake_at_ns = 0;  // when to look again if it does not fit
};
// The rule: start + cost <= limit for every client above. Gap-only where `slack` is false.
Chance FindChance(const View& view, const Ask& ask, bool slack, bool again);

// What one peer leaves to those below it (slack, foretold again) at view.now_ns, whoever of them asks.
struct Obstacle {
  int priority = 0;
  bool closed = false;  // it leaves nothing
  std::int64_t active_until_ns = 0;
  std::int64_t active_until_long_ns = 0;  // to long kernels
  std::int64_t arrived_ns = 0;
  std::int64_t busy_until_ns = 0;
  std::int64_t limit_ns = 0;
  std::int64_t look_again_ns = 0;
};
Obstacle ObstacleOf(const View& view, const Peer& peer);

// The peer is above and alone leaves no room for what is asked behind the claim on the device, whatever all
// others do: until it changes, something foretold of it comes due, or the claim is taken back. For those who
// look at many changes: only this one matters.
bool Excludes(const View& view, const Ask& ask, const Obstacle& peer);
// When to look again at such a peer.
std::int64_t LookAgainAt(const View& view, const Ask& ask, const Obstacle& peer);

// The asker's copy runs beside kernels, and nobody above copies in that direction.
bool RunsBeside(const View& view, const Ask& ask);

// BestPrioFit: is another waiting client better placed for [start, limit): higher priority, or the same
// priority and longer, and does it fit from when it wakes? Reconstructed: FIKIT names "best priority fit";
// how it orders equals is our reading.
bool BetterPlacedWaits(const View& view, const Ask& ask, const Chance& chance);

// Equals take turns by device time (deficit round robin): true if the asker has had `quantum` more than an
// equal that has work waiting or on the device. *wake_at is then when to look again. *forgiven_ns: how much
// more the asker is ahead than kMostTurnsOwed turns: beside a client above, one equal's kernels may fit where
// another's do not, and when that client is gone nobody is to stand still until the other has made up for all
// of it.
bool EqualsTurn(const View& view, const Ask& ask, std::int64_t quantum_ns, std::int64_t* wake_at_ns,
                std::uint64_t* forgiven_ns);

}  // namespace mortar::policy
