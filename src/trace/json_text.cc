#include "trace/json_text.h"

#include <cstddef>
#include <cstdlib>

namespace mortar::trace {
namespace {

// Bytes of the UTF-8 sequence that `text` begins with; 0 if it is wrong.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : (lead & 0xf0) == 0xe0        ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
  const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0 || first < 0x20 || first == 0x7f) {
      out->push_back('?');
      text.remove_prefix(1);
      continue;
    }
    if (first == '"' || first == '\\') out->push_back('\\');
    out->append(text.substr(0, length));
    text.remove_prefix(length);
  }
  out->push_back('"');
}

std::string Excerpt(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out;
  AppendQuoted(text.substr(0, kMost), &out);
  return out;
}

void AppendMicroseconds(std::int64_t ns, std::string* out) {
  if (ns < 0) out->push_back('-');
  const std::uint64_t size = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  *out += std::to_string(size / 1000);
  const char digits[] = {'.', static_cast<char>('0' + size / 100 % 10),
                         static_cast<char>('0' + size / 10 % 10), static_cast<char>('0' + size % 10)};
  out->append(digits, sizeof digits);
}

}  // namespace mortar::trace
