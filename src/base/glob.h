// Matching a name against a pattern, in time that is at most the product of their lengths. Pure; any thread.
#pragma once

#include <string_view>

namespace mortar::base {

// True if `name` as a whole matches `glob`: `*` is any run of characters, `?` any one.
bool MatchesGlob(std::string_view glob, std::string_view name);

}  // namespace mortar::base
