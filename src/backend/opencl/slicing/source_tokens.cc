#include "backend/opencl/slicing/source_tokens.h"

#include <algorithm>

namespace mortar::slicing {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool BeginsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsWord(char c) { return BeginsWord(c) || IsDigit(c); }

// A backslash at the end of a line, also with blanks behind it as compilers accept it, joins it with the
// next.
std::string Spliced(std::string_view source) {
  std::string text;
  text.reserve(source.size() + 1);
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\\') {
      std::size_t end = i + 1;
      while (end < source.size() && IsBlank(source[end])) ++end;
      if (end < source.size() && source[end] == '\n') {
        i = end;
        continue;
      }
    }
    text += source[i];
  }
  return text;
}

// Spellings of other characters, which would have to be understood.
bool HasOtherSpellings(std::string_view text) {
  for (const std::string_view spelling : {"??", "<%", "%>", "<:", ":>", "%:"}) {
    if (text.find(spelling) != std::string_view::npos) return true;
  }
  return false;
}

// From the quote at `at` to behind its end; npos if it has none on its line.
std::size_t EndOfQuoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

std::size_t EndOfNumber(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const bool exponent = std::string_view("eEpP").find(text[at]) != std::string_view::npos;
    if (exponent && at + 1 < text.size() && (text[at + 1] == '+' || text[at + 1] == '-')) {
      at += 2;
    } else if (IsWord(text[at]) || text[at] == '.') {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

constexpr std::string_view kPunctuation = "{}()[]<>;:,.?~!%^&*-+=|/#";

}  // namespace

bool SourceTokens::ReadToken(std::size_t* at, bool begins_line, bool spaced) {
  const std::string_view text = text_;
  const char c = text[*at];
  std::size_t end = *at + 1;
  Token token;
  token.begins_line = begins_line;
  token.spaced = spaced;
  if (BeginsWord(c)) {
    token.kind = Token::Kind::kIdentifier;
    while (end < text.size() && IsWord(text[end])) ++end;
  } else if (IsDigit(c) || (c == '.' && end < text.size() && IsDigit(text[end]))) {
    token.kind = Token::Kind::kLiteral;
    end = EndOfNumber(text, *at);
  } else if (c == '"' || c == '\'') {
    token.kind = Token::Kind::kLiteral;
    end = EndOfQuoted(text, *at);
    if (end == std::string_view::npos) return false;
  } else if (kPunctuation.find(c) == std::string_view::npos) {
    return false;
  }
  token.text = text.substr(*at, end - *at);
  list_.push_back(token);
  *at = end;
  return true;
}

bool SourceTokens::Read(std::string_view source) {
  list_.clear();
  text_ = Spliced(source);
  if (HasOtherSpellings(text_)) return false;
  bool begins_line = true;
  bool spaced = true;
  for (std::size_t at = 0; at < text_.size();) {
    const std::string_view rest = std::string_view(text_).substr(at);
    if (rest[0] == '\n' || IsBlank(rest[0])) {
      begins_line |= rest[0] == '\n';
      spaced = true;
      ++at;
    } else if (rest.starts_with("//")) {
      at = std::min(text_.find('\n', at), text_.size());
      spaced = true;
    } else if (rest.starts_with("/*")) {
      const std::size_t end = text_.find("*/", at + 2);
      if (end == std::string::npos) return false;
      at = end + 2;
      spaced = true;
    } else {
      if (!ReadToken(&at, begins_line, spaced)) return false;
      begins_line = false;
      spaced = false;
    }
  }
  return true;
}

}  // namespace mortar::slicing
