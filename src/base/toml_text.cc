#include "base/toml_text.h"

#include <algorithm>

namespace mortar::base {
namespace {

// Behind the string whose first quote is at `begin`; one that is not closed ends where a parser gives it up.
std::size_t EndOfString(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const char marks[] = {quote, quote, quote};
  const std::string_view three(marks, 3);
  const bool many_lines = text.substr(begin, 3) == three;
  for (std::size_t at = begin + (many_lines ? 3 : 1); at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (!many_lines && (text[at] == quote || text[at] == '\n')) {
      return text[at] == quote ? at + 1 : at;
    } else if (many_lines && text.substr(at, 3) == three) {
      at += 3;
      // Up to two quotes more are the string's own.
      for (int own = 0; own < 2 && at < text.size() && text[at] == quote; ++own) ++at;
      return at;
    }
  }
  return text.size();
}

bool IsAboveAscii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

std::size_t LineOf(std::string_view text, std::size_t at) {
  return static_cast<std::size_t>(
             std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) +
         1;
}

}  // namespace

std::size_t FindStrayCharacter(std::string_view toml) {
  char before = '\n';  // the last character that is no blank
  for (std::size_t at = toml.starts_with("\xef\xbb\xbf") ? 3 : 0; at < toml.size();) {
    const char c = toml[at];
    if (c == '#') {
      at = std::min(toml.find('\n', at), toml.size());
      continue;
    }
    const bool is_quote = c == '"' || c == '\'';
    if (IsAboveAscii(c) || (is_quote && std::string_view("\n=[{,.").find(before) == std::string_view::npos))
      return LineOf(toml, at);
    const std::size_t end = is_quote ? EndOfString(toml, at) : at + 1;
    // In a string of several lines blanks are skipped behind a backslash at a line's end.
    for (std::size_t inside = at; toml.substr(at, 3) == "\"\"\"" && inside < end; ++inside) {
      if (IsAboveAscii(toml[inside])) return LineOf(toml, inside);
    }
    if (c != ' ' && c != '\t' && c != '\r') before = c;
    at = end;
  }
  return 0;
}

}  // namespace mortar::base
