// Whose turn is next: one instant an actor, the earliest on top, ties by actor number.
//
// A winner tree: Set costs log2(actors) steps without a branch to guess, for who wins is chance; top costs
// none. One owner.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/program.h"

namespace mortar::sim {

class EventTree {
 public:
  static constexpr Ns kNever = INT64_MAX;

  explicit EventTree(std::uint32_t actors)
      : bits_(static_cast<int>(std::bit_width(std::max(actors, 2U) - 1))),
        leaves_(std::uint32_t{1} << bits_),
        at_(leaves_, kNever),
        nodes_(std::size_t{2} * leaves_, kNever) {
    for (std::uint32_t i = 0; i < actors; ++i) Set(i, kNever);
  }

  Ns at(std::uint32_t actor) const { return at_[actor]; }
  std::uint32_t top() const { return static_cast<std::uint32_t>(nodes_[1]) & (leaves_ - 1); }
  Ns top_at() const { return at_[top()]; }

  // As Set to kNever, for who is about to set another instant; if none was, Settle makes up for it. REQUIRES:
  // either before top is looked at.
  void Clear(std::uint32_t actor) { at_[actor] = kNever; }
  void Settle(std::uint32_t actor) {
    if (at_[actor] == kNever) Set(actor, kNever);
  }

  // What comes later than kNever / actors (of 1024: after 104 days) is as good as kNever, and in no order.
  void Set(std::uint32_t actor, Ns at) {
    at_[actor] = at;
    Ns first = std::min(at, kNever >> bits_) << bits_ | actor;
    std::uint32_t node = leaves_ + actor;
    nodes_[node] = first;
    while (node > 1) {
      first = std::min(first, nodes_[node ^ 1]);
      node /= 2;
      nodes_[node] = first;
    }
  }

 private:
  int bits_;
  std::uint32_t leaves_;
  std::vector<Ns> at_;     // by actor
  std::vector<Ns> nodes_;  // instant and, in the lowest bits, actor; [1] is the root, the leaves come last
};

}  // namespace mortar::sim
