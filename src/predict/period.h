// Finds the period (a request, a training iteration) in the stream of what a thread submits.
//
// A symbol is a kernel identity together with whether the thread waited before it. A period P is accepted
// when the last P symbols equal the P before them. Push is O(1); Search tries at most kTries candidates, each
// O(1) by prefix hashes. One owner. Memory is taken at construction.
#pragma once

#include <cstdint>
#include <memory>

namespace mortar::predict {

class PeriodFinder {
 public:
  static constexpr std::uint32_t kHistory = 16384;
  static constexpr std::uint32_t kLongest = 4096;  // submits in a period
  static constexpr int kTries = 64;

  PeriodFinder();
  // Appends a symbol.
  void Push(std::uint64_t symbol);
  // The shortest accepted period that is at least `shortest`, or 0.
  std::uint32_t Search(std::uint32_t shortest) const;
  // The symbol `back` before the newest (0: the newest). REQUIRES: back < min(pushed, kHistory).
  std::uint64_t Symbol(std::uint32_t back) const { return at(count_ - 1 - back).symbol; }
  std::uint64_t pushed() const { return count_; }
  void Clear();

 private:
  struct Item {
    std::uint64_t symbol;
    std::uint64_t prefix;    // polynomial hash of all symbols up to and with this one
    std::uint64_t previous;  // 1 + index of the last earlier occurrence of the same three symbols; 0: none
  };
  static constexpr std::uint32_t kBuckets = 4096;
  Item& at(std::uint64_t index) const { return items_[index % kHistory]; }
  bool Repeats(std::uint32_t period) const;

  std::unique_ptr<Item[]> items_;
  std::unique_ptr<std::uint64_t[]> last_;    // by hash of three symbols: 1 + index
  std::unique_ptr<std::uint64_t[]> powers_;  // of the polynomial's base, 0…kLongest
  std::uint64_t count_ = 0;
};

}  // namespace mortar::predict
