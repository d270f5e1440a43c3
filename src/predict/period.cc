#include "predict/period.h"

#include <algorithm>

#include "base/hash.h"

namespace mortar::predict {
namespace {

constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15ULL;  // odd: multiplication by it is a bijection

}  // namespace

PeriodFinder::PeriodFinder()
    : items_(new Item[kHistory]()),
      last_(new std::uint64_t[kBuckets]()),
      powers_(new std::uint64_t[kLongest + 1]) {
  powers_[0] = 1;
  for (std::uint32_t i = 1; i <= kLongest; ++i) powers_[i] = powers_[i - 1] * kBase;
}

void PeriodFinder::Clear() {
  count_ = 0;
  std::fill_n(last_.get(), kBuckets, 0);
}

void PeriodFinder::Push(std::uint64_t symbol) {
  const std::uint64_t before = count_ > 0 ? at(count_ - 1).prefix : 0;
  const std::uint64_t one = count_ > 0 ? at(count_ - 1).symbol : 0;
  const std::uint64_t two = count_ > 1 ? at(count_ - 2).symbol : 0;
  std::uint64_t& last = last_[base::Mix(symbol + 3 * one + 7 * two) % kBuckets];
  at(count_) = {symbol, before * kBase + base::Mix(symbol), last};
  ++count_;
  last = count_;
}

bool PeriodFinder::Repeats(std::uint32_t period) const {
  if (count_ < 2 * std::uint64_t{period} + 1) return false;
  const std::uint64_t end = at(count_ - 1).prefix;
  const std::uint64_t middle = at(count_ - 1 - period).prefix;
  const std::uint64_t begin = at(count_ - 1 - 2 * std::uint64_t{period}).prefix;
  return end - middle * powers_[period] == middle - begin * powers_[period];
}

std::uint32_t PeriodFinder::Search(std::uint32_t shortest) const {
  if (count_ < 4) return 0;
  std::uint64_t occurrence = at(count_ - 1).previous;
  for (int i = 0; i < kTries && occurrence != 0; ++i) {
    const std::uint64_t distance = count_ - occurrence;
    if (distance > kLongest || 2 * distance + 1 > std::min<std::uint64_t>(count_, kHistory)) return 0;
    const auto period = static_cast<std::uint32_t>(distance);
    if (period >= shortest && Repeats(period)) return period;
    occurrence = at(occurrence - 1).previous;
  }
  return 0;
}

}  // namespace mortar::predict
