// The benchmark's OpenCL program. See --help.
#include "bench/opencl/workload.h"

#include <utility>

#include "bench/common/program.h"

namespace mortar::workload {

std::string ToJson(const Options& options, const Measured& measured) {
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  const double seconds = static_cast<double>(measured.end_ns - measured.start_ns) * 1e-9;
  const double rate = seconds > 0 ? static_cast<double>(measured.kernels) / seconds : 0;
  std::string json =
      std::string("{\"role\": \"") + (options.role == Role::kHolder ? "holder" : "filler") + "\"";
  json += std::string(", \"mode\": \"") + (options.mode == Mode::kBlocking ? "blocking" : "async") + "\"";
  json += ", \"correct\": " + std::string(measured.correct ? "true" : "false");
  json += ", \"start_ns\": " + number(measured.start_ns) + ", \"end_ns\": " + number(measured.end_ns);
  json += ", \"requests\": " + number(static_cast<std::int64_t>(measured.latency_ns.size()));
  json += ", \"kernels\": " + number(measured.kernels) + ", \"kernels_per_s\": " + std::to_string(rate);
  return bench::EndJson(std::move(json), measured);
}

}  // namespace mortar::workload

int main(int count, char** words) {
  using namespace mortar::workload;
  return mortar::bench::Main(
      "workload", ParseOptions(count, words), HelpText(),
      [](const Options& options) { return std::pair(options.write_table, TableText(options)); }, Run, ToJson);
}
