// Claiming the device for a fill: the one word of the board that changes by compare-and-swap alone (layout.h,
// `fill_until`), and the order of steps that keeps two fills apart. Any thread of the client in `slot`;
// lock-free.
//
//   decided on what was read --claim--> claimed --clock read again, decided again--> filled, or moved and
//   filled
//             ^                            |                     |
//             +---- lost to another -------+--- too late: given up
//
// `Word`: an atomic of 64 bits. Searched exhaustively: tests/protocol/claims_test.cc.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "board/fill_word.h"
#include "policy/lanes.h"
#include "policy/view.h"

namespace mortar::client {

// What came of trying to fill.
enum class Tried {
  kFilled,   // go
  kTooLate,  // the verdict now says wait
  kLost,     // to another client: look again
};

template <typename Word>
class Claims {
 public:
  static constexpr std::int64_t kDriftNs = 2'000;  // chosen: a claim that much too early is not worth moving
  static constexpr int kAnnounceTries = 3;

  Claims(Word& word, int slot) : word_(word), slot_(slot) {}

  // False: the claim was lost to another client.
  bool Claim(std::uint64_t seen, std::int64_t until_ns, std::int64_t now_ns, std::uint64_t* claimed,
             bool floor = false) {
    const board::FillWord before = board::UnpackFill(seen);
    *claimed = board::PackFill({slot_, before.sequence + 1, Bounded(until_ns, now_ns), floor});
    return word_.compare_exchange_strong(seen, *claimed);
  }

  void GiveUp(std::uint64_t claimed, std::uint64_t previous) {
    word_.compare_exchange_strong(claimed, previous);
  }

  // Admitted later than claimed, and so ending later: others must see that. False: somebody claimed behind
  // it, on the old word.
  bool Move(std::uint64_t claimed, std::int64_t until_ns, std::int64_t now_ns, bool floor = false) {
    board::FillWord word = board::UnpackFill(claimed);
    if (until_ns <= word.until_ns + kDriftNs && floor == word.floor) return true;
    word.until_ns = Bounded(until_ns, now_ns);
    word.floor = floor;
    return word_.compare_exchange_strong(claimed, board::PackFill(word));
  }

  // A wait told that the client's work in flight ends at `until_ns`: if the standing claim is its own and
  // lies further ahead, it is drawn back to then.
  void DrawBack(std::int64_t until_ns) {
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    board::FillWord claim = board::UnpackFill(seen);
    if (claim.slot != slot_ || claim.until_ns <= until_ns) return;
    claim.until_ns = until_ns;
    word_.compare_exchange_strong(seen, board::PackFill(claim));
  }

  // Nobody above is active: others learn all the same until when the device has work of this client.
  template <typename Clock>
  void Announce(std::int64_t until_ns, std::int64_t decided_ns, Clock&& clock) {
    for (int i = 0; i < kAnnounceTries; ++i) {
      const std::uint64_t seen = word_.load(std::memory_order_acquire);
      const std::int64_t standing = policy::CheckedClaim(board::UnpackFill(seen).until_ns, clock());
      std::uint64_t claimed = 0;
      if (standing >= until_ns || Claim(seen, until_ns, decided_ns, &claimed)) return;
    }
  }

  // `verdict` says fill, decided on the word `seen` at `*now_ns`. `decide` decides again as of the reading of
  // `clock` that it is given. Leaves the newest verdict and reading behind.
  template <typename Clock, typename Decide>
  Tried TryFill(std::uint64_t seen, policy::Verdict* verdict, std::int64_t* now_ns, Clock&& clock,
                Decide&& decide) {
    std::uint64_t claimed = 0;
    if (!Claim(seen, verdict->until_ns, *now_ns, &claimed, IsFloor(*verdict))) return Tried::kLost;
    // The claim may have taken long (another core, an interrupt): is it still in time?
    *now_ns = clock();
    *verdict = decide(*now_ns);
    if (verdict->action == policy::Action::kWait) {
      GiveUp(claimed, seen);
      return Tried::kTooLate;
    }
    return Move(claimed, verdict->until_ns, *now_ns, IsFloor(*verdict)) ? Tried::kFilled : Tried::kLost;
  }

 private:
  static bool IsFloor(const policy::Verdict& verdict) { return verdict.reason == policy::Reason::kFloor; }
  // Further ahead it would not count.
  static std::int64_t Bounded(std::int64_t until_ns, std::int64_t now_ns) {
    return std::min(until_ns, now_ns + policy::kStandstillNs);
  }

  Word& word_;
  int slot_;
};

}  // namespace mortar::client
