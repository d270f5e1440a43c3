#include <random>
#include <string_view>

#include "bench/common/program.h"
#include "bench/cuda/workload.h"

namespace mortar::cuda_workload {
namespace {

constexpr char kHelp[] =
    R"(Usage: cuda_workload [options]   a CUDA program with a known pattern of kernels; prints one JSON line

  --role holder|filler        holder: requests of kernels of 5 to 200 us, the host at work for 20 to 150 us after
                              each; filler: iterations of kernels of 5 to 400 us, launched ahead    (holder)
  --mode blocking|async       holder: wait after each kernel, or once a request                     (blocking)
  --kernels N                 in a request, or in an iteration                                      (60)
  --rest-us N                 holder: from one request's end to the next                            (2000)
  --depth N                   filler: launches ahead of the device, at most                         (1000)
  --requests N --seconds S    when to end; SIGTERM also ends it                                     (no end)
  --warm-up N                 requests or iterations before measuring                               (2)
  --seed N                    which kernel comes when, and the gaps                                 (1)
  --rate R                    holder: R requests a second, at random                                (one after another)
  --check 1                   kernels count themselves on the simulated device too
  --wait 1                    once ready, begin when a line comes on stdin
  --pulse-file FILE           three words of eight bytes, shared: when the program launched last, the longest time
                              between two launches, and when that ended (CLOCK_MONOTONIC, ns; the second is set
                              back by whoever reads); of requests and progress only the number is kept then
  --ready-file FILE           made when measuring begins
  --write-device FILE [--device-mode sliced|merged|fifo] [--switch-us N]
                              write the description of a simulated device for both roles, and end   (sliced 20)

Example: cuda_workload --write-device d.toml && mortar run --sim-device d.toml -- cuda_workload --requests 100
)";

bool ReadOption(std::string_view name, std::string_view value, Options* options) {
  if (name == "--role" && (value == "holder" || value == "filler")) {
    options->role = value == "holder" ? Role::kHolder : Role::kFiller;
  } else if (name == "--mode" && (value == "blocking" || value == "async")) {
    options->mode = value == "blocking" ? Mode::kBlocking : Mode::kAsync;
  } else if (name == "--device-mode" && (value == "sliced" || value == "merged" || value == "fifo")) {
    options->device_mode = value;
  } else if (name == "--seconds" || name == "--rate") {
    return bench::ToNumber(value, name == "--rate" ? &options->rate : &options->seconds);
  } else if (name == "--write-device") {
    options->write_device = value;
  } else if (name == "--pulse-file") {
    options->pulse_file = value;
  } else if (name == "--ready-file") {
    options->ready_file = value;
  } else if (name == "--seed") {
    int seed = 0;
    if (!bench::ToInt(value, &seed)) return false;
    options->seed = static_cast<unsigned>(seed);
  } else {
    return bench::ReadInt(name, value,
                          {{"--kernels", &options->kernels},
                           {"--check", &options->check},
                           {"--wait", &options->wait},
                           {"--rest-us", &options->rest_us},
                           {"--depth", &options->depth},
                           {"--requests", &options->requests},
                           {"--warm-up", &options->warm_up},
                           {"--switch-us", &options->switch_us}});
  }
  return true;
}

}  // namespace

std::string HelpText() { return kHelp; }

base::Result<Options> ParseOptions(int count, char** words) {
  return bench::ParseWords<Options>(count, words, ReadOption);
}

const std::vector<int>& Lengths(Role role) {
  static const std::vector<int> holder = {5, 7, 10, 15, 22, 32, 47, 70, 100, 140, 200};
  static const std::vector<int> filler = {5, 8, 13, 20, 32, 50, 80, 120, 180, 270, 400};
  return role == Role::kHolder ? holder : filler;
}

std::string KernelName(Role role, int length_us) {
  return (role == Role::kHolder ? "hold_" : "fill_") + std::to_string(length_us) + "us";
}

std::vector<Step> Steps(const Options& options) {
  constexpr std::int64_t kLeastGapNs = 20'000;
  constexpr std::int64_t kMostGapNs = 150'000;
  std::minstd_rand random(options.seed + (options.role == Role::kHolder ? 0 : 1000));
  std::vector<Step> steps;
  for (int i = 0; i < options.kernels; ++i) {
    const auto kernel = static_cast<int>(random() % Lengths(options.role).size());
    const auto gap = static_cast<std::int64_t>(random() % (kMostGapNs - kLeastGapNs));
    steps.push_back({kernel, kLeastGapNs + gap});
  }
  return steps;
}

std::string DeviceText(const Options& options) {
  std::string text =
      "# Written by cuda_workload --write-device.\n[device]\nname = \"Benchmark device\"\n[time]\nmode = \"" +
      options.device_mode + "\"\nslice_us = 2000\nswitch_us = " + std::to_string(options.switch_us) +
      "\nlaunch_latency_us = 4\n[default]\nus = 20\n";
  for (const Role role : {Role::kHolder, Role::kFiller}) {
    for (const int length : Lengths(role)) {
      text +=
          "[[kernel]]\nname = \"" + KernelName(role, length) + "\"\nus = " + std::to_string(length) + "\n";
    }
  }
  return text;
}

std::string PtxText(Role role) {
  std::string text = ".version 7.0\n.target sm_70\n.address_size 64\n";
  for (const int length : Lengths(role)) {
    text += ".visible .entry " + KernelName(role, length) + "(.param .u64 count, .param .u64 ns)\n{\n" + R"(
  .reg .pred %p;
  .reg .b32 %r;
  .reg .b64 %rd<6>;
  ld.param.u64 %rd1, [count];
  ld.param.u64 %rd2, [ns];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u64 %rd3, %globaltimer;
SPIN:
  mov.u64 %rd4, %globaltimer;
  sub.u64 %rd5, %rd4, %rd3;
  setp.lt.u64 %p, %rd5, %rd2;
  @%p bra SPIN;
  atom.global.add.u32 %r, [%rd1], 1;
  ret;
}
)";
  }
  return text;
}

}  // namespace mortar::cuda_workload
