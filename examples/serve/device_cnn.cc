#include "serve/device_cnn.h"

#include <clblast.h>

#include <algorithm>

namespace examples {
namespace {

constexpr char kSource[] = R"(
// One work-item a value of patches[channels * 9][side * side], the convolution's input laid out as a matrix.
kernel void patches3x3(global const float* input, global float* patches, int side) {
  int area = side * side;
  int row = get_global_id(0) / area, cell = get_global_id(0) % area;
  int y = cell / side + row % 9 / 3 - 1, x = cell % side + row % 3 - 1;
  bool inside = y >= 0 && y < side && x >= 0 && x < side;
  patches[get_global_id(0)] = inside ? input[(row / 9 * side + y) * side + x] : 0.0f;
}

// One work-item a value of pooled[channels][side/2][side/2].
kernel void bias_relu_pool(global const float* product, global const float* bias, global float* pooled, int side) {
  int half_side = side / 2, quarter = half_side * half_side;
  int channel = get_global_id(0) / quarter, cell = get_global_id(0) % quarter;
  global const float* corner = product + (channel * side + cell / half_side * 2) * side + cell % half_side * 2;
  float largest = fmax(fmax(corner[0], corner[1]), fmax(corner[side], corner[side + 1]));
  pooled[get_global_id(0)] = fmax(largest + bias[channel], 0.0f);
}

kernel void bias_relu(global float* values, global const float* bias) {
  values[get_global_id(0)] = fmax(values[get_global_id(0)] + bias[get_global_id(0)], 0.0f);
}

// A single work-item: ten classes.
kernel void bias_softmax(global const float* logits, global const float* bias, global float* scores, int classes) {
  float largest = -INFINITY, sum = 0.0f;
  for (int i = 0; i < classes; ++i) largest = fmax(largest, logits[i] + bias[i]);
  for (int i = 0; i < classes; ++i) sum += scores[i] = exp(logits[i] + bias[i] - largest);
  for (int i = 0; i < classes; ++i) scores[i] /= sum;
}
)";

std::size_t Size(int count) { return static_cast<std::size_t>(count); }

Buffer Floats(const Device& device, int count) { return device.MakeBuffer(Size(count) * sizeof(float)); }

void CheckBlas(clblast::StatusCode status, const char* operation) {
  Check(static_cast<cl_int>(status), operation);
}

}  // namespace

DeviceCnn::DeviceCnn(const Device& device, const Weights& weights)
    : device_(device), program_(device.Build(kSource)) {
  patches_kernel_ = MakeKernel(program_, "patches3x3");
  pool_kernel_ = MakeKernel(program_, "bias_relu_pool");
  relu_kernel_ = MakeKernel(program_, "bias_relu");
  softmax_kernel_ = MakeKernel(program_, "bias_softmax");
  conv1_ = device.MakeBuffer(weights.conv1);
  bias1_ = device.MakeBuffer(weights.bias1);
  conv2_ = device.MakeBuffer(weights.conv2);
  bias2_ = device.MakeBuffer(weights.bias2);
  dense1_ = device.MakeBuffer(weights.dense1);
  bias3_ = device.MakeBuffer(weights.bias3);
  dense2_ = device.MakeBuffer(weights.dense2);
  bias4_ = device.MakeBuffer(weights.bias4);
  input_ = Floats(device, kPixels);
  patches_ = Floats(device, std::max(kTaps * kPixels, kChannels1 * kTaps * kSide2 * kSide2));
  product_ = Floats(device, std::max(kChannels1 * kPixels, kChannels2 * kSide2 * kSide2));
  pooled1_ = Floats(device, kChannels1 * kSide2 * kSide2);
  pooled2_ = Floats(device, kFeatures);
  hidden_ = Floats(device, kHidden);
  logits_ = Floats(device, kClasses);
  scores_ = Floats(device, kClasses);
  Infer(Pixels{}, [] {});
}

void DeviceCnn::LaunchConvolution(const Buffer& input, int channels, int side, const Buffer& kernel,
                                  const Buffer& bias, int outputs, const Buffer& pooled,
                                  const std::function<void()>& between) {
  std::size_t rows = Size(channels * kTaps);
  std::size_t cells = Size(side * side);
  Launch(device_, patches_kernel_, rows * cells, input.get(), patches_.get(), cl_int{side});
  between();
  cl_command_queue queue = device_.queue();
  CheckBlas(clblast::Gemm(clblast::Layout::kRowMajor, clblast::Transpose::kNo, clblast::Transpose::kNo,
                          Size(outputs), cells, rows, 1.0f, kernel.get(), 0, rows, patches_.get(), 0, cells,
                          0.0f, product_.get(), 0, cells, &queue, nullptr),
            "clblast::Gemm");
  between();
  Launch(device_, pool_kernel_, Size(outputs) * cells / 4, product_.get(), bias.get(), pooled.get(),
         cl_int{side});
  between();
}

void DeviceCnn::LaunchDense(const Buffer& matrix, int rows, int columns, const Buffer& input,
                            const Buffer& output) {
  cl_command_queue queue = device_.queue();
  CheckBlas(clblast::Gemv(clblast::Layout::kRowMajor, clblast::Transpose::kNo, Size(rows), Size(columns),
                          1.0f, matrix.get(), 0, Size(columns), input.get(), 0, 1, 0.0f, output.get(), 0, 1,
                          &queue, nullptr),
            "clblast::Gemv");
}

Scores DeviceCnn::Infer(const Pixels& pixels, const std::function<void()>& between) {
  Check(clEnqueueWriteBuffer(device_.queue(), input_.get(), CL_FALSE, 0, sizeof(pixels), pixels.data(), 0,
                             nullptr, nullptr),
        "clEnqueueWriteBuffer");
  between();
  LaunchConvolution(input_, 1, kSide, conv1_, bias1_, kChannels1, pooled1_, between);
  LaunchConvolution(pooled1_, kChannels1, kSide2, conv2_, bias2_, kChannels2, pooled2_, between);
  LaunchDense(dense1_, kHidden, kFeatures, pooled2_, hidden_);
  between();
  Launch(device_, relu_kernel_, Size(kHidden), hidden_.get(), bias3_.get());
  between();
  LaunchDense(dense2_, kClasses, kHidden, hidden_, logits_);
  between();
  Launch(device_, softmax_kernel_, 1, logits_.get(), bias4_.get(), scores_.get(), cl_int{kClasses});
  Scores scores;
  Check(clEnqueueReadBuffer(device_.queue(), scores_.get(), CL_TRUE, 0, sizeof(scores), scores.data(), 0,
                            nullptr, nullptr),
        "clEnqueueReadBuffer");
  return scores;
}

}  // namespace examples
