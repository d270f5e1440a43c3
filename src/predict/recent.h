// The last sixteen samples of one duration, from which a quantile is read: what is known of one position in a
// program's period. Adapts within sixteen repetitions; for long memories use base::Histogram.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace mortar::predict {

class Recent {
 public:
  static constexpr int kSize = 16;

  // Nanoseconds, clamped to [0, 4.29 s].
  void Add(std::int64_t ns) {
    samples_[count_ % kSize] = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ns, 0, UINT32_MAX));
    ++count_;
  }
  std::uint32_t count() const { return count_; }

  // REQUIRES: count() > 0. The sample at share `q` (0…1) of the sorted samples.
  std::int64_t Quantile(double q) const {
    const int n = static_cast<int>(std::min<std::uint32_t>(count_, kSize));
    std::array<std::uint32_t, kSize> sorted = samples_;
    const int at = std::clamp(static_cast<int>(q * (n - 1) + 0.5), 0, n - 1);
    std::nth_element(sorted.begin(), sorted.begin() + at, sorted.begin() + n);
    return sorted[static_cast<std::size_t>(at)];
  }

 private:
  std::array<std::uint32_t, kSize> samples_{};
  std::uint32_t count_ = 0;
};

}  // namespace mortar::predict
