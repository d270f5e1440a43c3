#include "board/board.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "board/internal.h"
#include "board/wake.h"

namespace mortar::board {
namespace {

using base::Code;
using base::Error;

// A wake-up can get lost (a waker that died between its store and its call, bytes overwritten): nobody sleeps
// longer than this without looking again. Chosen: well under the 50 ms within which survivors must go on.
constexpr std::int64_t kLongestSleepNs = 20'000'000;

Error OpenFailed(const std::string& path, int error_number) {
  Error error = base::SystemError("open board " + path, error_number);
  if (error.code == Code::kDenied) {
    error.message +=
        "; ask its owner to share it (group and mode 0660), or set MORTAR_DIR to a directory of your own";
  } else if (error_number == ELOOP) {
    error = {Code::kCorrupt, "open board " + path + ": a symbolic link stands there; remove it"};
  } else if (error.code == Code::kNotFound) {
    error.message += "; no program has used that device through Mortar yet";
  }
  return error;
}

long Futex(Atomic<std::uint32_t>* word, int operation, std::uint32_t value, const timespec* timeout) {
  static_assert(sizeof *word == 4);
  return syscall(SYS_futex, word, operation, value, timeout, nullptr,
                 0);  // never FUTEX_PRIVATE_FLAG: across processes
}

// The kernel's side of sleeping. A wait's result is its error number, 0 for none.
struct KernelFutex {
  void Wake(Atomic<std::uint32_t>& word) const { Futex(&word, FUTEX_WAKE, INT_MAX, nullptr); }
  int Wait(Atomic<std::uint32_t>& word, std::uint32_t seen) const {
    return Futex(&word, FUTEX_WAIT, seen, timeout) == 0 ? 0 : errno;
  }
  const timespec* timeout = nullptr;
};

timespec ToTimespec(std::int64_t ns) { return {ns / 1'000'000'000, static_cast<long>(ns % 1'000'000'000)}; }

}  // namespace

base::Result<Board> Board::Open(const std::string& directory, const std::string& device, bool create) {
  const std::string path = directory + "/" + BoardFileName(device);
  for (int attempt = 0;; ++attempt) {
    auto opened = OpenFile(path);
    const bool absent = !opened.ok() && opened.error().code == Code::kNotFound;
    if (!absent || !create || attempt == 3) return opened;
    const base::Fd parent(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent) return base::SystemError("open board directory " + directory, errno);
    if (auto status = CheckMemoryBacked(parent.get(), directory); !status.ok()) return status.error();
    if (auto status = CreateBoardFile(directory, path, device); !status.ok()) return status.error();
  }
}

base::Result<Board> Board::OpenFile(const std::string& path) {
  const base::Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd) return OpenFailed(path, errno);
  if (auto status = CheckMemoryBacked(fd.get(), path); !status.ok()) return status.error();
  if (auto status = CheckFile(fd.get(), path); !status.ok()) return status.error();
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return base::SystemError("stat board " + path, errno);
  auto mapping = GuardedMapping::Map(fd.get(), kFileSize, path.c_str());
  if (!mapping.ok()) return mapping.error();
  Board board;
  board.mapping_ = std::move(*mapping);
  board.path_ = path;
  board.device_ = info.st_dev;
  board.inode_ = info.st_ino;
  if (auto status = CheckHeader(board.header(), path); !status.ok()) return status.error();
  const Header& header = board.header();
  board.clock_ = {static_cast<base::ClockKind>(header.clock_kind.load()), header.clock_shift.load(),
                  header.clock_multiplier.load(), header.clock_base.load()};
  return board;
}

void Board::Bump() { MoveAndWake(header().version, header().sleepers, KernelFutex{}); }

void Board::WaitForChange(std::uint32_t seen, std::int64_t for_ns) {
  if (for_ns <= 0) return;
  const timespec timeout = ToTimespec(std::min(for_ns, kLongestSleepNs));
  const int error = SleepUnlessMoved(header().version, header().sleepers, seen, KernelFutex{&timeout});
  // A futex that cannot be waited on (the page is gone) must not turn the caller's loop into a busy one.
  if (error == EFAULT || error == ENOSYS || error == EINVAL || error == EPERM) nanosleep(&timeout, nullptr);
}

bool Board::StillInPlace(std::string* why) const {
  const auto because = [&](const std::string& cause) {
    if (why != nullptr) *why = "board " + path_ + ": " + cause;
    return false;
  };
  if (Lost()) return because("it was truncated or overwritten while in use");
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) {
    return because(errno == ENOENT ? "it was removed while in use" : std::strerror(errno));
  }
  if (info.st_dev != device_ || info.st_ino != inode_) return because("it was replaced while in use");
  if (static_cast<std::uint64_t>(info.st_size) < kFileSize) return because("it was truncated while in use");
  return true;
}

}  // namespace mortar::board
