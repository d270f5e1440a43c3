#include <algorithm>
#include <charconv>
#include <optional>

#include "simcuda/image/image.h"

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::uint64_t kMaxVariableBytes = std::uint64_t{1} << 32;
constexpr std::uint32_t kMaxAlign = 4096;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         c == '%' || c == '.';
}

// Words and single punctuation marks, without comments; empty at the end.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}

  std::string_view Next() {
    SkipBlank();
    const std::size_t begin = at_;
    if (at_ < text_.size() && text_[at_] == '"') {
      const std::size_t end = text_.find('"', at_ + 1);
      at_ = end == std::string_view::npos ? text_.size() : end + 1;
    } else {
      while (at_ < text_.size() && IsWord(text_[at_])) ++at_;
      if (at_ == begin && at_ < text_.size()) ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  void SkipBlank() {
    for (;;) {
      while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (rest.starts_with("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// .u64 is 8 bytes, .b8 one; 0: not a type.
std::uint32_t BytesOfType(std::string_view word) {
  if (word.size() < 3 || word[0] != '.' || std::string_view("busf").find(word[1]) == std::string_view::npos)
    return 0;
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(word.data() + 2, word.data() + word.size(), bits);
  return error == std::errc() && end == word.data() + word.size() && bits <= 128 ? bits / 8 : 0;
}

Error Broken(std::string_view kernel) {
  std::string name(kernel.substr(0, 60));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c < ' ' || c == '\x7f'; }, '?');
  return {Code::kInvalid,
          "read PTX: the parameters of kernel '" + name + "' are not a list; is the text cut off?"};
}

std::optional<std::uint32_t> ToNumber(std::string_view word) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

// One variable: [.align N] [.ptr …] TYPE NAME[COUNT].
struct Variable {
  std::string_view name;
  std::uint64_t bytes = 0;
  std::uint32_t align = 1;
};

// Reads words up to one of `ends`, which it returns; empty: the text ended, or what stands there is no
// variable.
std::string_view ReadVariable(Tokens& tokens, std::string_view ends, Variable* variable) {
  for (std::string_view word = tokens.Next(); !word.empty(); word = tokens.Next()) {
    if (word.size() == 1 && ends.find(word[0]) != std::string_view::npos) return word;
    if (word == "[") {
      const auto count = ToNumber(tokens.Next());
      if (!count) return {};
      variable->bytes *= *count;
      if (variable->bytes > kMaxVariableBytes) return {};
    } else if (word == ".align") {
      const auto align = ToNumber(tokens.Next());
      if (!align || *align == 0 || *align > kMaxAlign) return {};
      if (variable->bytes == 0) variable->align = *align;  // behind the type: of what a pointer leads to
    } else if (const std::uint32_t of_type = BytesOfType(word); of_type > 0) {
      variable->bytes = of_type;
      variable->align = std::max(variable->align, of_type);
    } else if (word == "{" || word == ";" || word == ".entry") {
      return {};
    } else if (IsWord(word[0]) && word[0] != '.') {
      variable->name = word;
    }
  }
  return {};
}

// From behind ".entry NAME" and "(" on.
Result<std::vector<KernelParameter>> ReadParameters(Tokens& tokens, std::string_view kernel) {
  std::vector<KernelParameter> parameters;
  std::uint64_t end = 0;
  for (;;) {
    Variable variable;
    const std::string_view mark = ReadVariable(tokens, ",)", &variable);
    if (mark.empty()) return Broken(kernel);
    if (variable.bytes > 0) {
      const std::uint64_t offset = (end + variable.align - 1) / variable.align * variable.align;
      end = offset + variable.bytes;
      if (end > kMaxParameterBytes) return Broken(kernel);
      parameters.push_back({static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(variable.bytes)});
    }
    if (mark == ")") return parameters;
  }
}

// From behind ".global" or ".const" on, at a module's top. What it begins with is not read: zero.
void ReadGlobal(Tokens& tokens, ModuleImage* image) {
  Variable variable;
  const std::string_view mark = ReadVariable(tokens, ";=", &variable);
  if (!mark.empty() && variable.bytes > 0 && !variable.name.empty())
    image->globals.push_back({std::string(variable.name), variable.bytes, ""});
}

}  // namespace

bool LooksLikePtx(std::string_view text) { return Tokens(text.substr(0, 16'384)).Next() == ".version"; }

Result<ModuleImage> ReadPtx(std::string_view text) {
  ModuleImage image;
  Tokens tokens(text);
  int depth = 0;  // in bodies
  for (std::string_view word = tokens.Next(); !word.empty(); word = tokens.Next()) {
    if (word == "{" || word == "}") depth += word == "{" ? 1 : -1;
    if (depth <= 0 && (word == ".global" || word == ".const")) ReadGlobal(tokens, &image);
    if (word != ".entry") continue;
    KernelImage kernel;
    kernel.name = tokens.Next();
    if (kernel.name.empty() || !IsWord(kernel.name[0])) return Broken(kernel.name);
    const std::string_view next = tokens.Next();
    if (next == "(") {
      auto parameters = ReadParameters(tokens, kernel.name);
      if (!parameters) return parameters.error();
      kernel.parameters = std::move(*parameters);
    } else if (next.empty()) {
      return Broken(kernel.name);
    } else if (next == "{") {
      ++depth;
    }
    image.kernels.push_back(std::move(kernel));
  }
  return image;
}

}  // namespace mortar::simcuda
