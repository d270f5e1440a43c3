// serve: an inference service in one process. Requests arrive at planned instants; each is a small picture
// whose digit a convolutional network on an OpenCL device reads. Every answer is checked against one computed
// beforehand.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/program.h"
#include "serve/arrivals.h"
#include "serve/device_cnn.h"

namespace examples {
namespace {

struct Options {
  std::string device;
  std::string arrivals = "poisson";
  double rate = 50.0;
  double seconds = 10.0;
  int requests = 0;
  std::uint64_t seed = 1;
  double host_us = 200.0;
  bool wait = false;
  bool json = false;
  bool list = false;
};

struct Outcome {
  std::vector<double> latencies_ms;
  int wrong = 0;         // differ from the reference
  int recognised = 0;    // the digit that was drawn
  double seconds = 0.0;  // from the start to the last answer
};

bool Matches(const Scores& answer, const Scores& reference) {
  for (std::size_t i = 0; i < answer.size(); ++i) {
    if (!(std::abs(answer[i] - reference[i]) < 1e-3f)) return false;
  }
  return true;
}

Outcome Serve(DeviceCnn& network, const std::vector<Picture>& pictures, const std::vector<Scores>& references,
              const Options& options) {
  Outcome outcome;
  ArrivalKind kind = options.arrivals == "periodic" ? ArrivalKind::kPeriodic : ArrivalKind::kPoisson;
  Arrivals arrivals(kind, options.rate, options.seed);
  std::function<void()> between = [&options] { SpendHostTime(options.host_us); };
  std::int64_t start_ns = NowNs();
  for (std::size_t i = 0; options.requests == 0 || i < static_cast<std::size_t>(options.requests); ++i) {
    double arrival = arrivals.Next();
    if (options.requests == 0 && arrival >= options.seconds) break;
    std::int64_t arrival_ns = start_ns + static_cast<std::int64_t>(arrival * 1e9);
    WaitUntil(arrival_ns);
    if (StopRequested()) break;
    const Picture& picture = pictures[i % pictures.size()];
    Scores answer = network.Infer(Preprocess(picture), between);
    int digit = Best(answer);
    std::int64_t answered_ns = NowNs();
    outcome.latencies_ms.push_back(static_cast<double>(answered_ns - arrival_ns) / 1e6);
    outcome.seconds = static_cast<double>(answered_ns - start_ns) / 1e9;
    outcome.wrong += Matches(answer, references[i % pictures.size()]) ? 0 : 1;
    outcome.recognised += digit == picture.label ? 1 : 0;
  }
  return outcome;
}

void Print(const Outcome& outcome, const Options& options, const std::string& device) {
  std::vector<double> sorted = outcome.latencies_ms;
  std::sort(sorted.begin(), sorted.end());
  double count = static_cast<double>(sorted.size());
  double accuracy = sorted.empty() ? 0.0 : outcome.recognised / count;
  double rate = outcome.seconds > 0 ? count / outcome.seconds : 0.0;
  double median = Quantile(sorted, 0.5);
  double p99 = Quantile(sorted, 0.99);
  if (options.json) {
    nlohmann::ordered_json line = {{"program", "serve"},
                                   {"device", device},
                                   {"arrivals", options.arrivals},
                                   {"seed", options.seed},
                                   {"requests", sorted.size()},
                                   {"rate", rate},
                                   {"median_ms", median},
                                   {"p99_ms", p99},
                                   {"max_ms", Quantile(sorted, 1.0)},
                                   {"wrong", outcome.wrong},
                                   {"accuracy", accuracy},
                                   {"seconds", outcome.seconds}};
    if (options.list) line["latencies_ms"] = outcome.latencies_ms;
    std::printf("%s\n", line.dump().c_str());
    return;
  }
  std::printf("device    %s\nrequests  %zu, %.1f/s (%s)\nlatency   median %.3f ms, p99 %.3f ms\n",
              device.c_str(), sorted.size(), rate, options.arrivals.c_str(), median, p99);
  std::printf("answers   %d wrong, %.1f %% of the digits recognised\n", outcome.wrong, 100.0 * accuracy);
  for (std::size_t i = 0; options.list && i < outcome.latencies_ms.size(); ++i) {
    std::printf("%.3f\n", outcome.latencies_ms[i]);
  }
}

int Run(const Options& options) {
  Device device(options.device);
  std::fprintf(stderr, "serve: training the network's weights, computing reference answers\n");
  Weights weights = TrainWeights(options.seed);
  std::vector<Picture> pictures = DrawPictures(100, options.seed + 1);
  std::vector<Scores> references;
  references.reserve(pictures.size());
  for (const Picture& picture : pictures) references.push_back(Infer(weights, Preprocess(picture)));
  std::fprintf(stderr, "serve: compiling kernels\n");
  DeviceCnn network(device, weights);

  AnnounceReady("serve", device.name(), options.wait);
  Outcome outcome = Serve(network, pictures, references, options);
  Print(outcome, options, device.name());
  if (outcome.wrong > 0) std::fprintf(stderr, "serve: %d answers differ from the reference\n", outcome.wrong);
  return outcome.wrong > 0 ? 1 : 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "An inference service on OpenCL: reads digits, checks its answers, reports latencies.\n"
      "Latency runs from a request's planned arrival to its answer.\n"
      "Example: serve --rate 50 --seconds 10 --json\n"
      "Exit codes: 0 all answers right, 1 a wrong answer or an error, 77 no OpenCL device, others bad "
      "usage.");
  app.add_option("--device", options.device,
                 "part of the platform's or device's name (default: a GPU, else any)");
  app.add_option("--arrivals", options.arrivals, "poisson or periodic")
      ->check(CLI::IsMember({"poisson", "periodic"}))
      ->capture_default_str();
  app.add_option("--rate", options.rate, "requests a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "how long requests arrive")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--requests", options.requests, "how many arrive, instead of --seconds")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "for weights, pictures and arrivals")->capture_default_str();
  app.add_option("--host-us", options.host_us, "host work after each launch, in microseconds, really spent")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--wait", options.wait, "once ready, begin when a line comes on stdin");
  app.add_flag("--json", options.json, "print one JSON line");
  app.add_flag("--list", options.list, "print every latency too, in order of arrival");
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

int main(int argc, char** argv) { return examples::RunProgram("serve", examples::Main, argc, argv); }
