#include "serve/cnn.h"

#include <algorithm>
#include <cmath>

namespace examples {
namespace {

std::size_t At(int index) { return static_cast<std::size_t>(index); }

std::vector<float> RandomMatrix(int rows, int columns, Random& random) {
  std::vector<float> values(At(rows * columns));
  double scale = std::sqrt(2.0 / columns);
  for (float& value : values) value = static_cast<float>(scale * random.Normal());
  return values;
}

// 3x3 convolution with zero borders, bias, ReLU and 2x2 maximum, over a [channels][side][side] input.
std::vector<float> Convolve(const std::vector<float>& input, int channels, int side,
                            const std::vector<float>& kernel, const std::vector<float>& bias) {
  int outputs = static_cast<int>(bias.size());
  int half = side / 2;
  std::vector<float> pooled(At(outputs * half * half), 0.0f);  // ReLU: nothing is below zero
  for (int output = 0; output < outputs; ++output) {
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        float sum = bias[At(output)];
        for (int tap = 0; tap < channels * kTaps; ++tap) {
          int source_y = y + tap % kTaps / 3 - 1;
          int source_x = x + tap % 3 - 1;
          if (source_y < 0 || source_y >= side || source_x < 0 || source_x >= side) continue;
          sum += kernel[At(output * channels * kTaps + tap)] *
                 input[At((tap / kTaps * side + source_y) * side + source_x)];
        }
        float& cell = pooled[At((output * half + y / 2) * half + x / 2)];
        cell = std::max(cell, sum);
      }
    }
  }
  return pooled;
}

std::vector<float> Dense(const std::vector<float>& input, const std::vector<float>& matrix,
                         const std::vector<float>& bias) {
  std::vector<float> output = bias;
  for (std::size_t row = 0; row < output.size(); ++row) {
    for (std::size_t i = 0; i < input.size(); ++i) output[row] += matrix[row * input.size() + i] * input[i];
  }
  return output;
}

std::vector<float> Features(const Weights& weights, const Pixels& pixels) {
  std::vector<float> input(pixels.begin(), pixels.end());
  input = Convolve(input, 1, kSide, weights.conv1, weights.bias1);
  return Convolve(input, kChannels1, kSide2, weights.conv2, weights.bias2);
}

std::vector<float> Hidden(const Weights& weights, const std::vector<float>& features) {
  std::vector<float> hidden = Dense(features, weights.dense1, weights.bias3);
  for (float& value : hidden) value = std::max(value, 0.0f);
  return hidden;
}

Scores Softmax(const std::vector<float>& logits) {
  Scores scores;
  float largest = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) sum += scores[i] = std::exp(logits[i] - largest);
  for (float& score : scores) score /= sum;
  return scores;
}

// matrix -= rate * error ⊗ input, and the bias likewise.
void Descend(std::vector<float>& matrix, std::vector<float>& bias, const std::vector<float>& error,
             const std::vector<float>& input, float rate) {
  for (std::size_t row = 0; row < error.size(); ++row) {
    bias[row] -= rate * error[row];
    for (std::size_t i = 0; i < input.size(); ++i)
      matrix[row * input.size() + i] -= rate * error[row] * input[i];
  }
}

void TrainOn(Weights& weights, const std::vector<float>& features, int label, float rate) {
  std::vector<float> hidden = Hidden(weights, features);
  Scores scores = Softmax(Dense(hidden, weights.dense2, weights.bias4));
  std::vector<float> error(scores.begin(), scores.end());
  error[At(label)] -= 1.0f;
  std::vector<float> hidden_error(hidden.size(), 0.0f);
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    if (hidden[i] <= 0.0f) continue;
    for (std::size_t row = 0; row < error.size(); ++row) {
      hidden_error[i] += error[row] * weights.dense2[row * hidden.size() + i];
    }
  }
  Descend(weights.dense2, weights.bias4, error, hidden, rate);
  Descend(weights.dense1, weights.bias3, hidden_error, features, rate);
}

}  // namespace

Weights TrainWeights(std::uint64_t seed) {
  constexpr int kExamples = 1200;
  constexpr int kEpochs = 12;
  constexpr float kRate = 0.02f;
  Random random(seed);
  Weights weights;
  weights.conv1 = RandomMatrix(kChannels1, kTaps, random);
  weights.bias1 = RandomMatrix(1, kChannels1, random);
  weights.conv2 = RandomMatrix(kChannels2, kChannels1 * kTaps, random);
  weights.bias2 = RandomMatrix(1, kChannels2, random);
  weights.dense1 = RandomMatrix(kHidden, kFeatures, random);
  weights.bias3.assign(At(kHidden), 0.0f);
  weights.dense2 = RandomMatrix(kClasses, kHidden, random);
  weights.bias4.assign(At(kClasses), 0.0f);

  std::vector<Picture> pictures = DrawPictures(kExamples, random.Next());
  std::vector<std::vector<float>> features;
  features.reserve(pictures.size());
  for (const Picture& picture : pictures) features.push_back(Features(weights, Preprocess(picture)));
  for (int step = 0; step < kExamples * kEpochs; ++step) {
    std::size_t i = At(random.Below(kExamples));
    TrainOn(weights, features[i], pictures[i].label, kRate);
  }
  return weights;
}

Scores Infer(const Weights& weights, const Pixels& pixels) {
  return Softmax(Dense(Hidden(weights, Features(weights, pixels)), weights.dense2, weights.bias4));
}

int Best(const Scores& scores) {
  return static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace examples
