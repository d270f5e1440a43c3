// A synthetic but real task: small grey pictures of digits, shifted, dimmed and noisy, to be told apart.
// Pure; the same seed gives the same pictures everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace examples {

inline constexpr int kCameraSide = 24;  // what a camera would deliver, in bytes
inline constexpr int kSide = 12;        // what the networks see
inline constexpr int kPixels = kSide * kSide;
inline constexpr int kClasses = 10;

// SplitMix64: small, seeded, the same everywhere (std::normal_distribution and its like are not).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next();
  double Uniform();      // [0, 1)
  double Normal();       // mean 0, variance 1 (sum of twelve uniforms)
  int Below(int limit);  // 0 … limit - 1

 private:
  std::uint64_t state_;
};

struct Picture {
  std::array<std::uint8_t, kCameraSide* kCameraSide> camera = {};
  int label = 0;
};

std::vector<Picture> DrawPictures(int count, std::uint64_t seed);

// The pre-processing of both programs: halves the picture by averaging and centres its values around zero.
std::array<float, kPixels> Preprocess(const Picture& picture);

}  // namespace examples
