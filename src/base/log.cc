#include "base/log.h"

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "base/hash.h"

namespace mortar::base {
namespace {

constinit std::atomic<std::uint64_t> said[64] = {};

}  // namespace

void Log(std::string_view text) noexcept {
  char prefix[] = "mortar: ";
  char newline[] = "\n";
  iovec parts[] = {{prefix, sizeof prefix - 1}, {const_cast<char*>(text.data()), text.size()}, {newline, 1}};
  [[maybe_unused]] ssize_t written = writev(STDERR_FILENO, parts, 3);
}

void LogOnce(std::string_view key, std::string_view text) noexcept {
  const std::uint64_t hash = HashBytes(key.data(), key.size()) | 1;
  for (auto& entry : said) {
    std::uint64_t seen = 0;
    if (entry.compare_exchange_strong(seen, hash)) return Log(text);
    if (seen == hash) return;
  }
}

}  // namespace mortar::base
