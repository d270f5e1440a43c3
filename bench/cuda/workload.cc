// The benchmark's CUDA program. See --help.
#include "bench/cuda/workload.h"

#include <cstdio>

namespace mortar::cuda_workload {
namespace {

template <typename List, typename Text>
void AppendList(const char* name, const List& list, Text&& text, std::string* json) {
  *json += std::string(", \"") + name + "\": [";
  const char* separator = "";
  for (const auto& entry : list) {
    *json += separator + text(entry);
    separator = ", ";
  }
  *json += "]";
}

}  // namespace

std::string ToJson(const Options& options, const Measured& measured) {
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  std::string json =
      std::string("{\"role\": \"") + (options.role == Role::kHolder ? "holder" : "filler") + "\"";
  json += std::string(", \"mode\": \"") + (options.mode == Mode::kBlocking ? "blocking" : "async") + "\"";
  json += ", \"correct\": true, \"start_ns\": " + number(measured.start_ns);
  json += ", \"end_ns\": " + number(measured.end_ns) + ", \"kernels\": " + number(measured.kernels);
  json += ", \"device\": \"" + measured.device + "\", \"device_ns\": " + number(measured.device_ns);
  AppendList("latency_ns", measured.latency_ns, number, &json);
  AppendList("request_start_ns", measured.request_start_ns, number, &json);
  AppendList(
      "progress", measured.progress,
      [&](const auto& at) { return "[" + number(at.first) + ", " + number(at.second) + "]"; }, &json);
  return json + "}\n";
}

}  // namespace mortar::cuda_workload

int main(int count, char** words) {
  using namespace mortar::cuda_workload;
  const auto options = ParseOptions(count, words);
  if (!options) {
    if (options.error().message.empty()) return std::fputs(HelpText().c_str(), stdout) < 0 ? 1 : 0;
    std::fprintf(stderr, "cuda_workload: %s\n", options.error().message.c_str());
    return 2;
  }
  if (!options->write_device.empty()) {
    std::FILE* file = std::fopen(options->write_device.c_str(), "w");
    const bool written = file != nullptr && std::fputs(DeviceText(*options).c_str(), file) >= 0;
    if (file != nullptr && std::fclose(file) == 0 && written) return 0;
    std::fprintf(stderr, "cuda_workload: cannot write %s\n", options->write_device.c_str());
    return 1;
  }
  const auto measured = Run(*options);
  if (!measured) {
    std::fprintf(stderr, "cuda_workload: %s\n", measured.error().message.c_str());
    return 1;
  }
  return std::fputs(ToJson(*options, *measured).c_str(), stdout) < 0 ? 1 : 0;
}
