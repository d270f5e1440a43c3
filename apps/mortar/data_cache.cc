#include "mortar/data_cache.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/owner.h"
#ifdef MORTAR_HAVE_CURL
#include <curl/curl.h>
#endif

namespace mortar::cli {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string Hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
      constexpr char kDigits[] = "0123456789abcdef";
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

// Whether the file is there and the one expected.
bool IsWhole(const std::string& path, const DataFile& file) {
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (static_cast<std::uint64_t>(info.st_size) != file.size) return false;
  Sha256 hash;
  std::array<char, 65536> piece;
  while (true) {
    const ssize_t got = read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    hash.Add(piece.data(), static_cast<std::size_t>(got));
  }
  return hash.Hex() == file.sha256;
}

// A file that gets its name only when it turned out right.
struct Download {
  base::Fd fd;
  Sha256 hash;
  std::uint64_t size = 0;
  std::uint64_t expected = 0;
  int write_error = 0;

  bool Take(const char* data, std::size_t bytes) {
    size += bytes;
    if (size > expected) return false;
    hash.Add(data, bytes);
    while (bytes > 0) {
      const ssize_t done = write(fd.get(), data, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) {
        write_error = errno;
        return false;
      }
      data += done;
      bytes -= static_cast<std::size_t>(done);
    }
    return true;
  }
};

#ifdef MORTAR_HAVE_CURL
std::size_t TakeBytes(char* data, std::size_t one, std::size_t count, void* download) {
  return static_cast<Download*>(download)->Take(data, one * count) ? one * count : 0;
}

base::Status Transfer(const std::string& url, Download* download) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(ready == CURLE_OK ? curl_easy_init() : nullptr,
                                                    &curl_easy_cleanup);
  if (curl == nullptr) return Error{Code::kSystem, "fetch " + url + ": libcurl does not start"};
  std::array<char, CURL_ERROR_SIZE> why{};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT,
                   100L);  // bytes a second, over the next line's seconds
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, "mortar");
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &TakeBytes);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, download);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_OK || code == CURLE_WRITE_ERROR) return {};  // the latter: Download knows why
  const std::string text = why[0] != '\0' ? why.data() : curl_easy_strerror(code);
  return Error{Code::kSystem,
               "fetch " + url + ": " + text + "; what is in the cache works without the network"};
}
#else
base::Status Transfer(const std::string& url, Download*) {
  return Error{Code::kUnsupported,
               "fetch " + url + ": this mortar was built without libcurl; fetch it by other means"};
}
#endif

base::Status Check(const std::string& url, const DataFile& file, Download* download) {
  if (download->write_error != 0)
    return base::SystemError("write what comes from " + url, download->write_error);
  if (download->size != file.size) {
    return Error{Code::kCorrupt, "fetch " + url + ": " + (download->size > file.size ? "more" : "fewer") +
                                     " than the " + std::to_string(file.size) +
                                     " bytes expected; nothing was kept"};
  }
  const std::string got = download->hash.Hex();
  if (got == file.sha256) return {};
  return Error{Code::kCorrupt,
               "fetch " + url + ": SHA-256 " + got + " instead of " + file.sha256 + "; nothing was kept"};
}

base::Status FetchFile(const std::string& url, const DataFile& file, const std::string& path) {
  const std::string temporary = path + "." + std::to_string(getpid()) + ".new";
  Download download;
  download.expected = file.size;
  download.fd =
      base::Fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!download.fd) return base::SystemError("create " + temporary, errno);
  base::Status status = Transfer(url, &download);
  if (status.ok()) status = Check(url, file, &download);
  download.fd.Reset();
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = base::SystemError("rename " + temporary + " to " + path, errno);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace

base::Result<std::string> DataDirectory() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/mortar/data";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/mortar/data";
  return Error{Code::kInvalid, "find the cache: neither XDG_CACHE_HOME nor HOME names a folder; set one"};
}

base::Result<std::vector<Fetched>> FetchData(const DataSet& set, const std::string& directory,
                                             const std::string& base_url) {
  const std::string folder = directory + "/" + set.name;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return base::SystemError("make the folder " + folder, error.value());
  std::vector<Fetched> fetched;
  for (const DataFile& file : set.files) {
    Fetched& result = fetched.emplace_back();
    result.path = folder + "/" + file.name;
    result.from_cache = IsWhole(result.path, file);
    if (result.from_cache) continue;
    const std::string url = base_url + "/" + file.repository + "/" + file.commit + "/" + file.path;
    if (auto status = FetchFile(url, file, result.path); !status.ok()) return status.error();
  }
  return fetched;
}

}  // namespace mortar::cli
