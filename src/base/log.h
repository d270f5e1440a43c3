// One clear line on stderr, prefixed "mortar: ". Any thread; allocation-free; not for the submit path.
#pragma once

#include <string_view>

namespace mortar::base {

// Writes "mortar: TEXT\n" to stderr with one write(2).
void Log(std::string_view text) noexcept;

// The same, at most once in this process for each `key` (a string literal; compared by content; 64 keys
// kept).
void LogOnce(std::string_view key, std::string_view text) noexcept;

}  // namespace mortar::base
