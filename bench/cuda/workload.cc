// The benchmark's CUDA program. See --help.
#include "bench/cuda/workload.h"

#include <utility>

#include "bench/common/program.h"

namespace mortar::cuda_workload {

std::string ToJson(const Options& options, const Measured& measured) {
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  std::string json =
      std::string("{\"role\": \"") + (options.role == Role::kHolder ? "holder" : "filler") + "\"";
  json += std::string(", \"mode\": \"") + (options.mode == Mode::kBlocking ? "blocking" : "async") + "\"";
  json += ", \"correct\": true, \"start_ns\": " + number(measured.start_ns);
  json += ", \"end_ns\": " + number(measured.end_ns) + ", \"kernels\": " + number(measured.kernels);
  json += ", \"device\": \"" + measured.device + "\", \"device_ns\": " + number(measured.device_ns);
  return bench::EndJson(std::move(json), measured);
}

}  // namespace mortar::cuda_workload

int main(int count, char** words) {
  using namespace mortar::cuda_workload;
  return mortar::bench::Main(
      "cuda_workload", ParseOptions(count, words), HelpText(),
      [](const Options& options) { return std::pair(options.write_device, DeviceText(options)); }, Run,
      ToJson);
}
