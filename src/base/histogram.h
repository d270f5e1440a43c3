// Small log-scale histogram of durations in nanoseconds, from which any quantile can be read.
//
// Eight buckets an octave (a bucket is 9 % wide), 256 ns … 17 s; what is outside falls in the end buckets.
// When a bucket would overflow, or every `kDecayAt` samples, all counts are halved: old behaviour fades. One
// writer; readers of another thread need their own ordering. Not for exact statistics.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace mortar::base {

class Histogram {
 public:
  static constexpr int kPerOctave = 8;
  static constexpr int kFirstOctave = 8;  // 2^8 ns
  static constexpr int kOctaves = 26;     // up to 2^34 ns = 17 s
  static constexpr int kBuckets = kPerOctave * kOctaves;
  static constexpr std::uint32_t kDecayAt = 4096;

  static constexpr int BucketOf(std::int64_t ns) {
    if (ns < (std::int64_t{1} << kFirstOctave)) return 0;
    const auto value = static_cast<std::uint64_t>(ns);
    const int octave = static_cast<int>(std::bit_width(value)) - 1;
    const int step = static_cast<int>((value >> (octave - 3)) & 7);
    return std::min((octave - kFirstOctave) * kPerOctave + step, kBuckets - 1);
  }
  static constexpr std::int64_t LowerBound(int bucket) {
    const int octave = bucket / kPerOctave + kFirstOctave;
    return (std::int64_t{1} << octave) + (std::int64_t{bucket % kPerOctave} << (octave - 3));
  }

  void Add(std::int64_t ns) {
    if (total_ >= kDecayAt) Halve();
    ++counts_[static_cast<std::size_t>(BucketOf(ns))];
    ++total_;
  }

  std::uint32_t total() const { return total_; }

  // The value below which a share `q` (0…1) of the samples that are at least `at_least_ns` lies, interpolated
  // linearly inside its bucket; `fallback` where there is no such sample.
  std::int64_t Quantile(double q, std::int64_t at_least_ns = 0, std::int64_t fallback = 0) const {
    const int first = at_least_ns <= 0 ? 0 : BucketOf(at_least_ns);
    std::uint32_t among = total_;
    for (int b = 0; b < first; ++b) among -= counts_[static_cast<std::size_t>(b)];
    if (among == 0) return fallback;
    const double target = q * among;
    std::uint32_t below = 0;
    for (int b = first; b < kBuckets; ++b) {
      const std::uint32_t here = counts_[static_cast<std::size_t>(b)];
      if (here == 0) continue;
      if (below + here >= target) {
        const std::int64_t low = b == 0 ? 0 : LowerBound(b);
        const auto width = static_cast<double>(LowerBound(b + 1) - low);
        const auto value =
            low + static_cast<std::int64_t>(width * std::clamp((target - below) / here, 0.0, 1.0));
        return std::max(value, at_least_ns);
      }
      below += here;
    }
    return LowerBound(kBuckets);
  }

  std::uint16_t count(int bucket) const { return counts_[static_cast<std::size_t>(bucket)]; }
  // For reading back from a file: sets one bucket.
  void Restore(int bucket, std::uint16_t count) {
    total_ += count;
    total_ -= counts_[static_cast<std::size_t>(bucket)];
    counts_[static_cast<std::size_t>(bucket)] = count;
  }

 private:
  void Halve() {
    total_ = 0;
    for (auto& count : counts_) total_ += (count = static_cast<std::uint16_t>(count / 2));
  }

  std::array<std::uint16_t, kBuckets> counts_{};
  std::uint32_t total_ = 0;
};

}  // namespace mortar::base
