#include "trace/read_recording.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "trace/kernel_list.h"
#include "trace/live_trace.h"
#include "trace/mtr.h"
#include "trace/spool.h"

namespace mortar::trace {
namespace {

constexpr std::size_t kGlance = 4096;
constexpr std::size_t kLargestWhole = std::size_t{1} << 30;  // of what is not read as a stream

// A source of which the beginning has been looked at.
class Glanced : public ByteSource {
 public:
  explicit Glanced(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

  base::Result<std::string_view> Glance() {
    const auto got = source_->Read(beginning_);
    if (!got) return got.error();
    size_ = *got;
    return std::string_view(beginning_.data(), size_);
  }
  base::Result<std::size_t> Read(std::span<char> out) override {
    const std::size_t first = std::min(out.size(), size_ - passed_);
    std::memcpy(out.data(), beginning_.data() + passed_, first);
    passed_ += first;
    if (first == out.size()) return first;
    const auto rest = source_->Read(out.subspan(first));
    if (!rest) return rest.error();
    return first + *rest;
  }
  const std::string& name() const override { return source_->name(); }

 private:
  std::unique_ptr<ByteSource> source_;
  std::array<char, kGlance> beginning_;
  std::size_t size_ = 0;
  std::size_t passed_ = 0;
};

bool IsSpool(std::string_view beginning) {
  return beginning.size() >= sizeof(model::kSpoolMagic) &&
         std::memcmp(beginning.data(), &model::kSpoolMagic, sizeof(model::kSpoolMagic)) == 0;
}

base::Result<Recording> ReadSpoolFile(const std::string& path, const ReadOptions& options) {
  const auto client = ReadSpool(path);
  if (!client) return client.error();
  LiveTrace live(options.client);
  live.AddSpool(*client);
  return live.Make(path);
}

}  // namespace

base::Result<Recording> ReadRecording(std::unique_ptr<ByteSource> source, const ReadOptions& options) {
  Glanced glanced(std::move(source));
  const auto beginning = glanced.Glance();
  if (!beginning) return beginning.error();
  if (IsSpool(*beginning)) return ReadSpoolFile(glanced.name(), options);
  const bool mtr = IsMtr(*beginning);
  if (!mtr && !IsKernelList(*beginning)) return ReadChromeTrace(glanced, options);
  const auto text = ReadAll(glanced, kLargestWhole);
  if (!text) return text.error();
  return mtr ? DecodeMtr(*text, glanced.name()) : ParseKernelList(*text, glanced.name());
}

base::Result<Recording> ReadRecording(const std::string& path, const ReadOptions& options) {
  ReadOptions used = options;
  std::string file = path;
  const auto mark = path.rfind('#');
  struct stat info {};
  if (mark != std::string::npos && stat(path.c_str(), &info) != 0) {
    file = path.substr(0, mark);
    used.client = path.substr(mark + 1);
  }
  auto source = OpenSource(file);
  if (!source) return source.error();
  return ReadRecording(std::move(source).value(), used);
}

}  // namespace mortar::trace
