// `nn`: dense networks over 250 profiled modes predict time and power; answers are verified as those of als
// are.
//
// Differs from Fulcrum: layers 256-128-64, ReLU, dropout 0.4 and 0.3 and Adam at 1e-3 are the baseline's as
// told; the loss (squared error of logarithms, standardised), minibatches of 64 and 120 epochs are ours, and
// so is verifying: the network's own answer may break a budget, ours may not.
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "plan/estimate.h"
#include "plan/planners.h"

namespace mortar::plan {
namespace {

using Matrix = Eigen::MatrixXf;

constexpr std::array<Eigen::Index, 3> kLayers = {256, 128, 64};
constexpr std::array<float, 3> kDropout = {0.4F, 0.3F, 0.0F};
constexpr float kRate = 1e-3F;
constexpr int kEpochs = 120;
constexpr Eigen::Index kMinibatch = 64;

// One dense layer with the state of Adam.
struct Layer {
  Matrix weight, weight_m, weight_v;
  Eigen::VectorXf bias, bias_m, bias_v;

  Layer(Eigen::Index in, Eigen::Index out, base::Random& random) {
    weight.resize(out, in);
    const double scale = std::sqrt(6.0 / static_cast<double>(in));  // He, uniform
    for (Eigen::Index i = 0; i < weight.size(); ++i) {
      weight.data()[i] = static_cast<float>(scale * (2 * random.Uniform() - 1));
    }
    bias = Eigen::VectorXf::Zero(out);
    weight_m = weight_v = Matrix::Zero(out, in);
    bias_m = bias_v = Eigen::VectorXf::Zero(out);
  }

  template <typename Value, typename Gradient>
  static void Adam(Value& value, Value& m, Value& v, const Gradient& gradient, int step) {
    constexpr float kBeta1 = 0.9F;
    constexpr float kBeta2 = 0.999F;
    m = kBeta1 * m + (1 - kBeta1) * gradient;
    // Means of weights that see nothing any more fade into denormal numbers, which cost a hundred times more.
    m = (m.array().abs() < 1e-20F).select(0.0F, m);
    v = kBeta2 * v + (1 - kBeta2) * gradient.cwiseAbs2();
    const float unbias1 = 1 - std::pow(kBeta1, static_cast<float>(step));
    const float unbias2 = 1 - std::pow(kBeta2, static_cast<float>(step));
    value.array() -= kRate * (m.array() / unbias1) / ((v.array() / unbias2).sqrt() + 1e-8F);
  }

  void Update(const Matrix& weight_gradient, const Eigen::VectorXf& bias_gradient, int step) {
    Adam(weight, weight_m, weight_v, weight_gradient, step);
    Adam(bias, bias_m, bias_v, bias_gradient, step);
  }
};

// Columns are samples: x is features x n, y is 2 x n (log time, log power).
class Network {
 public:
  Network(Eigen::Index features, std::uint64_t seed) : random_(seed) {
    Eigen::Index in = features;
    for (const Eigen::Index out : kLayers) {
      layers_.emplace_back(in, out, random_);
      in = out;
    }
    layers_.emplace_back(in, 2, random_);
  }

  void Train(const Matrix& x, const Matrix& y) {
    center_ = y.rowwise().mean();
    scale_ = ((y.colwise() - center_).rowwise().squaredNorm() / static_cast<float>(y.cols())).cwiseSqrt();
    scale_ = scale_.cwiseMax(1e-3F);
    const Matrix target = (y.colwise() - center_).array().colwise() / scale_.array();
    std::vector<Eigen::Index> order(static_cast<std::size_t>(x.cols()));
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    int step = 0;
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.Next() % i]);
      for (std::size_t from = 0; from < order.size(); from += kMinibatch) {
        const auto count = std::min<std::size_t>(kMinibatch, order.size() - from);
        Matrix part(x.rows(), static_cast<Eigen::Index>(count));
        Matrix want(2, static_cast<Eigen::Index>(count));
        for (std::size_t i = 0; i < count; ++i) {
          part.col(static_cast<Eigen::Index>(i)) = x.col(order[from + i]);
          want.col(static_cast<Eigen::Index>(i)) = target.col(order[from + i]);
        }
        Step(part, want, ++step);
      }
    }
  }

  Matrix Predict(const Matrix& x) const {
    Matrix value = x;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      value = (layers_[l].weight * value).colwise() + layers_[l].bias;
      if (l + 1 < layers_.size()) value = value.cwiseMax(0.0F);
    }
    return (value.array().colwise() * scale_.array()).matrix().colwise() + center_;
  }

 private:
  void Step(const Matrix& x, const Matrix& want, int step) {
    std::vector<Matrix> inputs{x};  // of each layer
    std::vector<Matrix> gates;      // derivative of ReLU and dropout after each layer but the last
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      Matrix value = (layers_[l].weight * inputs.back()).colwise() + layers_[l].bias;
      if (l + 1 < layers_.size()) {
        const float keep = 1 - kDropout[l];
        gates.push_back(value.unaryExpr([&](float v) {
          const bool kept = kDropout[l] <= 0 || random_.Uniform() < static_cast<double>(keep);
          return v > 0 && kept ? 1 / keep : 0.0F;
        }));
        value = value.cwiseProduct(gates.back());
      }
      inputs.push_back(std::move(value));
    }
    Matrix gradient = (inputs.back() - want) * (2.0F / static_cast<float>(x.cols()));
    for (std::size_t l = layers_.size(); l-- > 0;) {
      const Matrix weight_gradient = gradient * inputs[l].transpose();
      const Eigen::VectorXf bias_gradient = gradient.rowwise().sum();
      if (l > 0) gradient = (layers_[l].weight.transpose() * gradient).cwiseProduct(gates[l - 1]);
      layers_[l].Update(weight_gradient, bias_gradient, step);
    }
  }

  base::Random random_;
  std::vector<Layer> layers_;
  Eigen::VectorXf center_, scale_;
};

