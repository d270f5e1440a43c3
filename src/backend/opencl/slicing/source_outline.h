// The outline of OpenCL C source: what functions and macros there are, and which names each mentions. For
// source_scan.cc alone.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/opencl/slicing/source_tokens.h"

namespace mortar::slicing {

// All definitions of one name taken together.
struct Definition {
  std::string_view name;
  bool is_function = false;
  bool is_macro = false;
  std::uint32_t traits = 0;                // of what it mentions itself; builtins.h
  std::vector<std::size_t> mentions = {};  // other definitions
};

class Outline {
 public:
  // Everything outside of functions and macros; part of all of them.
  static constexpr std::size_t kTopLevel = 0;

  // False: the source's structure is not certain.
  bool Read(std::string_view source);
  const std::vector<Definition>& definitions() const { return definitions_; }

 private:
  using Tokens = std::span<const Token>;
  struct Use {
    std::size_t in;  // definition
    Token token;
    bool called;
  };
  struct Branch {
    int braces;
    int parentheses;
  };

  std::size_t Define(std::string_view name);
  bool ReadDirective(Tokens line);
  bool ReadMacro(Tokens line);
  bool ReadCondition(std::string_view directive);
  bool ReadCode(const Token& token);
  bool CloseBrace();
  bool OpenBody();
  void Mention(std::size_t in, Tokens tokens);
  void MentionIn(std::span<const std::size_t> owners, Tokens tokens);
  void Resolve();
  bool IsCall(Tokens tokens, std::size_t at) const;

  SourceTokens tokens_;
  std::vector<Definition> definitions_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::vector<Use> uses_;
  // While reading.
  std::vector<Token> statement_;     // since the last boundary outside of functions, or of the body
  std::vector<std::size_t> owners_;  // the functions whose body this is; empty: outside
  std::vector<Branch> branches_;
  int braces_ = 0;
  int parentheses_ = 0;
};

}  // namespace mortar::slicing
