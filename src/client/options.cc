#include "client/options.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace mortar::client {
namespace {

constexpr std::uint64_t kMostMemory = std::uint64_t{1} << 52;  // chosen: more than any device has

template <typename T>
base::Status ReadNumber(const char* variable, T lowest, T highest, T* value) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return {};
  T parsed = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, parsed);
  if (error != std::errc() || rest != end || parsed < lowest || parsed > highest) {
    return base::Error{base::Code::kInvalid,
                       std::string("read ") + variable + "=" + text + ": not a whole number from " +
                           std::to_string(lowest) + " to " + std::to_string(highest) +
                           "; start the program with `mortar run`, which checks its flags"};
  }
  *value = parsed;
  return {};
}

bool Flag(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr && *text != '\0' && std::string_view(text) != "0";
}

std::string Text(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr ? text : "";
}

}  // namespace

std::string ProgramName() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) return "program";
  const std::string_view whole(path, static_cast<std::size_t>(length));
  return std::string(whole.substr(whole.rfind('/') + 1));
}

std::string DefaultProfileDirectory() {
  if (const std::string state = Text("XDG_STATE_HOME"); !state.empty()) return state + "/mortar/profiles";
  if (const std::string home = Text("HOME"); !home.empty()) return home + "/.local/state/mortar/profiles";
  return "";
}

base::Result<Options> ReadOptions() {
  Options options;
  options.join.name = Text("MORTAR_NAME");
  for (const auto& status :
       {ReadNumber("MORTAR_PRIORITY", 0U, 9U, &options.join.priority),
        ReadNumber("MORTAR_MAX_SLOWDOWN", 0U, 100'000'000U, &options.join.max_slowdown_ppm),
        ReadNumber("MORTAR_WEIGHT", 1U, 1'000'000U, &options.join.weight_permille),
        ReadNumber("MORTAR_MIN_SHARE", 0U, 1'000'000U, &options.join.min_share_ppm),
        ReadNumber("MORTAR_FLOOR_FIRST", 0U, 1U, &options.join.floor_first),
        ReadNumber("MORTAR_MEMORY", std::uint64_t{0}, kMostMemory, &options.join.memory_limit),
        ReadNumber("MORTAR_SLICE", kLeastSliceNs, kMostSliceNs, &options.slice_ns)}) {
    if (!status.ok()) return status.error();
  }
  options.strict = Flag("MORTAR_STRICT");
  options.disabled = Flag("MORTAR_DISABLE");
  options.record_profile = Flag("MORTAR_PROFILE_RECORD");
  options.trace_directory = Text("MORTAR_TRACE");
  options.profile_directory =
      std::getenv("MORTAR_PROFILES") != nullptr ? Text("MORTAR_PROFILES") : DefaultProfileDirectory();
  return options;
}

}  // namespace mortar::client
