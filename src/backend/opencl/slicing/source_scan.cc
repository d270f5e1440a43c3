#include "backend/opencl/slicing/source_scan.h"

#include <algorithm>

#include "backend/opencl/slicing/builtins.h"
#include "backend/opencl/slicing/source_outline.h"
#include "base/hash.h"

namespace mortar::slicing {
namespace {

constexpr std::size_t kMostSource = std::size_t{1} << 21;  // chosen: 2 MiB; longer ones are not looked into
constexpr std::size_t kMostSteps = std::size_t{1} << 23;   // chosen: of all kernels' closures together

// Adds up what a function mentions, and what that mentions.
class Closures {
 public:
  explicit Closures(const Outline& outline) : outline_(outline), seen_(outline.definitions().size(), 0) {}

  Safety Of(std::size_t function) {
    ++round_;
    todo_ = {function, Outline::kTopLevel};
    std::uint32_t traits = kPlain;
    while (!todo_.empty()) {
      const std::size_t at = todo_.back();
      todo_.pop_back();
      if (seen_[at] == round_) continue;
      seen_[at] = round_;
      const Definition& definition = outline_.definitions()[at];
      traits |= definition.traits;
      steps_ += definition.mentions.size() + 1;
      if (steps_ > kMostSteps) return Safety::kNever;
      todo_.insert(todo_.end(), definition.mentions.begin(), definition.mentions.end());
    }
    return Judge(traits);
  }

 private:
  const Outline& outline_;
  std::vector<std::size_t> seen_;  // the round in which each was last seen
  std::vector<std::size_t> todo_;
  std::size_t round_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

std::vector<KernelSafety> ScanSource(std::string_view source) {
  Outline outline;
  if (source.size() > kMostSource || !outline.Read(source)) return {};
  std::vector<KernelSafety> all;
  Closures closures(outline);
  for (std::size_t i = 0; i < outline.definitions().size(); ++i) {
    const Definition& definition = outline.definitions()[i];
    if (!definition.is_function) continue;
    const Safety safety = closures.Of(i);
    if (safety == Safety::kNever) continue;
    all.push_back({base::HashBytes(definition.name.data(), definition.name.size()), safety});
  }
  return all;
}

namespace {

// A macro that the options define. Its value must be made of numbers and of OpenCL C's own harmless words:
// what else it could name is not seen from here.
bool IsHarmlessMacro(std::string_view macro) {
  const std::size_t equals = macro.find('=');
  SourceTokens tokens;
  if (!tokens.Read(macro)) return false;
  for (const Token& token : tokens.list()) {
    if (!token.IsIdentifier()) continue;
    const bool in_value =
        equals != std::string_view::npos && static_cast<std::size_t>(&token - tokens.list().data()) > 1;
    if (TraitsOf(token.text) != kPlain || (in_value && !IsKnownCall(token.text))) return false;
  }
  return true;
}

}  // namespace

bool OptionsAreHarmless(std::string_view options) {
  static constexpr std::string_view kHarmless[] = {"-cl-", "-I", "-w", "-W", "-O", "-g"};
  // Quotes, files of options and the like are not looked into.
  if (options.size() > kMostSource || options.find_first_of("\"'\\#@\n\t") != std::string_view::npos ||
      options.find("CLC++") != std::string_view::npos) {
    return false;
  }
  const auto next = [&options] {
    options.remove_prefix(std::min(options.find_first_not_of(' '), options.size()));
    const std::string_view word = options.substr(0, options.find(' '));
    options.remove_prefix(word.size());
    return word;
  };
  for (std::string_view word = next(); !word.empty(); word = next()) {
    if (word == "-I") {
      next();
    } else if (word.starts_with("-D")) {
      if (!IsHarmlessMacro(word == "-D" ? next() : word.substr(2))) return false;
    } else if (std::none_of(std::begin(kHarmless), std::end(kHarmless),
                            [&](std::string_view begin) { return word.starts_with(begin); })) {
      return false;
    }
  }
  return true;
}

}  // namespace mortar::slicing
