// How fast profilers' traces are imported: a made one in the manner of a training run's, plain and gzip.
#include <benchmark/benchmark.h>
#include <zlib.h>

#include <cstdint>
#include <string>

#include "trace/byte_source.h"
#include "trace/kineto.h"
#include "trace/mtr.h"

namespace mortar::trace {
namespace {

constexpr int kSteps = 40;
constexpr int kKernels = 1200;  // a step

void Append(std::string* out, const char* format, auto... values) {
  char text[2048];
  const int size = std::snprintf(text, sizeof text, format, values...);
  out->append(text, static_cast<std::size_t>(size));
}

// Operators and their shapes make most of the bytes, as in real files; every kernel has its launch and two
// flows.
std::string MakeTrace() {
  std::string out =
      "{\"schemaVersion\": 1, \"deviceProperties\": [{\"id\": 0, \"name\": \"made up\"}], \"traceEvents\": "
      "[\n";
  double now = 1'712'195'495'000'000;
  int correlation = 1;
  for (int step = 0; step < kSteps; ++step) {
    Append(&out,
           "  {\"ph\": \"X\", \"cat\": \"user_annotation\", \"name\": \"ProfilerStep#%d\", \"pid\": 77, "
           "\"tid\": 77, "
           "\"ts\": %.3f, \"dur\": %.3f, \"args\": {\"External id\": %d}},\n",
           step, now, kKernels * 20.0, step);
    for (int i = 0; i < kKernels; ++i, ++correlation, now += 20) {
      const int kernel = i * 7 % 180;
      Append(&out,
             "  {\"ph\": \"X\", \"cat\": \"cpu_op\", \"name\": \"aten::convolution_backward\", \"pid\": 77, "
             "\"tid\": 77, \"ts\": "
             "%.3f, \"dur\": 14.250, \"args\": {\"External id\": %d, \"Input Dims\": [[32, 64, 56, 56], [64, "
             "64, 3, 3], "
             "[], [], [], []], \"Input type\": [\"float\", \"float\", \"\", \"ScalarList\", \"ScalarList\", "
             "\"Scalar\"]}},\n",
             now, correlation);
      Append(&out,
             "  {\"ph\": \"X\", \"cat\": \"cuda_runtime\", \"name\": \"cudaLaunchKernel\", \"pid\": 77, "
             "\"tid\": 77, \"ts\": "
             "%.3f, \"dur\": 5.125, \"args\": {\"External id\": %d, \"cbid\": 211, \"correlation\": %d}},\n",
             now + 2, correlation, correlation);
      Append(&out,
             "  {\"ph\": \"s\", \"id\": %d, \"pid\": 77, \"tid\": 77, \"ts\": %.3f, \"cat\": \"ac2g\", "
             "\"name\": "
             "\"ac2g\"},\n",
             correlation, now + 2);
      Append(&out,
             "  {\"ph\": \"X\", \"cat\": \"kernel\", \"name\": \"void made::up::elementwise_kernel_%d<float, "
             "128, 4>(int, "
             "made::up::Functor<float, float>, std::array<char*, 2ul>, OffsetCalculator<2, unsigned int, "
             "false>)\", "
             "\"pid\": 0, \"tid\": 7, \"ts\": %.3f, \"dur\": %.3f, \"args\": {\"External id\": %d, "
             "\"queued\": 0, \"device\": "
             "0, \"context\": 1, \"stream\": 7, \"correlation\": %d, \"registers per thread\": 30, \"shared "
             "memory\": %d, "
             "\"blocks per SM\": 4.740741, \"warps per SM\": 75.851852, \"grid\": [%d, 1, 1], \"block\": "
             "[128, 1, 1], "
             "\"est. achieved occupancy %%\": 75}},\n",
             kernel, now + 8, 3.0 + kernel % 10, correlation, correlation, kernel % 3 * 1024, kernel * 16);
      Append(&out,
             "  {\"ph\": \"f\", \"id\": %d, \"pid\": 0, \"tid\": 7, \"ts\": %.3f, \"cat\": \"ac2g\", "
             "\"name\": \"ac2g\", "
             "\"bp\": \"e\"},\n",
             correlation, now + 8);
    }
  }
  return out +
         "  {\"ph\": \"M\", \"name\": \"process_name\", \"pid\": 77, \"args\": {\"name\": \"python\"}}\n]}\n";
}

std::string Gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Bytes a second are those of the plain text.
void BM_Kineto_Import(benchmark::State& state, bool gzip) {
  const std::string text = MakeTrace();
  const std::string packed = gzip ? Gzip(text) : std::string();
  std::size_t operations = 0;
  for (auto _ : state) {
    const auto source = MemorySource(gzip ? packed : text, "made up");
    auto recording = ReadChromeTrace(*source, {});
    if (!recording) return state.SkipWithError(recording.error().message.c_str());
    operations = recording->ops.size();
    benchmark::DoNotOptimize(recording);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.counters["operations"] = static_cast<double>(operations);
}
BENCHMARK_CAPTURE(BM_Kineto_Import, plain, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Kineto_Import, gzip, true)->Unit(benchmark::kMillisecond);

void BM_Mtr_Read(benchmark::State& state) {
  const std::string text = MakeTrace();
  const auto source = MemorySource(text, "made up");
  const auto recording = ReadChromeTrace(*source, {});
  if (!recording) return state.SkipWithError(recording.error().message.c_str());
  const std::string bytes = EncodeMtr(*recording);
  for (auto _ : state) {
    auto back = DecodeMtr(bytes, "made up");
    benchmark::DoNotOptimize(back);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(recording->ops.size()));
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(BM_Mtr_Read)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mortar::trace