class Nn final : public SetPlanner {
 public:
  Nn(const Space& space, Profiler& profiler, const StrategyOptions& options)
      : SetPlanner(space, profiler), options_(options) {}

 private:
  // Knobs and batch, each standardised to [-1, 1]; batches by their logarithm.
  Matrix Features(const std::vector<int>& batches) const {
    const Table& table = space_.table();
    const auto knobs = static_cast<Eigen::Index>(table.knobs.size());
    Matrix x(knobs + 1, static_cast<Eigen::Index>(batches.size()) * space_.modes());
    for (Eigen::Index i = 0; i < x.cols(); ++i) {
      const auto& mode = table.modes[static_cast<std::size_t>(i % space_.modes())];
      for (Eigen::Index k = 0; k < knobs; ++k)
        x(k, i) = static_cast<float>(mode[static_cast<std::size_t>(k)]);
      x(knobs, i) = std::log(static_cast<float>(batches[static_cast<std::size_t>(i / space_.modes())]));
    }
    for (Eigen::Index row = 0; row < x.rows(); ++row) {
      const float low = x.row(row).minCoeff();
      const float high = x.row(row).maxCoeff();
      x.row(row).array() = high > low ? Eigen::ArrayXf((x.row(row).array() - low) * (2 / (high - low)) - 1)
                                      : Eigen::ArrayXf::Zero(x.cols()).eval();
    }
    return x;
  }

  // Trains on the probes and predicts every (batch, mode) of one side.
  Matrix Learn(const std::vector<int>& batches, bool background) const {
    const Matrix x = Features(batches);
    const auto place = [&](const Probe& probe) {
      const int batch = background ? probe.choice.batch2 : probe.choice.batch;
      return static_cast<Eigen::Index>(batch) * space_.modes() + probe.choice.mode;
    };
    // Training at a mode is read beside every batch of the inference there; once is enough to learn from.
    std::map<Eigen::Index, const Probe*> distinct;
    for (const Probe& probe : probes_) distinct.emplace(place(probe), &probe);
    Matrix seen(x.rows(), static_cast<Eigen::Index>(distinct.size()));
    Matrix y(2, seen.cols());
    Eigen::Index at = 0;
    for (const auto& [i, probe] : distinct) {
      seen.col(at) = x.col(i);
      const Sample& sample = probe->measured.sample;
      y(0, at) = static_cast<float>(std::log(background ? sample.t_bg : sample.t_in));
      y(1, at) = static_cast<float>(std::log(background ? sample.p_bg : sample.p_in));
      ++at;
    }
    Network network(x.rows(), options_.seed + (background ? 1 : 0));
    network.Train(seen, y);
    return network.Predict(x).array().exp();
  }

  std::vector<Estimate> Collect() override {
    MeasureModes();
    Matrix infer;
    Matrix background;
    if (space_.has_inference()) infer = Learn(space_.batches(), false);
    if (space_.has_background()) background = Learn(space_.batches2(), true);
    std::vector<Estimate> all;
    for (int m = 0; m < space_.modes(); ++m) {
      for (int b = 0; b < static_cast<int>(space_.batches().size()); ++b) {
        for (int b2 = 0; b2 < static_cast<int>(space_.batches2().size()); ++b2) {
          const Choice choice{m, b, b2};
          if (!space_.Exists(choice)) continue;
          Estimate estimate{choice, {}, kDoubt, kDoubt, kDoubt, kDoubt};
          if (space_.has_inference()) {
            const Eigen::Index i = static_cast<Eigen::Index>(b) * space_.modes() + m;
            estimate.expected.t_in = static_cast<double>(infer(0, i));
            estimate.expected.p_in = static_cast<double>(infer(1, i));
          }
          if (space_.has_background()) {
            const Eigen::Index i = static_cast<Eigen::Index>(b2) * space_.modes() + m;
            estimate.expected.t_bg = static_cast<double>(background(0, i));
            estimate.expected.p_bg = static_cast<double>(background(1, i));
          }
          all.push_back(estimate);
        }
      }
    }
    return all;
  }

  // Random modes; at each, the batches of both sides go round together, so that every batch is seen at every
  // mode.
  void MeasureModes() {
    std::vector<int> modes(static_cast<std::size_t>(space_.modes()));
    std::iota(modes.begin(), modes.end(), 0);
    base::Random random(options_.seed);
    const auto count = std::min(modes.size(), static_cast<std::size_t>(options_.probes));
    const int rounds = static_cast<int>(std::max(space_.batches().size(), space_.batches2().size()));
    for (std::size_t i = 0; i < count; ++i) {
      std::swap(modes[i], modes[i + static_cast<std::size_t>(random.Next() % (modes.size() - i))]);
      for (int round = 0; round < rounds; ++round) {
        Measure(Choice{modes[i], round % static_cast<int>(space_.batches().size()),
                       round % static_cast<int>(space_.batches2().size())});
      }
    }
  }

  static constexpr float kDoubt = 0.04F;  // what such a network is off by, for want of an estimate of its own
  const StrategyOptions options_;
};

}  // namespace

std::unique_ptr<Planner> MakeNn(const Space& space, Profiler& profiler, const StrategyOptions& options) {
  return std::make_unique<Nn>(space, profiler, options);
}

}  // namespace mortar::plan
