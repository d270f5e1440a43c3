// The linker's own search cannot be asked: under the name libcuda.so.1 it answers us.
#include "cuda/api/find_driver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/owner.h"

namespace mortar::cuda {
namespace {

constexpr char kName[] = "libcuda.so.1";
#if defined(__x86_64__)
constexpr std::uint32_t kCacheFlags = 0x0303;  // glibc: an ELF library for x86-64
constexpr char kTriplet[] = "x86_64-linux-gnu";
#else
constexpr std::uint32_t kCacheFlags = 0x0a03;  // glibc: an ELF library for AArch64
constexpr char kTriplet[] = "aarch64-linux-gnu";
#endif

struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};

bool Identify(const std::string& path, Identity* identity) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return false;
  *identity = {info.st_dev, info.st_ino};
  return true;
}

// glibc's cache of libraries, as ldconfig writes it since 2.2 (elf/cache.c documents it).
struct CacheHeader {
  char magic[20];  // "glibc-ld.so.cache1.1"
  std::uint32_t count;
  std::uint32_t strings_size;
  std::uint32_t unused[5];
};
struct CacheEntry {
  std::int32_t flags;
  std::uint32_t key;    // offset of a name in the file
  std::uint32_t value;  // offset of a path
  std::uint32_t os_version;
  std::uint64_t hardware;
};
static_assert(sizeof(CacheHeader) == 48 && sizeof(CacheEntry) == 24);
constexpr char kMagic[] = "glibc-ld.so.cache1.1";

std::string_view TextAt(const char* bytes, std::size_t size, std::uint32_t offset) {
  if (offset >= size) return {};
  const void* end = std::memchr(bytes + offset, 0, size - offset);
  if (end == nullptr) return {};
  return {bytes + offset, static_cast<std::size_t>(static_cast<const char*>(end) - (bytes + offset))};
}

std::string ReadFile(const char* path) {
  const base::Fd file(open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  constexpr off_t kMost = 64 << 20;  // chosen: caches have some hundred kilobytes
  if (!file || fstat(file.get(), &info) != 0 || info.st_size <= 0 || info.st_size > kMost) return "";
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + have, bytes.size() - have);
    if (got <= 0) return "";
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

std::vector<std::string> ReadLinkerCache(const char* bytes, std::size_t size) {
  std::vector<std::string> found;
  CacheHeader header;
  if (size < sizeof header) return found;
  std::memcpy(&header, bytes, sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof header.magic) != 0) return found;
  if (header.count > (size - sizeof header) / sizeof(CacheEntry)) return found;
  for (std::uint32_t i = 0; i < header.count; ++i) {
    CacheEntry entry;
    std::memcpy(&entry, bytes + sizeof header + i * sizeof entry, sizeof entry);
    if (static_cast<std::uint32_t>(entry.flags) != kCacheFlags || TextAt(bytes, size, entry.key) != kName)
      continue;
    const std::string_view path = TextAt(bytes, size, entry.value);
    if (!path.empty()) found.emplace_back(path);
  }
  return found;
}

std::vector<std::string> DriverCandidates(const std::string& own) {
  std::vector<std::string> wanted;
  if (const char* set = std::getenv("MORTAR_CUDA_DRIVER"); set != nullptr && *set != '\0') {
    wanted.emplace_back(set);
  } else {
    const char* path = std::getenv("LD_LIBRARY_PATH");
    const std::string folders = path != nullptr ? path : "";
    for (std::size_t start = 0; start < folders.size();) {
      const std::size_t end = std::min(folders.find_first_of(":;", start), folders.size());
      if (end > start) wanted.push_back(folders.substr(start, end - start) + "/" + kName);
      start = end + 1;
    }
    const std::string cache = ReadFile("/etc/ld.so.cache");
    for (std::string& found : ReadLinkerCache(cache.data(), cache.size())) wanted.push_back(std::move(found));
    for (const std::string& folder :
         {std::string("/usr/lib/") + kTriplet, std::string("/usr/lib64"), std::string("/usr/lib"),
          std::string("/usr/local/nvidia/lib64"), std::string("/usr/lib/wsl/lib"),
          std::string("/run/opengl-driver/lib"), std::string("/usr/lib/") + kTriplet + "/nvidia",
          std::string("/usr/lib/") + kTriplet + "/tegra"}) {
      wanted.push_back(folder + "/" + kName);
    }
  }
  Identity self;
  const bool known = Identify(own, &self);
  std::vector<Identity> seen;
  std::vector<std::string> candidates;
  for (std::string& path : wanted) {
    Identity identity;
    if (!Identify(path, &identity) || (known && identity == self)) continue;
    if (std::find(seen.begin(), seen.end(), identity) != seen.end()) continue;
    seen.push_back(identity);
    candidates.push_back(std::move(path));
  }
  return candidates;
}

}  // namespace mortar::cuda
