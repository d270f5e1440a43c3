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

  // REQUIRES: count() > 0. Mean of the middle half of the samples: as steady as a mean, as deaf to outliers
  // as a median.
  std::int64_t Middle() const {
    const int n = static_cast<int>(std::min<std::uint32_t>(count_, kSize));
    std::array<std::uint32_t, kSize> sorted = samples_;
    std::sort(sorted.begin(), sorted.begin() + n);
    const int first = n / 4;
    const int last = n - n / 4;
    std::int64_t sum = 0;
    for (int i = first; i < last; ++i) sum += sorted[static_cast<std::size_t>(i)];
    return sum / (last - first);
  }

 private:
  std::array<std::uint32_t, kSize> samples_{};
  std::uint32_t count_ = 0;
};

}  // namespace mortar::predict
