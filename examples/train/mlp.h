// A network of dense layers trained by gradient descent with momentum on an OpenCL device: products through
// CLBlast, the rest in small kernels. One thread. Launches never wait; only Loss and Finish do.
//
//   144 pixels -> dense 48, ReLU -> dense 24, ReLU -> dense 10 -> softmax and cross entropy
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/digits.h"
#include "common/opencl.h"

namespace examples {

class Mlp {
 public:
  // Uploads `pictures` and random weights, and runs one step with a rate of zero so that every kernel is
  // compiled.
  Mlp(const Device& device, const std::vector<Picture>& pictures, int batch, std::uint64_t seed);

  // Launches one step (forward, backward, update) over the next minibatch, and returns at once.
  void Step(float rate, float momentum);

  // Mean loss over the minibatch of the last step; blocks until the device is done with it.
  float Loss();

  // Blocks until the device has done all steps.
  void Finish() { device_.Finish(); }

 private:
  struct Layer {
    int inputs = 0;
    int outputs = 0;
    Buffer weights, bias;            // [inputs][outputs], [outputs]
    Buffer weights_step, bias_step;  // momentum
    Buffer values, error;            // [batch][outputs]
  };

  void Forward(const Buffer& input, const Layer& layer);
  // Given the layer's error: the error of the layer below, if there is one, then the layer's own update.
  void Backward(const Buffer& input, const Layer& layer, const Layer* below, float rate, float momentum);

  const Device& device_;
  int batch_;
  int count_;      // pictures
  int first_ = 0;  // of the next minibatch
  Program program_;
  Kernel gather_, bias_, loss_, relu_gradient_, bias_update_;
  Buffer pixels_, labels_;          // all pictures
  Buffer input_, wanted_, losses_;  // the minibatch
  std::array<Layer, 3> layers_;
};

}  // namespace examples
