// Where recorded traces, profiles and arrivals stand, for tests: $MORTAR_SHARED_DATA, else ../shared/data
// beside the checkout. Absent: nothing, and the test skips and says so.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace mortar::test {

inline constexpr char kNoSharedData[] =
    "no shared data: set MORTAR_SHARED_DATA, or put it into ../shared/data";

inline std::optional<std::string> SharedData() {
  const char* named = std::getenv("MORTAR_SHARED_DATA");
  const std::string root = named != nullptr ? named : MORTAR_DEFAULT_SHARED_DATA;
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) return std::nullopt;
  return root;
}

}  // namespace mortar::test
