#include <algorithm>
#include <charconv>

#include "simcuda/image/image.h"

namespace mortar::simcuda {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::uint32_t kMaxParameterBytes = 32'764;  // CUDA's own bound on all parameters of a kernel

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
  return {Code::kInvalid, "read PTX: the parameters of kernel '" + std::string(kernel.substr(0, 60)) +
                              "' are not a list; is the text cut off?"};
}

// From behind ".entry NAME" and "(" on: .param [.align N] [.ptr …] TYPE NAME[COUNT], …
Result<std::vector<std::uint32_t>> ReadParameters(Tokens& tokens, std::string_view kernel) {
  std::vector<std::uint32_t> sizes;
  std::uint32_t bytes = 0;  // of the parameter being read; 0: none
  std::uint64_t all = 0;
  for (std::string_view word = tokens.Next(); !word.empty(); word = tokens.Next()) {
    if (word == "," || word == ")") {
      all += bytes;
      if (all > kMaxParameterBytes) return Broken(kernel);
      if (bytes > 0) sizes.push_back(bytes);
      bytes = 0;
      if (word == ")") return sizes;
    } else if (word == "[") {
      const std::string_view number = tokens.Next();
      std::uint32_t count = 0;
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
      if (error != std::errc() || end != number.data() + number.size() || count > kMaxParameterBytes) {
        return Broken(kernel);
      }
      bytes *= count;
    } else if (const std::uint32_t of_type = BytesOfType(word); of_type > 0) {
      bytes = of_type;
    } else if (word == "{" || word == ";" || word == ".entry") {
      return Broken(kernel);
    }
  }
  return Broken(kernel);
}

}  // namespace

bool LooksLikePtx(std::string_view text) { return Tokens(text.substr(0, 16'384)).Next() == ".version"; }

Result<std::vector<KernelImage>> ReadPtx(std::string_view text) {
  std::vector<KernelImage> kernels;
  Tokens tokens(text);
  for (std::string_view word = tokens.Next(); !word.empty(); word = tokens.Next()) {
    if (word != ".entry") continue;
    KernelImage kernel;
    kernel.name = tokens.Next();
    if (kernel.name.empty() || !IsWord(kernel.name[0])) return Broken(kernel.name);
    const std::string_view next = tokens.Next();
    if (next == "(") {
      auto sizes = ReadParameters(tokens, kernel.name);
      if (!sizes) return sizes.error();
      kernel.parameter_bytes = std::move(*sizes);
    } else if (next.empty()) {
      return Broken(kernel.name);
    }
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

}  // namespace mortar::simcuda
