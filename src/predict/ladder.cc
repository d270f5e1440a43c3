#include "predict/ladder.h"

#include <algorithm>
#include <bit>

namespace mortar::predict {
namespace {

constexpr std::int64_t kIdleAtLeastNs = 5'000'000;
constexpr std::int64_t kIdleAtMostNs = 50'000'000;
constexpr std::int64_t kBetweenRequestsNs = 1'000'000;  // chosen

// Working the lengths out costs microseconds: often at first, later every 512 gaps.
bool Due(std::uint32_t added) { return std::has_single_bit(added) || added == 48 || added % 512 == 0; }

}  // namespace

std::uint8_t GapLadders::ClassOf(std::int64_t foretold_ns, bool after_wait) {
  const auto units = static_cast<std::uint64_t>(std::max<std::int64_t>(0, foretold_ns)) >> 13;  // 8 us
  const auto octave = static_cast<int>(std::bit_width(units));
  return static_cast<std::uint8_t>(std::min(octave / 3, 7) + (after_wait ? 8 : 0));
}

int GapLadders::RungOf(std::int64_t lasted_ns) {
  if (lasted_ns < kFirstRungNs) return -1;
  const int rung = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(lasted_ns / kFirstRungNs))) - 1;
  return std::min(rung, kRungs - 1);
}

bool GapLadders::Add(std::uint8_t gap_class, std::int64_t gap_ns) {
  base::Histogram& gaps = gaps_[gap_class];
  gaps.Add(gap_ns);
  all_.Add(gap_ns);
  if (Due(++all_added_)) {
    // Pauses between requests are few among all gaps, and they are what counts here.
    const std::int64_t between = all_.Quantile(0.9, kBetweenRequestsNs, 0);
    idle_after_ns_ = std::clamp(std::max(all_.Quantile(0.99), between), kIdleAtLeastNs, kIdleAtMostNs);
  }
  const std::uint32_t added = ++added_[gap_class];
  if (!Due(added)) return false;
  for (int r = 0; r < kRungs; ++r) {
    // Below the median: among gaps that lasted so long a quarter ends sooner than this.
    const std::int64_t ns = gaps.Quantile(0.25, kFirstRungNs << r, 0);
    lengths_us_[gap_class][static_cast<std::size_t>(r)] = static_cast<std::uint32_t>(ns / 1000);
  }
  return true;
}

}  // namespace mortar::predict
