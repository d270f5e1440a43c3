#include "trace/output_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/owner.h"

namespace mortar::trace {
namespace {

constexpr std::size_t kPiece = 1 << 20;

gzFile File(void* file) { return static_cast<gzFile>(file); }

}  // namespace

base::Result<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path, Kind kind) {
  const bool compressed = kind == Kind::kTimeline && path.ends_with(".json.gz");
  if (kind == Kind::kTimeline && !compressed && !path.ends_with(".json")) {
    return base::Error{base::Code::kInvalid,
                       "write " + path + ": the name of a timeline ends in .json or .json.gz"};
  }
  const std::string temporary = path + "." + std::to_string(getpid()) + ".new";
  base::Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!fd) return base::SystemError("create " + temporary, errno);
  // 6: zlib's own default; T: as it is, not compressed.
  const gzFile file = gzdopen(fd.get(), compressed ? "wb6" : "wbT");
  if (file == nullptr) {
    unlink(temporary.c_str());
    return base::Error{base::Code::kSystem, "open " + temporary + ": out of memory"};
  }
  fd.Release();
  return std::unique_ptr<OutputFile>(new OutputFile(path, temporary, file));
}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  gzclose(File(file_));
  unlink(temporary_.c_str());
}

base::Error OutputFile::Failure() {
  int code = Z_OK;
  const char* text = file_ != nullptr ? gzerror(File(file_), &code) : "";
  if (file_ == nullptr || code == Z_ERRNO) return base::SystemError("write " + temporary_, errno);
  return {base::Code::kSystem, "write " + temporary_ + ": " + text};
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
    unlink(temporary_.c_str());
    return error;
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    return base::SystemError("rename " + temporary_ + " to " + path_, error);
  }
  return {};
}

}  // namespace mortar::trace
