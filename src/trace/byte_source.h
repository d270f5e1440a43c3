// Bytes of a file one piece after another, decompressed on the way if it is gzip (told by its first bytes).
//
// One owner. Memory: one piece. Not a seekable file: it is read once, from the beginning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mortar::trace {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `out` as far as it can; less than its size only at the end. Errors: kCorrupt (gzip damaged or cut
  // short, with the position in the file), kSystem; they name the source.
  virtual base::Result<std::size_t> Read(std::span<char> out) = 0;
  virtual const std::string& name() const = 0;
};

// Errors: kNotFound, kDenied, kSystem, kInvalid (a folder).
base::Result<std::unique_ptr<ByteSource>> OpenSource(const std::string& path);

// Of bytes in memory, which outlive it.
std::unique_ptr<ByteSource> MemorySource(std::string_view bytes, std::string name);

// All of a source. Errors: its own; kFull over `limit` bytes.
base::Result<std::string> ReadAll(ByteSource& source, std::size_t limit);

}  // namespace mortar::trace
