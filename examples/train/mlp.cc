#include "train/mlp.h"

#include <clblast.h>

#include <cmath>
#include <numeric>

namespace examples {
namespace {

constexpr char kSource[] = R"(
// One work-item a value: a minibatch of `size` pixels each, taken from scattered places of the data.
kernel void gather(global const float* pixels, global const int* labels, global float* input, global int* wanted,
                   int size, int first, int stride, int count) {
  int row = get_global_id(0) / size, pixel = get_global_id(0) % size;
  int picture = (first + row * stride) % count;
  input[get_global_id(0)] = pixels[picture * size + pixel];
  if (pixel == 0) wanted[row] = labels[picture];
}

// One work-item a value.
kernel void bias_relu(global float* values, global const float* bias, int columns) {
  int i = get_global_id(0);
  values[i] = fmax(values[i] + bias[i % columns], 0.0f);
}

// One work-item a row: softmax, its cross entropy, and the error of the logits.
kernel void bias_loss(global const float* logits, global const float* bias, global const int* wanted,
                      global float* error, global float* losses, int columns) {
  int row = get_global_id(0);
  global const float* in = logits + row * columns;
  global float* out = error + row * columns;
  float largest = -INFINITY, sum = 0.0f;
  for (int i = 0; i < columns; ++i) largest = fmax(largest, in[i] + bias[i]);
  for (int i = 0; i < columns; ++i) sum += out[i] = exp(in[i] + bias[i] - largest);
  losses[row] = -log(fmax(out[wanted[row]] / sum, 1e-30f));
  for (int i = 0; i < columns; ++i) out[i] = out[i] / sum - (i == wanted[row] ? 1.0f : 0.0f);
}

// One work-item a value: nothing flows back where the ReLU was shut.
kernel void relu_gradient(global const float* values, global float* error) {
  int i = get_global_id(0);
  if (values[i] <= 0.0f) error[i] = 0.0f;
}

// One work-item a column: gradient of the bias, momentum and update in one.
kernel void bias_update(global const float* error, global float* velocity, global float* bias, int rows, int columns,
                        float rate, float momentum) {
  int column = get_global_id(0);
  float sum = 0.0f;
  for (int row = 0; row < rows; ++row) sum += error[row * columns + column];
  velocity[column] = momentum * velocity[column] + sum / rows;
  bias[column] -= rate * velocity[column];
}
)";

constexpr std::array<int, 4> kWidths = {kPixels, 48, 24, kClasses};
constexpr int kStride = 7;  // between neighbours of a minibatch, so that it mixes the classes

std::size_t Size(int count) { return static_cast<std::size_t>(count); }

// C = alpha * A·B + beta * C, row by row, with A and B as they lie in memory or turned.
struct Product {
  clblast::Transpose turn_a, turn_b;
  int rows, columns, inner;
  float alpha, beta;
};

void Multiply(const Device& device, const Product& product, const Buffer& a, const Buffer& b,
              const Buffer& c) {
  bool a_as_is = product.turn_a == clblast::Transpose::kNo;
  bool b_as_is = product.turn_b == clblast::Transpose::kNo;
  cl_command_queue queue = device.queue();
  clblast::StatusCode status = clblast::Gemm(
      clblast::Layout::kRowMajor, product.turn_a, product.turn_b, Size(product.rows), Size(product.columns),
      Size(product.inner), product.alpha, a.get(), 0, Size(a_as_is ? product.inner : product.rows), b.get(),
      0, Size(b_as_is ? product.columns : product.inner), product.beta, c.get(), 0, Size(product.columns),
      &queue, nullptr);
  Check(static_cast<cl_int>(status), "clblast::Gemm");
}

}  // namespace

