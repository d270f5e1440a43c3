#include "board/guard.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>

#include "board/layout.h"

namespace mortar::board {
namespace {

constexpr int kMostMappings = 256;  // chosen: boards open in one process; one a device is usual

// Start addresses of guarded mappings, 0: free. Written by openers, read by the handler.
constinit std::atomic<std::uintptr_t> guarded[kMostMappings] = {};
constinit std::atomic<int> install_state{0};  // 0: not yet, 1: somebody is at it, 2: done, 3: failed
struct sigaction earlier;                     // written before install_state becomes 2

// Raw system call: mmap(2) itself is safe in a handler, wrappers of sanitizers and of other preloads need not
// be.
bool ReplaceByZeros(std::uintptr_t start) {
  constexpr long kProtection = PROT_READ | PROT_WRITE;
  constexpr long kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  return syscall(SYS_mmap, start, kFileSize, kProtection, kFlags, -1L, 0L) == static_cast<long>(start);
}

void CallEarlier(int number, siginfo_t* info, void* context) {
  const bool sent = info->si_code <= 0;  // by kill(2) and its like: returning does not repeat it
  if ((earlier.sa_flags & SA_SIGINFO) == 0) {
    if (earlier.sa_handler == SIG_IGN && sent) return;
    if (earlier.sa_handler == SIG_DFL || earlier.sa_handler == SIG_IGN) {
      // The fault repeats when we return and then ends the program as it would have without us.
      std::signal(number, SIG_DFL);
      if (sent) std::raise(number);
      return;
    }
  }
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &earlier.sa_mask, &before);
  if ((earlier.sa_flags & SA_SIGINFO) != 0) {
    earlier.sa_sigaction(number, info, context);
  } else {
    earlier.sa_handler(number);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void OnBusError(int number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  bool replaced = false;
  for (auto& entry : guarded) {
    const std::uintptr_t start = entry.load();
    const bool inside = start != 0 && address >= start && address - start < kFileSize;
    if (inside && info->si_code > 0) replaced = ReplaceByZeros(start);
  }
  if (!replaced) CallEarlier(number, info, context);
  errno = saved_errno;
}

bool InstallHandler() {
  int seen = 0;
  if (install_state.compare_exchange_strong(seen, 1)) {
    struct sigaction action {};
    action.sa_sigaction = OnBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    // Read first: the handler may run as soon as it is installed.
    const bool done = sigaction(SIGBUS, nullptr, &earlier) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
    install_state.store(done ? 2 : 3);
    return done;
  }
  while ((seen = install_state.load()) == 1) usleep(100);
  return seen == 2;
}

}  // namespace

base::Result<GuardedMapping> GuardedMapping::Map(int fd, std::size_t size, const char* path) {
  if (!InstallHandler()) {
    return base::Error{base::Code::kSystem,
                       std::string("open board ") + path +
                           ": cannot handle SIGBUS, so a truncated board would end this program"};
  }
  GuardedMapping guard;
  guard.mapping_ = base::Mapping(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), size);
  if (!guard.mapping_) return base::SystemError(std::string("map board ") + path, errno);
  const auto start = reinterpret_cast<std::uintptr_t>(guard.mapping_.get());
  for (auto& entry : guarded) {
    std::uintptr_t seen = 0;
    if (entry.compare_exchange_strong(seen, start)) return guard;
  }
  return base::Error{base::Code::kFull, std::string("open board ") + path + ": this process has " +
                                            std::to_string(kMostMappings) + " boards open; close some"};
}

GuardedMapping& GuardedMapping::operator=(GuardedMapping&& other) noexcept {
  if (this != &other) {
    Unregister();
    mapping_ = std::move(other.mapping_);
  }
  return *this;
}

void GuardedMapping::Unregister() {
  const auto start = reinterpret_cast<std::uintptr_t>(mapping_.get());
  if (start == 0) return;
  for (auto& entry : guarded) {
    std::uintptr_t seen = start;
    if (entry.compare_exchange_strong(seen, 0)) break;
  }
}

}  // namespace mortar::board
