#include "trace/json_cutter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "trace/json_text.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kBuffer = 1 << 16;
constexpr std::size_t kLargestPiece = std::size_t{32} << 20;  // chosen: no event of a profiler comes near
constexpr std::size_t kLargestMember = std::size_t{8} << 20;
constexpr int kDeepest = 64;

// Counts ends of lines eight bytes at a time.
std::uint64_t CountLines(const char* text, std::size_t size) {
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fULL;
  std::uint64_t lines = 0;
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text + i, 8);
    word ^= 0x0a0a0a0a0a0a0a0aULL;
    // The high bit of each byte that is zero: exact, no carries between bytes.
    lines += static_cast<std::uint64_t>(std::popcount(~(((word & kLow) + kLow) | word | kLow)));
  }
  for (; i < size; ++i) lines += text[i] == '\n' ? 1 : 0;
  return lines;
}

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Where the brackets of a value stand that may not yet be there whole.
struct Nesting {
  std::size_t scanned = 0;
  std::uint64_t objects = 0;  // a bit a level: 1 object, 0 array
  int depth = 0;
  bool in_string = false;
};

enum class Step : std::uint8_t { kDone, kNeedMore, kTooDeep, kMismatch };

constexpr std::array<bool, 256> MarkTable() {
  std::array<bool, 256> table{};
  for (const char c : {'"', '{', '}', '[', ']'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kMarks = MarkTable();

// The end of the string that has begun before `at`: the place of its closing quote, or `size`.
std::size_t SkipString(const char* text, std::size_t at, std::size_t size) {
  while (at < size) {
    const auto* quote = static_cast<const char*>(std::memchr(text + at, '"', size - at));
    if (quote == nullptr) return size;
    const auto place = static_cast<std::size_t>(quote - text);
    std::size_t slashes = 0;
    while (place > slashes && text[place - slashes - 1] == '\\') ++slashes;
    if (slashes % 2 == 0) return place;
    at = place + 1;
  }
  return size;
}

Step Scan(const char* text, std::size_t size, Nesting* nesting) {
  std::size_t i = nesting->scanned;
  while (true) {
    if (nesting->in_string) {
      i = SkipString(text, i, size);
      if (i == size) break;
      nesting->in_string = false;
      ++i;
    }
    while (i < size && !kMarks[static_cast<unsigned char>(text[i])]) ++i;
    if (i == size) break;
    const char c = text[i++];
    if (c == '"') {
      nesting->in_string = true;
    } else if (c == '{' || c == '[') {
      if (nesting->depth == kDeepest) return Step::kTooDeep;
      nesting->objects = nesting->objects << 1 | (c == '{' ? 1U : 0U);
      ++nesting->depth;
    } else {
      nesting->scanned = i;
      if (((nesting->objects & 1) != 0) != (c == '}')) return Step::kMismatch;
      nesting->objects >>= 1;
      if (--nesting->depth == 0) return Step::kDone;
    }
  }
  nesting->scanned = i;
  return Step::kNeedMore;
}

}  // namespace

JsonCutter::JsonCutter(ByteSource& source) : source_(source), buffer_(kBuffer + kCutterPadding) {}

Error JsonCutter::At(std::uint64_t line, std::uint64_t column, const std::string& what) const {
  const std::string place = column == 0 ? "" : ":" + std::to_string(column);
  return {Code::kCorrupt, "read " + source_.name() + ":" + std::to_string(line) + place + ": " + what};
}

void JsonCutter::Consume(std::size_t size) {
  const char* text = buffer_.data() + begin_;
  line_ += CountLines(text, size);
  const auto* newest = static_cast<const char*>(memrchr(text, '\n', size));
  column_ = newest == nullptr ? column_ + size : static_cast<std::uint64_t>(text + size - newest);
  begin_ += size;
}

base::Result<bool> JsonCutter::More() {
  if (source_ended_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  std::size_t room = buffer_.size() - kCutterPadding - end_;
  if (room == 0) {
    if (end_ >= kLargestPiece) return Here("one value takes more than 32 MiB; this is no profiler's trace");
    buffer_.resize(2 * end_ + kCutterPadding);
    room = buffer_.size() - kCutterPadding - end_;
  }
  const auto got = source_.Read(std::span(buffer_).subspan(end_, room));
  if (!got) return got.error();
  source_ended_ = *got < room;
  end_ += *got;
  return *got > 0;
}

base::Result<char> JsonCutter::Peek() {
  while (true) {
    std::size_t i = begin_;
    while (i < end_ && IsBlank(buffer_[i])) ++i;
    Consume(i - begin_);
    if (begin_ < end_) return buffer_[begin_];
    const auto more = More();
    if (!more) return more.error();
    if (!*more) return '\0';
  }
}

base::Result<std::string_view> JsonCutter::Composite(bool droppable) {
  Nesting nesting;
  bool dropped = false;
  while (true) {
    switch (Scan(buffer_.data() + begin_, end_ - begin_, &nesting)) {
      case Step::kDone:
        if (!dropped) return std::string_view(buffer_.data() + begin_, nesting.scanned);
        Consume(nesting.scanned);
        return std::string_view();
      case Step::kTooDeep:
        return Here("nested deeper than 64 levels; this is no profiler's trace");
      case Step::kMismatch:
        Consume(nesting.scanned - 1);
        return Here("not JSON: a bracket closes what another kind of bracket opened");
      case Step::kNeedMore:
        break;
    }
    if (droppable && nesting.scanned > kLargestMember) {
      // A run of backslashes may go on behind what is scanned.
      const std::size_t gone = nesting.scanned - kCutterPadding;
      Consume(gone);
      nesting.scanned -= gone;
      dropped = true;
    }
    const auto more = More();
    if (!more) return more.error();
    if (!*more) return Here("cut short: the file ends inside what begins here; fetch or record it again");
  }
}

base::Result<std::string_view> JsonCutter::Scalar() {
  std::size_t size = 0;
  const bool quoted = buffer_[begin_] == '"';
  while (true) {
    const char* text = buffer_.data() + begin_;
    const std::size_t there = end_ - begin_;
    if (quoted) {
      const std::size_t close = SkipString(text, 1, there);
      if (close < there) return std::string_view(text, close + 1);
    } else {
      while (size < there && text[size] != ',' && text[size] != '}' && text[size] != ']' &&
             !IsBlank(text[size])) {
        ++size;
      }
      if (size < there) break;
    }
    const auto more = More();
    if (!more) return more.error();
    if (!*more) return Here("cut short: the file ends inside what begins here; fetch or record it again");
  }
  if (size == 0) return Here("not JSON: a value is missing");
  return std::string_view(buffer_.data() + begin_, size);
}

base::Result<std::string_view> JsonCutter::Value(bool droppable) {
  const auto first = Peek();
  if (!first) return first.error();
  if (*first == '{' || *first == '[') return Composite(droppable);
  if (*first == '\0') return Here("cut short: the file ends where a value should be");
  return Scalar();
}

base::Result<std::string> JsonCutter::Key() {
  const auto first = Peek();
  if (!first) return first.error();
  if (*first != '"') return Here("not JSON: a member's name should begin here");
  const auto text = Scalar();
  if (!text) return text.error();
  std::string key(text->substr(1, text->size() - 2));
  Consume(text->size());
  const auto colon = Peek();
  if (!colon) return colon.error();
  if (*colon != ':') return Here("not JSON: a colon should follow the name " + Excerpt(key));
  Consume(1);
  return key;
}

base::Result<JsonCutter::Piece> JsonCutter::Next() {
  Consume(pending_);
  pending_ = 0;
  switch (state_) {
    case State::kStart:
      return Start();
    case State::kMembers:
      return Member();
    case State::kEvents:
      return Event();
    case State::kEnded:
      break;
  }
  return Piece{};
}

base::Result<JsonCutter::Piece> JsonCutter::Start() {
  auto first = Peek();
  if (!first) return first.error();
  if (*first == '\xef' && end_ - begin_ >= 3 &&
      std::memcmp(buffer_.data() + begin_, "\xef\xbb\xbf", 3) == 0) {
    Consume(3);
    first = Peek();
    if (!first) return first.error();
  }
  if (*first == '\0') return Here("the file is empty");
  if (*first != '{' && *first != '[') {
    return Here("neither JSON nor another recording that mortar reads; see docs/traces.md");
  }
  root_is_array_ = *first == '[';
  state_ = root_is_array_ ? State::kEvents : State::kMembers;
  found_events_ = root_is_array_;
  Consume(1);
  return Next();
}

base::Result<JsonCutter::Piece> JsonCutter::Member() {
  auto next = Peek();
  if (!next) return next.error();
  if (*next == '}') {
    Consume(1);
    return Finish();
  }
  if (!first_) {
    if (*next == '\0') return Here("cut short: the file ends inside its outermost object");
    if (*next != ',') return Here("not JSON: a comma or a brace should be here");
    Consume(1);
  }
  first_ = false;
  auto key = Key();
  if (!key) return key.error();
  key_ = std::move(key).value();
  next = Peek();
  if (!next) return next.error();
  if (key_ == "traceEvents" && *next == '[') {
    if (found_events_) return Here("a second traceEvents; which one counts nobody can say");
    found_events_ = true;
    state_ = State::kEvents;
    first_ = true;
    Consume(1);
    return Event();
  }
  const std::uint64_t line = line_;
  const auto value = Value(true);
  if (!value) return value.error();
  pending_ = value->size();
  return Piece{What::kMember, key_, *value, line};
}

base::Result<JsonCutter::Piece> JsonCutter::Event() {
  auto next = Peek();
  if (!next) return next.error();
  if (*next == ',' && !first_) {
    Consume(1);
    next = Peek();  // some writers leave a comma behind the last event
    if (!next) return next.error();
  } else if (!first_ && *next != ']' && *next != '\0') {
    return Here("not JSON: a comma or a bracket should be here");
  }
  first_ = false;
  if (*next == '\0') return Here("cut short: the file ends inside traceEvents; fetch or record it again");
  if (*next == ']') {
    Consume(1);
    if (root_is_array_) return Finish();
    state_ = State::kMembers;
    return Member();
  }
  const std::uint64_t line = line_;
  const auto value = Value(false);
  if (!value) return value.error();
  pending_ = value->size();
  return Piece{What::kEvent, {}, *value, line};
}

base::Result<JsonCutter::Piece> JsonCutter::Finish() {
  state_ = State::kEnded;
  const auto rest = Peek();
  if (!rest) return rest.error();
  if (*rest != '\0') return Here("not JSON: something follows the end of the trace");
  if (!found_events_) return Here("no traceEvents in it; this is no Chrome trace");
  return Piece{};
}

}  // namespace mortar::trace
