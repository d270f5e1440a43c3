// A file that is there whole or not at all: written under another name beside it, a timeline compressed if
// its name ends in .gz, and renamed into place. A link stays, and what it names is replaced; pipes, devices
// and what links name that is not there yet are written to as they are.
//
// One owner. Destroyed before Commit, it leaves nothing behind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mortar::trace {

// Where a writer of text writes to.
class TextSink {
 public:
  virtual ~TextSink() = default;
  virtual base::Status Write(std::string_view text) = 0;
};

class OutputFile : public TextSink {
 public:
  enum class Kind : std::uint8_t { kTimeline, kPlain };

  // Errors: kInvalid (a timeline whose name ends neither in .json nor in .json.gz), kNotFound, kDenied,
  // kFull, kSystem.
  static base::Result<std::unique_ptr<OutputFile>> Create(const std::string& path,
                                                          Kind kind = Kind::kTimeline);
  ~OutputFile() override;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  base::Status Write(std::string_view text) override;
  // Ends the file and gives it its name; a file of that name is replaced.
  base::Status Commit();

 private:
  OutputFile(std::string path, std::string temporary, void* file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}
  base::Error Failure();
  const std::string& written() const { return temporary_.empty() ? path_ : temporary_; }
  void Remove() const;

  std::string path_;
  std::string temporary_;  // empty: written to path_ itself
  void* file_;             // gzFile
};

}  // namespace mortar::trace
