#include "mortar/child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "mortar/invocation.h"
#include "mortar/launch.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

sigset_t before;

sigset_t Handled() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

int CodeOf(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return 128 + WTERMSIG(status);
}

}  // namespace

SignalsHeld::SignalsHeld() {
  const sigset_t set = Handled();
  sigprocmask(SIG_BLOCK, &set, &before);
}

SignalsHeld::~SignalsHeld() { sigprocmask(SIG_SETMASK, &before, nullptr); }

int RunChild(const std::string& path, const std::vector<std::string>& words,
             const std::map<std::string, std::string>& environment) {
  // A parent that ignores SIGCHLD would have the child's status thrown away.
  signal(SIGCHLD, SIG_DFL);
  const pid_t child = fork();
  if (child < 0) {
    Complain(std::string("start a process: ") + std::strerror(errno));
    return kFailed;
  }
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    _exit(Launch(path, words, environment));
  }
  const sigset_t set = Handled();
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return CodeOf(status);
    siginfo_t info{};
    const int signal = sigwaitinfo(&set, &info);
    // What the terminal sends (Ctrl-C) reaches the child anyway: it is in the same foreground group.
    const bool from_terminal = info.si_code == SI_KERNEL;
    if (signal > 0 && signal != SIGCHLD && !from_terminal) kill(child, signal);
  }
}

}  // namespace mortar::cli
