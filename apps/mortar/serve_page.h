// The live page of `mortar serve`: one document, with its style and script, that asks for nothing from
// elsewhere. Made from page/ when building.
#pragma once

#include <string_view>

namespace mortar::cli {

extern const std::string_view kLivePage;

}  // namespace mortar::cli
