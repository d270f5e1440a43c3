// Cuts a Chrome trace into its events, one after another, without holding more than one of them.
//
// Understands as much of JSON as that takes: strings, brackets, commas. What is inside an event is for a
// parser to judge. The trace is an object with a member traceEvents, or the array itself. One owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/byte_source.h"

namespace mortar::trace {

// Bytes that may be read, not used, behind every piece handed out: parsers load whole registers.
inline constexpr std::size_t kCutterPadding = 64;

class JsonCutter {
 public:
  enum class What : std::uint8_t { kEvent, kMember, kEnd };
  struct Piece {
    What what = What::kEnd;
    std::string_view key;   // kMember: of the trace's own members
    std::string_view text;  // an element of traceEvents, or the member's value; valid until the next call
    std::uint64_t line = 0;
  };

  // `source` outlives it.
  explicit JsonCutter(ByteSource& source);

  // The next piece; a member over 8 MiB comes with an empty text. Errors: the source's; kCorrupt with
  // "read NAME:LINE: …": no JSON, cut short, nested too deeply, no traceEvents.
  base::Result<Piece> Next();

  // An error where the newest piece begins: NAME:LINE:COLUMN, both from 1, columns in bytes.
  base::Error Here(const std::string& what) const { return At(line_, column_, what); }
  // An error at a line.
  base::Error At(std::uint64_t line, const std::string& what) const { return At(line, 0, what); }

 private:
  enum class State : std::uint8_t { kStart, kMembers, kEvents, kEnded };

  base::Result<Piece> Start();
  base::Result<Piece> Member();
  base::Result<Piece> Event();
  base::Result<Piece> Finish();
  // The next character that is no blank; 0 at the end. Consumes blanks only.
  base::Result<char> Peek();
  // Of `droppable` values over 8 MiB nothing is handed out.
  base::Result<std::string_view> Value(bool droppable);
  base::Result<std::string_view> Scalar();
  base::Result<std::string_view> Composite(bool droppable);
  base::Result<std::string> Key();
  // Makes more bytes available behind end_, keeping those from begin_ on. False at the end of the source.
  base::Result<bool> More();
  void Consume(std::size_t size);
  base::Error At(std::uint64_t line, std::uint64_t column, const std::string& what) const;

  ByteSource& source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t line_ = 1;  // of begin_
  std::uint64_t column_ = 1;
  State state_ = State::kStart;
  bool source_ended_ = false;
  bool root_is_array_ = false;
  bool first_ = true;  // in the object or array
  bool found_events_ = false;
  std::size_t pending_ = 0;  // bytes of the newest piece, consumed by the next call
  std::string key_;
};

}  // namespace mortar::trace
