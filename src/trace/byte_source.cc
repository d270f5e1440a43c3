#include "trace/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/owner.h"

namespace mortar::trace {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kPiece = 1 << 16;

// Bytes as they lie in the file.
class Raw {
 public:
  virtual ~Raw() = default;
  virtual base::Result<std::size_t> Read(std::span<char> out) = 0;
};

class RawFile : public Raw {
 public:
  RawFile(base::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  base::Result<std::size_t> Read(std::span<char> out) override {
    std::size_t filled = 0;
    while (filled < out.size()) {
      const ssize_t got = read(fd_.get(), out.data() + filled, out.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::SystemError("read " + path_, errno);
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  base::Fd fd_;
  std::string path_;
};

class RawMemory : public Raw {
 public:
  explicit RawMemory(std::string_view bytes) : bytes_(bytes) {}
  base::Result<std::size_t> Read(std::span<char> out) override {
    const std::size_t size = std::min(out.size(), bytes_.size());
    std::memcpy(out.data(), bytes_.data(), size);
    bytes_.remove_prefix(size);
    return size;
  }

 private:
  std::string_view bytes_;
};

// Decides at the first byte what it reads.
class Source : public ByteSource {
 public:
  Source(std::unique_ptr<Raw> raw, std::string name) : raw_(std::move(raw)), name_(std::move(name)) {}
  ~Source() override {
    if (inflating_) inflateEnd(&stream_);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  base::Result<std::size_t> Read(std::span<char> out) override {
    if (!started_) {
      if (auto status = Start(); !status.ok()) return status.error();
    }
    return inflating_ ? Inflate(out) : ReadPlain(out);
  }
  const std::string& name() const override { return name_; }

 private:
  base::Status Start();
  base::Result<std::size_t> ReadPlain(std::span<char> out);
  base::Result<std::size_t> Inflate(std::span<char> out);
  base::Status Refill();
  base::Status NextMember();
  std::uint64_t Position() const { return passed_ - stream_.avail_in; }
  Error Damaged(const std::string& how) const {
    return {Code::kCorrupt, "read " + name_ + ": byte " + std::to_string(Position()) + ": " + how};
  }

  std::unique_ptr<Raw> raw_;
  std::string name_;
  std::vector<char> piece_;
  z_stream stream_{};
  std::uint64_t passed_ = 0;  // bytes taken from the file
  bool started_ = false;
  bool inflating_ = false;
  bool ended_ = false;   // the file has no more
  bool inside_ = false;  // a gzip member
};

base::Status Source::Refill() {
  const auto got = raw_->Read(piece_);
  if (!got) return got.error();
  passed_ += *got;
  ended_ = *got < piece_.size();
  stream_.next_in = reinterpret_cast<Bytef*>(piece_.data());
  stream_.avail_in = static_cast<uInt>(*got);
  return {};
}

base::Status Source::Start() {
  started_ = true;
  piece_.resize(kPiece);
  if (auto status = Refill(); !status.ok()) return status;
  const bool gzip = stream_.avail_in >= 2 && stream_.next_in[0] == 0x1f && stream_.next_in[1] == 0x8b;
  if (!gzip) return {};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream_, kGzipOnly) != Z_OK) {
    return Error{Code::kSystem, "read " + name_ + ": no memory to decompress it"};
  }
  inflating_ = true;
  inside_ = true;
  return {};
}

base::Result<std::size_t> Source::ReadPlain(std::span<char> out) {
  const std::size_t first = std::min<std::size_t>(out.size(), stream_.avail_in);
  std::memcpy(out.data(), stream_.next_in, first);
  stream_.next_in += first;
  stream_.avail_in -= static_cast<uInt>(first);
  if (first == out.size()) return first;
  const auto rest = raw_->Read(out.subspan(first));
  if (!rest) return rest.error();
  passed_ += *rest;
  return first + *rest;
}

// At the end of one member: another one, padding, or the end.
base::Status Source::NextMember() {
  inside_ = false;
  if (stream_.avail_in == 0 && !ended_) {
    if (auto status = Refill(); !status.ok()) return status;
  }
  if (stream_.avail_in == 0) return {};
  if (stream_.next_in[0] != 0x1f) {  // what follows the last member, gzip ignores as well
    stream_.avail_in = 0;
    ended_ = true;
    return {};
  }
  if (inflateReset(&stream_) != Z_OK) return Damaged("the gzip data cannot be continued");
  inside_ = true;
  return {};
}

base::Result<std::size_t> Source::Inflate(std::span<char> out) {
  stream_.next_out = reinterpret_cast<Bytef*>(out.data());
  stream_.avail_out = static_cast<uInt>(out.size());
  while (stream_.avail_out > 0 && inside_) {
    if (stream_.avail_in == 0) {
      if (ended_) return Damaged("the gzip file is cut short; fetch or record it again");
      if (auto status = Refill(); !status.ok()) return status.error();
      continue;
    }
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      if (auto status = NextMember(); !status.ok()) return status.error();
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      const std::string why = stream_.msg != nullptr ? stream_.msg : "unreadable";
      return Damaged("the gzip data is damaged (" + why + "); fetch or record it again");
    }
  }
  return out.size() - stream_.avail_out;
}

}  // namespace

base::Result<std::unique_ptr<ByteSource>> OpenSource(const std::string& path) {
  base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::SystemError("open " + path, errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return base::SystemError("look at " + path, errno);
  if (S_ISDIR(info.st_mode)) return Error{Code::kInvalid, "read " + path + ": a folder; name a file in it"};
  return std::unique_ptr<ByteSource>(
      std::make_unique<Source>(std::make_unique<RawFile>(std::move(fd), path), path));
}

std::unique_ptr<ByteSource> MemorySource(std::string_view bytes, std::string name) {
  return std::make_unique<Source>(std::make_unique<RawMemory>(bytes), std::move(name));
}

base::Result<std::string> ReadAll(ByteSource& source, std::size_t limit) {
  std::string text;
  while (true) {
    const std::size_t before = text.size();
    text.resize(before + kPiece);
    const auto got = source.Read(std::span(text).subspan(before));
    if (!got) return got.error();
    text.resize(before + *got);
    if (text.size() > limit) {
      return Error{Code::kFull, "read " + source.name() + ": over " + std::to_string(limit >> 20) + " MiB"};
    }
    if (*got < kPiece) return text;
  }
}

}  // namespace mortar::trace
