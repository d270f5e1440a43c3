#include "backend/opencl/slicing/source_outline.h"

#include <algorithm>

#include "backend/opencl/slicing/builtins.h"

namespace mortar::slicing {
namespace {

bool IsAttribute(std::string_view name) { return name == "__attribute__" || name == "__attribute"; }

// Brackets in a macro's body that open and close there.
bool IsBalanced(std::span<const Token> tokens) {
  int braces = 0;
  int parentheses = 0;
  for (const Token& token : tokens) {
    braces += token.Is('{') ? 1 : token.Is('}') ? -1 : 0;
    parentheses += token.Is('(') ? 1 : token.Is(')') ? -1 : 0;
    if (braces < 0 || parentheses < 0) return false;
  }
  return braces == 0 && parentheses == 0;
}

// The names of the functions whose body begins behind `header`: those before parentheses that are in none.
// More than one where macros or branches leave it open; all of them are taken for it.
std::vector<std::string_view> NamesOf(std::span<const Token> header) {
  std::vector<std::string_view> names;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < header.size(); ++i) {
    depth += header[i].Is('(') ? 1 : header[i].Is(')') ? -1 : 0;
    if (depth == 0 && header[i].IsIdentifier() && header[i + 1].Is('(') && !IsAttribute(header[i].text)) {
      names.push_back(header[i].text);
    }
  }
  return names;
}

}  // namespace

std::size_t Outline::Define(std::string_view name) {
  const auto [at, is_new] = by_name_.try_emplace(name, definitions_.size());
  if (is_new) definitions_.push_back({.name = name});
  return at->second;
}

// Is the name at `at` called, also where it stands in parentheses of its own? There it may be a type as well.
bool Outline::IsCall(Tokens tokens, std::size_t at) const {
  if (at + 1 >= tokens.size()) return false;
  if (tokens[at + 1].Is('(')) return true;
  return at > 0 && tokens[at - 1].Is('(') && tokens[at + 1].Is(')') && at + 2 < tokens.size() &&
         tokens[at + 2].Is('(') && !IsType(tokens[at].text);
}

void Outline::Mention(std::size_t in, Tokens tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].IsIdentifier()) continue;
    // A member's name says nothing: it is behind a dot or an arrow.
    const bool member =
        i > 0 && (tokens[i - 1].Is('.') || (tokens[i - 1].Is('>') && i > 1 && tokens[i - 2].Is('-')));
    if (member && !IsCall(tokens, i)) continue;
    uses_.push_back({in, tokens[i], in != kTopLevel && IsCall(tokens, i)});
  }
}

void Outline::MentionIn(std::span<const std::size_t> owners, Tokens tokens) {
  for (const std::size_t owner : owners) Mention(owner, tokens);
}

// #define NAME body, #define NAME(parameters) body
bool Outline::ReadMacro(Tokens line) {
  if (line.empty() || !line[0].IsIdentifier()) return false;
  std::vector<std::string_view> parameters;
  std::size_t body = 1;
  if (line.size() > 1 && line[1].Is('(') && !line[1].spaced) {
    for (body = 2; body < line.size() && !line[body].Is(')'); ++body) {
      if (line[body].IsIdentifier()) parameters.push_back(line[body].text);
    }
    if (body == line.size()) return false;
    ++body;
  }
  const Tokens tokens = line.subspan(body);
  if (!IsBalanced(tokens)) return false;
  const std::size_t macro = Define(line[0].text);
  definitions_[macro].is_macro = true;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool hash = tokens[i].Is('#');
    // Names put together from parts could be any.
    if (hash && i + 1 < tokens.size() && tokens[i + 1].Is('#')) return false;
    if (!tokens[i].IsIdentifier()) continue;
    const bool parameter =
        std::find(parameters.begin(), parameters.end(), tokens[i].text) != parameters.end();
    const bool called = IsCall(tokens, i);
    if (parameter && called) definitions_[macro].traits |= kForbids;  // of a name that only its users know
    // What stands last may be called by what follows the macro.
    const bool last = i + 1 == tokens.size() && !IsConstant(tokens[i].text);
    if (!parameter) uses_.push_back({macro, tokens[i], called || last});
  }
  return true;
}

// Branches must leave brackets as they found them: else which body a line belongs to depends on the branch.
bool Outline::ReadCondition(std::string_view directive) {
  if (directive.starts_with("if")) {
    branches_.push_back({braces_, parentheses_});
    return true;
  }
  if (branches_.empty() || branches_.back().braces != braces_ ||
      branches_.back().parentheses != parentheses_) {
    return false;
  }
  if (directive == "endif") branches_.pop_back();
  return true;
}

bool Outline::ReadDirective(Tokens line) {
  if (line.empty()) return true;
  const std::string_view name = line[0].text;
  if (name == "define") return ReadMacro(line.subspan(1));
  if (name == "undef" || name == "line" || name == "error" || name == "warning") return true;
  if (name == "pragma") {
    Mention(kTopLevel, line.subspan(1));
    return true;
  }
  for (const std::string_view condition : {"if", "ifdef", "ifndef", "elif", "else", "endif"}) {
    if (name == condition) return ReadCondition(name);
  }
  return false;  // #include above all
}

bool Outline::OpenBody() {
  for (const std::string_view name : NamesOf(statement_)) {
    if (IsKnownCall(name)) return false;  // a statement outside of any function: brackets were miscounted
    const std::size_t function = Define(name);
    definitions_[function].is_function = true;
    owners_.push_back(function);
  }
  return true;
}

bool Outline::CloseBrace() {
  if (--braces_ < 0 || (braces_ == 0 && parentheses_ != 0)) return false;
  if (braces_ > 0) return true;
  if (owners_.empty()) {
    Mention(kTopLevel, statement_);
  } else {
    MentionIn(owners_, statement_);
  }
  statement_.clear();
  owners_.clear();
  return true;
}

bool Outline::ReadCode(const Token& token) {
  if (token.Is('#')) return false;
  if (token.Is('{') && braces_ == 0 && (parentheses_ != 0 || !OpenBody())) return false;
  statement_.push_back(token);
  braces_ += token.Is('{') ? 1 : 0;
  parentheses_ += token.Is('(') ? 1 : token.Is(')') ? -1 : 0;
  if (parentheses_ < 0) return false;
  if (token.Is('}')) return CloseBrace();
  if (token.Is(';') && braces_ == 0 && parentheses_ == 0) {
    Mention(kTopLevel, statement_);
    statement_.clear();
  }
  return true;
}

void Outline::Resolve() {
  for (const Use& use : uses_) {
    Definition& definition = definitions_[use.in];
    definition.traits |= TraitsOf(use.token.text);
    const auto known = by_name_.find(use.token.text);
    if (known != by_name_.end()) {
      if (known->second != use.in) definition.mentions.push_back(known->second);
    } else if (use.called && !IsKnownCall(use.token.text)) {
      definition.traits |= kForbids;
    }
  }
}

bool Outline::Read(std::string_view source) {
  if (!tokens_.Read(source)) return false;
  definitions_.emplace_back();  // kTopLevel
  const Tokens all(tokens_.list());
  for (std::size_t i = 0; i < all.size();) {
    if (!all[i].Is('#') || !all[i].begins_line) {
      if (!ReadCode(all[i])) return false;
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < all.size() && !all[end].begins_line) ++end;
    if (!ReadDirective(all.subspan(i + 1, end - i - 1))) return false;
    i = end;
  }
  if (braces_ != 0 || parentheses_ != 0 || !branches_.empty()) return false;
  Mention(kTopLevel, statement_);
  Resolve();
  return true;
}

}  // namespace mortar::slicing
