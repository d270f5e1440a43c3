#include "board/slot_lock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace mortar::board {
namespace {

constexpr std::size_t kPage = 4096;

struct flock ByteLock(int byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

constinit std::atomic<std::atomic<std::uint64_t>*> mark_page{nullptr};
constinit std::atomic<std::uint64_t> marks_given{0};

// The page a forked child finds zeroed.
std::atomic<std::uint64_t>* MarkPage() {
  if (auto* page = mark_page.load()) return page;
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* page = static_cast<std::atomic<std::uint64_t>*>(memory);
  std::atomic<std::uint64_t>* seen = nullptr;
  if (madvise(memory, kPage, MADV_WIPEONFORK) == 0 && mark_page.compare_exchange_strong(seen, page))
    return page;
  munmap(memory, kPage);
  return seen;  // another thread's, or null on a kernel before 4.14
}

}  // namespace

std::uint64_t ProcessMark() {
  auto* page = MarkPage();
  if (page == nullptr) return 0;
  std::uint64_t mark = page->load();
  if (mark == 0) {
    const std::uint64_t fresh = marks_given.fetch_add(1) + 1;  // copied by fork, so never one of the parent's
    mark = page->compare_exchange_strong(mark, fresh) ? fresh : mark;
  }
  return mark;
}

base::Result<LockFile> LockFile::Open(const std::string& path, std::uint64_t device, std::uint64_t inode) {
  LockFile file;
  file.fd_ = base::Fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.fd_) return base::SystemError("open board " + path + " for locking", errno);
  struct stat info {};
  if (fstat(file.fd_.get(), &info) != 0) return base::SystemError("stat board " + path, errno);
  if (info.st_dev != device || info.st_ino != inode) {
    return base::Error{base::Code::kMismatch,
                       "join board " + path + ": another file stands under its name now; open it again"};
  }
  return file;
}

bool LockFile::TryLock(int byte) {
  auto lock = ByteLock(byte, F_WRLCK);
  return fcntl(fd_.get(), F_OFD_SETLK, &lock) == 0;
}

bool LockFile::LockWithin(int byte, std::int64_t for_ns) {
  const std::int64_t deadline = base::MonotonicNs() + for_ns;
  while (!TryLock(byte)) {
    if (base::MonotonicNs() >= deadline) return false;
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  return true;
}

void LockFile::Unlock(int byte) {
  auto lock = ByteLock(byte, F_UNLCK);
  fcntl(fd_.get(), F_OFD_SETLK, &lock);
}

bool LockFile::HeldElsewhere(int byte) const {
  auto lock = ByteLock(byte, F_WRLCK);
  return fcntl(fd_.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

base::Result<LockHolder> LockHolder::Keep(const LockFile& file) {
  LockHolder holder;
  holder.process_ = ProcessMark();
  if (holder.process_ == 0) {
    return base::Error{base::Code::kUnsupported,
                       "join board: no memory that fork wipes; Linux 4.14 or later is needed"};
  }
  holder.page_ = base::Mapping(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file.fd(), 0), kPage);
  if (!holder.page_) return base::SystemError("join board: map the page that keeps the lock", errno);
  if (madvise(holder.page_.get(), kPage, MADV_DONTFORK) != 0) {
    return base::SystemError("join board: keep the lock from forked children", errno);
  }
  return holder;
}

LockHolder& LockHolder::operator=(LockHolder&& other) noexcept {
  if (this != &other) {
    Release();
    page_ = std::move(other.page_);
    process_ = std::exchange(other.process_, 0);
  }
  return *this;
}

bool LockHolder::HeldHere() const { return page_ && process_ == ProcessMark(); }

void LockHolder::Release() {
  // In a forked child the page was never mapped, and something else may lie at its address by now.
  if (HeldHere()) page_.Reset();
  static_cast<void>(page_.Release());
}

}  // namespace mortar::board
