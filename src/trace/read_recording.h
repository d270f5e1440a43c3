// Reads a recorded program from whatever file holds one; the one way in for every tool.
//
// Any thread. Understood, plain or gzip, told by the content and not by the name: Chrome traces (kineto.h),
// .mtr files (mtr.h), lists of kernels with their durations (kernel_list.h), spools of `mortar trace record
// --keep-spools`.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "trace/byte_source.h"
#include "trace/kineto.h"
#include "trace/recording.h"

namespace mortar::trace {

// `path` may end in #NAME: the client NAME of a file that holds several. Errors: kNotFound, kDenied,
// kCorrupt, kInvalid, kMismatch, each with the file and, where there is one, the line or byte.
base::Result<Recording> ReadRecording(const std::string& path, const ReadOptions& options = {});

// The same from a source.
base::Result<Recording> ReadRecording(std::unique_ptr<ByteSource> source, const ReadOptions& options);

}  // namespace mortar::trace
