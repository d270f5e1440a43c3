// The compact file of a recorded program, .mtr: a Recording, whole and checked.
//
//   8 bytes  "MORTARMT"                    4 bytes  version            4 bytes  0
//   8 bytes  size of the content           8 bytes  size as packed     8 bytes  checksum of all that follows
//   and of the packed content (zlib): the Recording's vectors, field by field   the two sizes (base/hash.h)
//
// Numbers are little-endian; in the content variable-length, as differences where that makes them short.
// Written beside its place and renamed. Another version is refused, never guessed at: the trace that it came
// from can be imported again. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "trace/recording.h"

namespace mortar::trace {

bool IsMtr(std::string_view beginning);

std::string EncodeMtr(const Recording& recording);

// Errors: kCorrupt (cut short, checksum, contradictions; with the byte), kMismatch (another version).
base::Result<Recording> DecodeMtr(std::string_view bytes, const std::string& name);

// Replaces a file of that name. Errors: as the system gives them.
base::Status WriteMtr(const Recording& recording, const std::string& path);

}  // namespace mortar::trace