Mlp::Mlp(const Device& device, const std::vector<Picture>& pictures, int batch, std::uint64_t seed)
    : device_(device),
      batch_(batch),
      count_(static_cast<int>(pictures.size())),
      program_(device.Build(kSource)) {
  gather_ = MakeKernel(program_, "gather");
  bias_ = MakeKernel(program_, "bias_relu");
  loss_ = MakeKernel(program_, "bias_loss");
  relu_gradient_ = MakeKernel(program_, "relu_gradient");
  bias_update_ = MakeKernel(program_, "bias_update");

  std::vector<float> pixels;
  std::vector<cl_int> labels;
  for (const Picture& picture : pictures) {
    std::array<float, kPixels> values = Preprocess(picture);
    pixels.insert(pixels.end(), values.begin(), values.end());
    labels.push_back(picture.label);
  }
  pixels_ = device.MakeBuffer(pixels);
  labels_ = device.MakeBuffer(labels.size() * sizeof(cl_int));
  Check(clEnqueueWriteBuffer(device.queue(), labels_.get(), CL_TRUE, 0, labels.size() * sizeof(cl_int),
                             labels.data(), 0, nullptr, nullptr),
        "clEnqueueWriteBuffer");
  input_ = device.MakeBuffer(Size(batch * kPixels) * sizeof(float));
  wanted_ = device.MakeBuffer(Size(batch) * sizeof(cl_int));
  losses_ = device.MakeBuffer(Size(batch) * sizeof(float));

  Random random(seed);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    layer.inputs = kWidths[i];
    layer.outputs = kWidths[i + 1];
    std::vector<float> weights(Size(layer.inputs * layer.outputs));
    double scale = std::sqrt(2.0 / layer.inputs);
    for (float& weight : weights) weight = static_cast<float>(scale * random.Normal());
    layer.weights = device.MakeBuffer(weights);
    layer.weights_step = device.MakeBuffer(std::vector<float>(weights.size(), 0.0f));
    layer.bias = device.MakeBuffer(std::vector<float>(Size(layer.outputs), 0.0f));
    layer.bias_step = device.MakeBuffer(std::vector<float>(Size(layer.outputs), 0.0f));
    layer.values = device.MakeBuffer(Size(batch * layer.outputs) * sizeof(float));
    layer.error = device.MakeBuffer(Size(batch * layer.outputs) * sizeof(float));
  }
  Step(0.0f, 0.0f);
  Finish();
}

void Mlp::Forward(const Buffer& input, const Layer& layer) {
  Multiply(
      device_,
      {clblast::Transpose::kNo, clblast::Transpose::kNo, batch_, layer.outputs, layer.inputs, 1.0f, 0.0f},
      input, layer.weights, layer.values);
}

void Mlp::Backward(const Buffer& input, const Layer& layer, const Layer* below, float rate, float momentum) {
  if (below != nullptr) {
    Multiply(
        device_,
        {clblast::Transpose::kNo, clblast::Transpose::kYes, batch_, layer.inputs, layer.outputs, 1.0f, 0.0f},
        layer.error, layer.weights, below->error);
    Launch(device_, relu_gradient_, Size(batch_ * layer.inputs), below->values.get(), below->error.get());
  }
  float share = 1.0f / static_cast<float>(batch_);
  Multiply(device_,
           {clblast::Transpose::kYes, clblast::Transpose::kNo, layer.inputs, layer.outputs, batch_, share,
            momentum},
           input, layer.error, layer.weights_step);
  cl_command_queue queue = device_.queue();
  clblast::StatusCode status =
      clblast::Axpy(Size(layer.inputs * layer.outputs), -rate, layer.weights_step.get(), 0, 1,
                    layer.weights.get(), 0, 1, &queue, nullptr);
  Check(static_cast<cl_int>(status), "clblast::Axpy");
  Launch(device_, bias_update_, Size(layer.outputs), layer.error.get(), layer.bias_step.get(),
         layer.bias.get(), cl_int{batch_}, cl_int{layer.outputs}, rate, momentum);
}

void Mlp::Step(float rate, float momentum) {
  Launch(device_, gather_, Size(batch_ * kPixels), pixels_.get(), labels_.get(), input_.get(), wanted_.get(),
         cl_int{kPixels}, cl_int{first_}, cl_int{kStride}, cl_int{count_});
  first_ = (first_ + kStride * batch_) % count_;
  auto& [first, second, third] = layers_;
  Forward(input_, first);
  Launch(device_, bias_, Size(batch_ * first.outputs), first.values.get(), first.bias.get(),
         cl_int{first.outputs});
  Forward(first.values, second);
  Launch(device_, bias_, Size(batch_ * second.outputs), second.values.get(), second.bias.get(),
         cl_int{second.outputs});
  Forward(second.values, third);
  Launch(device_, loss_, Size(batch_), third.values.get(), third.bias.get(), wanted_.get(), third.error.get(),
         losses_.get(), cl_int{third.outputs});
  Backward(second.values, third, &second, rate, momentum);
  Backward(first.values, second, &first, rate, momentum);
  Backward(input_, first, nullptr, rate, momentum);
}

float Mlp::Loss() {
  std::vector<float> losses(Size(batch_));
  Check(clEnqueueReadBuffer(device_.queue(), losses_.get(), CL_TRUE, 0, losses.size() * sizeof(float),
                            losses.data(), 0, nullptr, nullptr),
        "clEnqueueReadBuffer");
  return std::accumulate(losses.begin(), losses.end(), 0.0f) / static_cast<float>(batch_);
}

}  // namespace examples
