// Whose turn is next: one instant an actor, the earliest on top, ties by actor number.
//
// A winner tree: Set costs log2(actors) comparisons at most, Top none. One owner.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "sim/program.h"

namespace mortar::sim {

class EventTree {
 public:
  static constexpr Ns kNever = INT64_MAX;

  explicit EventTree(std::uint32_t actors)
      : leaves_(std::bit_ceil(actors < 2 ? 2U : actors)), at_(leaves_, kNever), winner_(leaves_) {
    for (std::uint32_t node = leaves_ - 1; node > 0; --node) winner_[node] = Better(node);
  }

  Ns at(std::uint32_t actor) const { return at_[actor]; }
  std::uint32_t top() const { return winner_[1]; }
  Ns top_at() const { return at_[winner_[1]]; }

  void Set(std::uint32_t actor, Ns at) {
    at_[actor] = at;
    for (std::uint32_t node = (leaves_ + actor) / 2; node > 0; node /= 2) {
      const std::uint32_t winner = Better(node);
      // Another's place, as before: nothing changes further up.
      if (winner == winner_[node] && winner != actor) return;
      winner_[node] = winner;
    }
  }

 private:
  std::uint32_t Child(std::uint32_t node) const { return node >= leaves_ ? node - leaves_ : winner_[node]; }
  std::uint32_t Better(std::uint32_t node) const {
    const std::uint32_t left = Child(2 * node);
    const std::uint32_t right = Child(2 * node + 1);
    return at_[right] < at_[left] ? right : left;
  }

  std::uint32_t leaves_;
  std::vector<Ns> at_;
  std::vector<std::uint32_t> winner_;  // by node; [1] is the root
};

}  // namespace mortar::sim
