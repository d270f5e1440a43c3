// Reads Chrome traces: of Kineto, of any age (CUDA, ROCm), of the profiler before it, and of `mortar trace
// record`.
//
// Streaming: memory is that of the recording, not of the file. What cannot be used is named in the
// recording's notes, with its count and the line of the first. Any thread, one call at a time a source.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "trace/byte_source.h"
#include "trace/recording.h"

namespace mortar::trace {

struct ReadOptions {
  // Use the device's times alone, where the file has no (usable) host side.
  bool device_only = false;
  // Which client of a `mortar trace record` that holds several; empty: the only one.
  std::string client;
};

// Errors: the source's, the cutter's, Assemble's; kInvalid where `options.client` names nobody, or must name
// one.
base::Result<Recording> ReadChromeTrace(ByteSource& source, const ReadOptions& options);

}  // namespace mortar::trace
