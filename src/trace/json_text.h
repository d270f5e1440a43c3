// Pieces of JSON, appended to a string: for documents too large to be held as a tree.
//
// Pure. Not a JSON library: the caller sees to commas and braces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mortar::trace {

// `text` in quotes. What JSON or viewers do not take (control characters, wrong UTF-8) becomes '?': some
// viewers know no \u escapes.
void AppendQuoted(std::string_view text, std::string* out);

// The beginning of `text` in quotes, for a message of one line.
std::string Excerpt(std::string_view text);

// Nanoseconds as microseconds with three decimals, exactly.
void AppendMicroseconds(std::int64_t ns, std::string* out);

}  // namespace mortar::trace
