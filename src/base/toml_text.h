// A look at TOML before it is parsed. Pure; any thread. Not a parser.
//
// toml++ 3.3 runs into undefined behaviour where it skips blanks and meets most characters above U+00A0. They
// are only needed in strings of one line and in comments, so text with one elsewhere can be refused.
#pragma once

#include <cstddef>
#include <string_view>

namespace mortar::base {

inline constexpr std::string_view kStrayCharacter =
    "a quote, or a character above ASCII, where none may stand";

// The line (from 1) of the first byte above ASCII outside comments, strings of one line and literal ones, or
// of the first quote where no string may begin; 0: there is none.
std::size_t FindStrayCharacter(std::string_view toml);

}  // namespace mortar::base
