#include "trace/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/owner.h"

namespace mortar::trace {
namespace {

constexpr std::size_t kPiece = 1 << 20;

gzFile File(void* file) { return static_cast<gzFile>(file); }

// The name that a whole file may be given in place of `path`, links followed; empty: it is written as it is.
std::string Replaced(const std::string& path) {
  struct stat status {};
  const bool there = stat(path.c_str(), &status) == 0;
  if (there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return "";
  struct stat link {};
  if (lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode)) return path;
  std::error_code error;
  return there ? std::filesystem::canonical(path, error).string() : "";
}

}  // namespace

base::Result<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path, Kind kind) {
  const bool compressed = kind == Kind::kTimeline && path.ends_with(".json.gz");
  if (kind == Kind::kTimeline && !compressed && !path.ends_with(".json")) {
    return base::Error{base::Code::kInvalid,
                       "write " + path + ": the name of a timeline ends in .json or .json.gz"};
  }
  const std::string target = Replaced(path);
  const std::string temporary = target.empty() ? "" : target + "." + std::to_string(getpid()) + ".new";
  const std::string& written = target.empty() ? path : temporary;
  const int follow = target.empty() ? 0 : O_NOFOLLOW;
  base::Fd fd(open(written.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | follow, 0666));
  if (!fd) return base::SystemError("create " + written, errno);
  // 6: zlib's own default; T: as it is, not compressed.
  const gzFile file = gzdopen(fd.get(), compressed ? "wb6" : "wbT");
  if (file == nullptr) {
    if (!temporary.empty()) unlink(temporary.c_str());
    return base::Error{base::Code::kSystem, "open " + written + ": out of memory"};
  }
  fd.Release();
  return std::unique_ptr<OutputFile>(new OutputFile(target.empty() ? path : target, temporary, file));
}

void OutputFile::Remove() const {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  gzclose(File(file_));
  Remove();
}

base::Error OutputFile::Failure() {
  int code = Z_OK;
  const char* text = file_ != nullptr ? gzerror(File(file_), &code) : "";
  if (file_ == nullptr || code == Z_ERRNO) return base::SystemError("write " + written(), errno);
  return {base::Code::kSystem, "write " + written() + ": " + text};
}

base::Status OutputFile::Write(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = std::min(text.size(), kPiece);
    if (gzwrite(File(file_), text.data(), static_cast<unsigned>(size)) != static_cast<int>(size))
      return Failure();
    text.remove_prefix(size);
  }
  return {};
}

base::Status OutputFile::Commit() {
  const int closed = gzclose(File(file_));
  file_ = nullptr;
  if (closed != Z_OK) {
    const base::Error error = Failure();
    Remove();
    return error;
  }
  if (!temporary_.empty() && rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    Remove();
    return base::SystemError("rename " + temporary_ + " to " + path_, error);
  }
  return {};
}

}  // namespace mortar::trace
