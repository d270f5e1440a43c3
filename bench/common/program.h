// What the benchmarks' programs (bench/cuda, bench/opencl) have in common: words of the command line to
// options, what was measured to JSON, and the order of a run. Each brings its own options, kernels and help.
// One thread.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace mortar::bench {

// False: no number from 0 to 10^9.
inline bool ToNumber(std::string_view text, double* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 0 && *out <= 1e9;
}
inline bool ToInt(std::string_view text, int* out) {
  double number = 0;
  if (!ToNumber(text, &number) || number != static_cast<int>(number)) return false;
  *out = static_cast<int>(number);
  return true;
}

// The option `name` among those that are whole numbers; false: it is none of them, or `value` is no number.
inline bool ReadInt(std::string_view name, std::string_view value,
                    std::initializer_list<std::pair<const char*, int*>> options) {
  for (const auto& [known, number] : options) {
    if (name == known) return ToInt(value, number);
  }
  return false;
}

// `read(name, value, &options)` for each pair of words. Errors: kInvalid, naming the option. kExists: help
// was asked for.
template <typename Options, typename Read>
base::Result<Options> ParseWords(int count, char** words, Read&& read) {
  using base::Code;
  using base::Error;
  Options options;
  for (int i = 1; i < count; i += 2) {
    if (std::strcmp(words[i], "--help") == 0) return Error{Code::kExists, ""};
    if (i + 1 == count) return Error{Code::kInvalid, std::string(words[i]) + " needs a value; see --help"};
    if (!read(words[i], words[i + 1], &options)) {
      return Error{Code::kInvalid,
                   std::string(words[i]) + " " + words[i + 1] + " is not understood; see --help"};
    }
  }
  if (options.kernels < 1 || options.depth < 1)
    return Error{Code::kInvalid, "--kernels and --depth begin at 1"};
  return options;
}

// Appends `, "name": [text(entry), …]`.
template <typename List, typename Text>
void AppendList(const char* name, const List& list, Text&& text, std::string* json) {
  *json += std::string(", \"") + name + "\": [";
  const char* separator = "";
  for (const auto& entry : list) {
    *json += separator + text(entry);
    separator = ", ";
  }
  *json += "]";
}

// The latencies, starts and progress that a holder or filler measured, behind what `json` begins with.
template <typename Measured>
std::string EndJson(std::string json, const Measured& measured) {
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  AppendList("latency_ns", measured.latency_ns, number, &json);
  AppendList("request_start_ns", measured.request_start_ns, number, &json);
  AppendList(
      "progress", measured.progress,
      [&](const auto& at) { return "[" + number(at.first) + ", " + number(at.second) + "]"; }, &json);
  return json + "}\n";
}

// The run of `program`: its options; then either the file {path, text} that they ask for is written, or what
// `run` measures is printed. The exit code: 0, 1 failed, 2 bad usage.
template <typename Options, typename File, typename Run, typename ToJson>
int Main(const char* program, const base::Result<Options>& options, const std::string& help, File&& file,
         Run&& run, ToJson&& to_json) {
  const auto fail = [&](const std::string& why, int code) {
    std::fprintf(stderr, "%s: %s\n", program, why.c_str());
    return code;
  };
  if (!options) {
    if (options.error().message.empty()) return std::fputs(help.c_str(), stdout) < 0 ? 1 : 0;
    return fail(options.error().message, 2);
  }
  if (const auto [path, text] = file(*options); !path.empty()) {
    std::FILE* out = std::fopen(path.c_str(), "w");
    const bool written = out != nullptr && std::fputs(text.c_str(), out) >= 0;
    if (out != nullptr && std::fclose(out) == 0 && written) return 0;
    return fail("cannot write " + path, 1);
  }
  const auto measured = run(*options);
  if (!measured) return fail(measured.error().message, 1);
  return std::fputs(to_json(*options, *measured).c_str(), stdout) < 0 ? 1 : 0;
}

}  // namespace mortar::bench
