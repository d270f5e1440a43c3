#include "mortar/top_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace mortar::cli {
namespace {

constexpr std::array kAll = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH, SIGALRM};
constexpr unsigned kPatienceS = 1;

std::atomic<int> pipe_end{-1};
std::atomic<int> end_by{0};
termios restored;

// REQUIRES: async-signal-safe throughout.
void OnSignal(int number) {
  const int saved = errno;
  if (number == SIGALRM) {
    // The main loop did not get to it: it is stuck in a write.
    tcsetattr(STDIN_FILENO, TCSANOW, &restored);
    std::signal(end_by, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, end_by);
    sigprocmask(SIG_UNBLOCK, &only, nullptr);
    raise(end_by);
    _exit(1);
  }
  if (std::find(kEndSignals.begin(), kEndSignals.end(), number) != kEndSignals.end()) {
    end_by = number;
    alarm(kPatienceS);
  }
  const auto byte = static_cast<unsigned char>(number);
  [[maybe_unused]] const ssize_t sent = write(pipe_end, &byte, 1);
  errno = saved;
}

}  // namespace

TopSignals::TopSignals(const termios& settings) {
  static_assert(kAll.size() == std::tuple_size_v<decltype(before_)>);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    read_ = base::Fd(ends[0]);
    write_ = base::Fd(ends[1]);
  }
  pipe_end = write_.get();
  end_by = 0;
  restored = settings;
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kAll.size(); ++i) sigaction(kAll[i], &action, &before_[i]);
}

TopSignals::~TopSignals() {
  alarm(0);
  for (std::size_t i = 0; i < kAll.size(); ++i) sigaction(kAll[i], &before_[i], nullptr);
  pipe_end = -1;
}

int TopSignals::Next() {
  unsigned char number = 0;
  return read(read_.get(), &number, 1) == 1 ? number : 0;
}

}  // namespace mortar::cli
