#include "power/simulated/orin_agx.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <numbers>

#include "base/random.h"

namespace mortar::power {
namespace {

constexpr int kCores[] = {4, 8, 12};
constexpr int kCpuKhz[] = {422400, 729600, 1036800, 1344000, 1651200, 1958400, 2201600};
constexpr long kGpuHz[] = {114750000, 318750000, 522750000, 726750000, 930750000, 1134750000, 1300500000};
constexpr long kMemHz[] = {665600000, 2133000000, 3199000000};

// A reading at the default mode.
struct Anchor {
  int batch;
  double time_ms;
  double power_w;
};

struct Shares {  // of time at the default mode
  double gpu, cpu, mem, fixed;
};

struct Model {
  std::string_view name;
  bool training;
  bool measured;
  Shares first;  // at the smallest batch
  Shares last;   // at the largest: more of the device, less of the host
  std::array<Anchor, 5> anchors;
};

// The anchors marked measured: dream-lab/pagoda @ 34dbe0f4, notebook output, Apache-2.0, Jetson Orin AGX at
// its default mode. Its reading of resnet50 at batch 32 (18.355 W) is faulty; ours is between its neighbours.
// All else is chosen.
constexpr Model kModels[] = {
    {"lstm",
     false,
     true,
     {0.25, 0.50, 0.10, 0.15},
     {0.50, 0.25, 0.15, 0.10},
     {{{1, 1.232528, 29.474},
       {4, 1.522864, 30.487},
       {16, 1.883888, 29.488},
       {32, 2.411056, 35.816},
       {64, 3.364736, 41.436}}}},
    {"yolov8n",
     false,
     true,
     {0.35, 0.45, 0.10, 0.10},
     {0.65, 0.15, 0.18, 0.02},
     {{{1, 17.943621, 25.677},
       {4, 30.361891, 34.648},
       {16, 107.458115, 42.523},
       {32, 212.697983, 44.2105},
       {64, 431.46503, 44.035}}}},
    {"mobilenet",
     false,
     true,
     {0.25, 0.55, 0.08, 0.12},
     {0.55, 0.20, 0.22, 0.03},
     {{{1, 18.025488, 20.864},
       {4, 19.830769, 26.3805},
       {16, 28.11472, 38.52},
       {32, 53.966688, 38.162},
       {64, 102.085697, 39.503}}}},
    {"resnet50",
     false,
     true,
     {0.40, 0.40, 0.10, 0.10},
     {0.70, 0.08, 0.20, 0.02},
     {{{1, 15.366144, 26.929},
       {4, 19.276112, 41.4105},
       {16, 51.56144, 53.541},
       {32, 100.979504, 54.444},
       {64, 191.631409, 55.3625}}}},
    {"bert-large",
     false,
     true,
     {0.70, 0.12, 0.15, 0.03},
     {0.78, 0.03, 0.18, 0.01},
     {{{1, 61.867664, 56.84},
       {4, 230.599648, 63.218},
       {8, 444.014481, 63.557},
       {16, 920.411621, 63.5},
       {32, 1918.849304, 62.209}}}},
    {"resnet18",
     false,
     false,
     {0.35, 0.45, 0.10, 0.10},
     {0.66, 0.12, 0.19, 0.03},
     {{{1, 6.4, 24.5}, {4, 8.9, 34.0}, {16, 22.5, 46.0}, {32, 42.0, 48.5}, {64, 80.0, 49.5}}}},
    {"bert-base",
     false,
     false,
     {0.60, 0.22, 0.12, 0.06},
     {0.76, 0.05, 0.17, 0.02},
     {{{1, 21.0, 47.0}, {4, 74.0, 57.0}, {8, 142.0, 59.0}, {16, 286.0, 60.0}, {32, 590.0, 60.0}}}},
    {"vit-base",
     false,
     false,
     {0.62, 0.20, 0.12, 0.06},
     {0.78, 0.04, 0.16, 0.02},
     {{{1, 24.0, 46.0}, {4, 83.0, 56.5}, {16, 322.0, 60.5}, {32, 640.0, 61.0}, {64, 1290.0, 61.0}}}},
    {"lstm", true, false, {0.40, 0.40, 0.12, 0.08}, {0.40, 0.40, 0.12, 0.08}, {{{16, 12.5, 33.0}}}},
    {"mobilenet", true, false, {0.45, 0.33, 0.16, 0.06}, {0.45, 0.33, 0.16, 0.06}, {{{16, 104.0, 32.0}}}},
    {"resnet18", true, false, {0.58, 0.20, 0.18, 0.04}, {0.58, 0.20, 0.18, 0.04}, {{{16, 93.0, 42.0}}}},
    {"resnet50", true, false, {0.64, 0.12, 0.21, 0.03}, {0.64, 0.12, 0.21, 0.03}, {{{16, 248.0, 47.0}}}},
    {"yolov8n", true, false, {0.50, 0.28, 0.18, 0.04}, {0.50, 0.28, 0.18, 0.04}, {{{16, 212.0, 36.0}}}},
    {"bert-base", true, false, {0.74, 0.05, 0.20, 0.01}, {0.74, 0.05, 0.20, 0.01}, {{{16, 1010.0, 55.0}}}},
    {"vit-base", true, false, {0.72, 0.07, 0.19, 0.02}, {0.72, 0.07, 0.19, 0.02}, {{{16, 1160.0, 54.0}}}},
};

constexpr double kSharpness = 2.5;
// Watts at full speed and fully busy, relative to each other; chosen near what boards of this class are rated
// at.
constexpr double kStaticWatts = 6;
constexpr double kGpuWatts = 30;
constexpr double kCpuWatts = 16;
constexpr double kMemWatts = 9;
constexpr double kIdleShare = 0.25;  // of a resource's watts, drawn at its clock without work

double Voltage2(double relative) {
  const double volts = 0.6 + 0.4 * relative;
  return relative * volts * volts;
}

OrinReading Relative(const Shares& shares, const OrinMode& mode) {
  const double gpu = static_cast<double>(mode.gpu_hz) / static_cast<double>(kGpuHz[std::size(kGpuHz) - 1]);
  const double cpu = static_cast<double>(mode.cpu_khz) / kCpuKhz[std::size(kCpuKhz) - 1];
  const double mem = static_cast<double>(mode.mem_hz) / static_cast<double>(kMemHz[std::size(kMemHz) - 1]);
  const double cores = mode.cores / 12.0;
  const double parts[] = {shares.gpu / gpu, shares.cpu / (cpu * std::pow(cores, 0.7)), shares.mem / mem,
                          shares.fixed};
  double sum = 0;
  for (const double part : parts) sum += std::pow(part, kSharpness);
  OrinReading reading;
  reading.time_ms = std::pow(sum, 1 / kSharpness);
  const auto draw = [&](double part) {
    return kIdleShare + (1 - kIdleShare) * std::min(1.0, part / reading.time_ms);
  };
  reading.power_w = kStaticWatts + kGpuWatts * Voltage2(gpu) * draw(parts[0]) +
                    kCpuWatts * Voltage2(cpu) * (0.3 + 0.7 * cores) * draw(parts[1]) +
                    kMemWatts * (0.4 + 0.6 * mem) * draw(parts[2]);
  return reading;
}

std::size_t AnchorsOf(const Model& model) { return model.training ? 1 : model.anchors.size(); }

const Model* FindModel(std::string_view workload, bool training) {
  for (const Model& model : kModels) {
    if (model.name == workload && model.training == training) return &model;
  }
  return nullptr;
}

double Noisy(double value, double sigma, base::Random& random) {
  if (sigma <= 0) return value;
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return value * std::exp(sigma * radius * std::cos(2 * std::numbers::pi * random.Uniform()));
}

}  // namespace

std::vector<OrinMode> OrinModes() {
  std::vector<OrinMode> modes;
  for (const int cores : kCores) {
    for (const int cpu : kCpuKhz) {
      for (const long gpu : kGpuHz) {
        for (const long mem : kMemHz) modes.push_back({cores, cpu, gpu, mem});
      }
    }
  }
  return modes;
}

std::vector<OrinWorkload> OrinWorkloads() {
  std::vector<OrinWorkload> workloads;
  for (const Model& model : kModels) {
    OrinWorkload workload{model.name, model.training, model.measured, {}};
    for (std::size_t i = 0; i < AnchorsOf(model); ++i) workload.batches.push_back(model.anchors[i].batch);
    workloads.push_back(std::move(workload));
  }
  return workloads;
}

std::optional<OrinReading> SimulateOrin(std::string_view workload, bool training, int batch,
                                        const OrinMode& mode) {
  const Model* model = FindModel(workload, training);
  if (model == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < AnchorsOf(*model); ++i) {
    const Anchor& anchor = model->anchors[i];
    if (anchor.batch != batch) continue;
    const double part = AnchorsOf(*model) > 1 ? static_cast<double>(i) / 4 : 0;
    const auto mix = [part](double a, double b) { return a + part * (b - a); };
    const Shares shares{mix(model->first.gpu, model->last.gpu), mix(model->first.cpu, model->last.cpu),
                        mix(model->first.mem, model->last.mem), mix(model->first.fixed, model->last.fixed)};
    const OrinReading here = Relative(shares, mode);
    const OrinReading top = Relative(shares, OrinMode{});
    // Ratios of equal numbers are exactly 1, so the default mode returns the anchor itself.
    return OrinReading{anchor.time_ms * (here.time_ms / top.time_ms),
                       anchor.power_w * (here.power_w / top.power_w)};
  }
  return std::nullopt;
}

std::string OrinProfileCsv(double sigma, std::uint64_t seed) {
  base::Random random(seed);
  std::string csv = "device,workload,role,batch,cores,cpu_khz,gpu_hz,mem_hz,time_ms,power_w\n";
  const std::vector<OrinMode> modes = OrinModes();
  for (const OrinWorkload& workload : OrinWorkloads()) {
    for (const int batch : workload.batches) {
      for (const OrinMode& mode : modes) {
        const auto reading = SimulateOrin(workload.name, workload.training, batch, mode);
        if (!reading) continue;
        char line[256];
        const int length = std::snprintf(
            line, sizeof line, "orin-agx-simulated,%.*s,%s,%d,%d,%d,%ld,%ld,%.9g,%.9g\n",
            static_cast<int>(workload.name.size()), workload.name.data(),
            workload.training ? "train" : "infer", batch, mode.cores, mode.cpu_khz, mode.gpu_hz, mode.mem_hz,
            Noisy(reading->time_ms, sigma, random), Noisy(reading->power_w, sigma, random));
        csv.append(line, static_cast<std::size_t>(length));
      }
    }
  }
  return csv;
}

}  // namespace mortar::power
