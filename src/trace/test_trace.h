// Chrome traces as profilers write them, for tests.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "trace/byte_source.h"
#include "trace/kineto.h"

namespace mortar::trace {

inline std::string Gzip(std::string_view text) {
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

// Instants and lengths in microseconds, as text: files differ in how many digits they write.
class TestTrace {
 public:
  TestTrace& Kernel(std::string_view name, std::string_view ts, std::string_view dur, int correlation,
                    int stream = 7, std::string_view more = "") {
    return Event("kernel", name, "0", std::to_string(stream), ts, dur,
                 "\"device\": 0, \"stream\": " + std::to_string(stream) +
                     ", \"correlation\": " + std::to_string(correlation) + std::string(more));
  }
  TestTrace& Call(std::string_view name, std::string_view ts, std::string_view dur, int correlation,
                  int thread = 1) {
    return Event("cuda_runtime", name, "100", std::to_string(thread), ts, dur,
                 "\"correlation\": " + std::to_string(correlation));
  }
  TestTrace& Event(std::string_view category, std::string_view name, std::string_view pid,
                   std::string_view tid, std::string_view ts, std::string_view dur, std::string_view args) {
    text_ += text_.empty() ? "" : ",\n";
    text_ += "{\"ph\": \"X\", \"cat\": \"" + std::string(category) + "\", \"name\": \"" + std::string(name) +
             "\", \"pid\": " + std::string(pid) + ", \"tid\": " + std::string(tid) +
             ", \"ts\": " + std::string(ts) + ", \"dur\": " + std::string(dur) + ", \"args\": {" +
             std::string(args) + "}}";
    return *this;
  }
  TestTrace& Raw(std::string_view event) {
    text_ += text_.empty() ? "" : ",\n";
    text_ += event;
    return *this;
  }
  // Line 1 is the head; the first event stands in line 2.
  std::string Text() const { return "{\"schemaVersion\": 1, \"traceEvents\": [\n" + text_ + "\n]}\n"; }

  base::Result<Recording> Read(const ReadOptions& options = {}) const { return ReadTrace(Text(), options); }
  static base::Result<Recording> ReadTrace(std::string_view text, const ReadOptions& options = {}) {
    const auto source = MemorySource(text, "t.json");
    return ReadChromeTrace(*source, options);
  }

 private:
  std::string text_;
};

}  // namespace mortar::trace
