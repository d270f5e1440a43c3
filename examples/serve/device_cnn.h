// The same network on an OpenCL device: products through CLBlast, the rest in four small kernels. One thread.
#pragma once

#include <functional>

#include "common/opencl.h"
#include "serve/cnn.h"

namespace examples {

class DeviceCnn {
 public:
  // Uploads the weights and runs the network once, so that every kernel is compiled before the first request.
  DeviceCnn(const Device& device, const Weights& weights);

  // One request: copies the pixels in, launches ten kernels without waiting, and blocks for the answer.
  // `between` runs on the host after every launch, as a framework's own work does.
  Scores Infer(const Pixels& pixels, const std::function<void()>& between);

 private:
  void LaunchConvolution(const Buffer& input, int channels, int side, const Buffer& kernel,
                         const Buffer& bias, int outputs, const Buffer& pooled,
                         const std::function<void()>& between);
  void LaunchDense(const Buffer& matrix, int rows, int columns, const Buffer& input, const Buffer& output);

  const Device& device_;
  Program program_;
  Kernel patches_kernel_, pool_kernel_, relu_kernel_, softmax_kernel_;
  Buffer conv1_, bias1_, conv2_, bias2_, dense1_, bias3_, dense2_, bias4_;
  Buffer input_, patches_, product_, pooled1_, pooled2_, hidden_, logits_, scores_;
};

}  // namespace examples
