// train: a training job in one process. A small network learns to read digits by gradient descent on an
// OpenCL device; launches run ahead of the device, and the loss is read back now and then.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/program.h"
#include "train/mlp.h"

namespace examples {
namespace {

struct Options {
  std::string device;
  double seconds = 10.0;
  int steps = 0;
  int batch = 16;
  float rate = 0.01f;
  float momentum = 0.9f;
  int sync = 10;
  std::uint64_t seed = 1;
  bool wait = false;
  bool json = false;
};

struct Outcome {
  int steps = 0;
  double seconds = 0.0;
  float first_loss = 0.0f;
  float last_loss = 0.0f;  // a running mean
};

Outcome Train(Mlp& network, const Options& options) {
  constexpr std::int64_t kPrintNs = 1'000'000'000;
  Outcome outcome;
  std::int64_t start_ns = NowNs();
  std::int64_t end_ns =
      options.steps > 0 ? INT64_MAX : start_ns + static_cast<std::int64_t>(options.seconds * 1e9);
  std::int64_t print_ns = start_ns;
  while (!StopRequested() && NowNs() < end_ns && (options.steps == 0 || outcome.steps < options.steps)) {
    network.Step(options.rate, options.momentum);
    if (outcome.steps++ % options.sync != 0) continue;
    float loss = network.Loss();
    if (outcome.steps == 1) outcome.first_loss = outcome.last_loss = loss;
    outcome.last_loss += 0.1f * (loss - outcome.last_loss);
    if (NowNs() < print_ns) continue;
    std::fprintf(stderr, "train: step %d, loss %.4f\n", outcome.steps,
                 static_cast<double>(outcome.last_loss));
    print_ns = NowNs() + kPrintNs;
  }
  network.Finish();
  outcome.seconds = static_cast<double>(NowNs() - start_ns) / 1e9;
  return outcome;
}

void Print(const Outcome& outcome, const Options& options, const std::string& device) {
  double rate = outcome.seconds > 0 ? outcome.steps / outcome.seconds : 0.0;
  double first = static_cast<double>(outcome.first_loss);
  double last = static_cast<double>(outcome.last_loss);
  if (options.json) {
    nlohmann::ordered_json line = {
        {"program", "train"},   {"device", device},       {"batch", options.batch},
        {"seed", options.seed}, {"steps", outcome.steps}, {"seconds", outcome.seconds},
        {"steps_per_s", rate},  {"first_loss", first},    {"last_loss", last}};
    std::printf("%s\n", line.dump().c_str());
    return;
  }
  std::printf("device  %s\nsteps   %d in %.2f s, %.1f/s\nloss    %.4f at first, %.4f at last\n",
              device.c_str(), outcome.steps, outcome.seconds, rate, first, last);
}

int Run(const Options& options) {
  Device device(options.device);
  std::vector<Picture> pictures = DrawPictures(2000, options.seed);
  std::fprintf(stderr, "train: compiling kernels\n");
  Mlp network(device, pictures, options.batch, options.seed + 1);
  AnnounceReady("train", device.name(), options.wait);
  Print(Train(network, options), options, device.name());
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "A training job on OpenCL: learns to read digits, reports its speed; SIGTERM or SIGINT ends it early.\n"
      "Example: train --seconds 10 --json\n"
      "Exit codes: 0 done or stopped, 1 an error, 2 bad usage, 77 no OpenCL device.");
  app.add_option("--device", options.device,
                 "part of the platform's or device's name (default: a GPU, else any)");
  app.add_option("--seconds", options.seconds, "how long to train")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--steps", options.steps, "how many steps, instead of --seconds")
      ->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "pictures a step")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--learning-rate", options.rate, "of gradient descent")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--sync", options.sync,
                 "steps from one look at the loss, which waits for the device, to the next")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", options.seed, "for weights and pictures")->capture_default_str();
  app.add_flag("--wait", options.wait, "once ready, begin when a line comes on stdin");
  app.add_flag("--json", options.json, "print one JSON line");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;  // 0: --help
  }
  StopOnSignals();
  return Run(options);
}

}  // namespace
}  // namespace examples

int main(int argc, char** argv) { return examples::RunProgram("train", examples::Main, argc, argv); }
