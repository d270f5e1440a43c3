// Arbitrary bytes as a spool: read, laid out, exported; the result must be JSON.
//
// The input is a header, then as many names as its first spare bits say, then records: the real file's
// distance of half a megabyte between the tables would keep a fuzzer from finding them.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "trace/chrome_trace.h"
#include "trace/spool.h"
#include "trace/summary.h"
#include "trace/timeline.h"

namespace {

struct TextInMemory : mortar::trace::TextSink {
  mortar::base::Status Write(std::string_view piece) override {
    text += piece;
    return {};
  }
  std::string text;
};

const char* ReasonOf(std::uint32_t) { return "reason"; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mortar;  // NOLINT(google-build-using-namespace)
  std::span<const std::byte> rest = std::as_bytes(std::span(data, size));
  const auto take = [&](std::size_t bytes) {
    const auto taken = rest.first(std::min(bytes, rest.size()));
    rest = rest.subspan(taken.size());
    return taken;
  };
  const std::size_t names = size == 0 ? 0 : data[size - 1] % 4;
  const auto header = take(sizeof(model::SpoolHeader));
  const auto name_bytes = take(names * sizeof(model::SpoolName));
  const auto client = trace::ParseSpool(header, name_bytes, rest);
  if (!client.ok()) return 0;
  trace::SpoolSet recording;
  recording.clients = {*client, *client};  // the second as another client of the same board
  const trace::Timeline timeline = trace::BuildTimeline(recording.clients);
  (void)trace::Summarize(recording, timeline);
  (void)trace::Describe(client->unusable);
  TextInMemory sink;
  if (!trace::WriteChromeTrace(recording.clients, timeline, ReasonOf, &sink).ok()) __builtin_trap();
  if (!nlohmann::json::accept(sink.text)) __builtin_trap();
  return 0;
}
