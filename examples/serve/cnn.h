// The network of the inference service, on the processor: its weights, how they come about, and the reference
// answers. Pure.
//
//   12x12 picture -> 3x3 convolution, 8 channels, ReLU, 2x2 maximum -> 3x3 convolution, 16 channels, ReLU,
//   2x2 maximum
//   -> dense 32, ReLU -> dense 10 -> softmax
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/digits.h"

namespace examples {

inline constexpr int kTaps = 9;  // of a 3x3 convolution
inline constexpr int kSide2 = kSide / 2;
inline constexpr int kSide3 = kSide / 4;
inline constexpr int kChannels1 = 8;
inline constexpr int kChannels2 = 16;
inline constexpr int kFeatures = kChannels2 * kSide3 * kSide3;
inline constexpr int kHidden = 32;

using Pixels = std::array<float, kPixels>;
using Scores = std::array<float, kClasses>;  // probabilities, one a class

// All matrices row by row.
struct Weights {
  std::vector<float> conv1, bias1;   // [channels 1][taps], [channels 1]
  std::vector<float> conv2, bias2;   // [channels 2][channels 1 * taps], [channels 2]
  std::vector<float> dense1, bias3;  // [hidden][features], [hidden]
  std::vector<float> dense2, bias4;  // [classes][hidden], [classes]
};

// Random convolutions, and dense layers trained on pictures drawn from `seed`; takes some tenths of a second.
Weights TrainWeights(std::uint64_t seed);

// What the device must answer, up to rounding.
Scores Infer(const Weights& weights, const Pixels& pixels);

int Best(const Scores& scores);

}  // namespace examples
