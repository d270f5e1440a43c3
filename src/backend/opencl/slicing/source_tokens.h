// OpenCL C source as tokens: lines spliced, comments and the contents of strings gone. Not preprocessed:
// every branch of every #if is there, and no macro is expanded. For source_scan.cc alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mortar::slicing {

struct Token {
  enum class Kind : unsigned char { kIdentifier, kLiteral, kPunctuation };
  Kind kind = Kind::kPunctuation;
  bool begins_line = false;
  bool spaced = false;  // something that is no token stands before it
  std::string_view text;

  bool Is(char c) const { return kind == Kind::kPunctuation && text[0] == c; }
  bool IsIdentifier() const { return kind == Kind::kIdentifier; }
};

// Punctuation is one character a token.
class SourceTokens {
 public:
  // False: this cannot be told for certain (digraphs, trigraphs, characters that are none of C's, a comment
  // without end …).
  bool Read(std::string_view source);
  const std::vector<Token>& list() const { return list_; }

 private:
  bool ReadToken(std::size_t* at, bool begins_line, bool spaced);

  std::string text_;  // what the tokens point into
  std::vector<Token> list_;
};

}  // namespace mortar::slicing
