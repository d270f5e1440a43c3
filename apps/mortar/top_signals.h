// Signals for `mortar top`: told through a pipe that a loop can poll. Handlers are the process's own; one at
// a time; made and destroyed by the main thread.
//
// A terminal that takes no output (Ctrl-S, a hung connection) blocks the program in a write, where it would
// never look at the pipe: a second after a signal that asks for the end, the handler itself restores the
// terminal's settings and ends the process.
#pragma once

#include <termios.h>

#include <array>
#include <csignal>

#include "base/owner.h"

namespace mortar::cli {

inline constexpr std::array kEndSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

class TopSignals {
 public:
  // `settings`: those of the terminal on stdin, to be restored. REQUIRES: made after ncurses installed its
  // own handlers.
  explicit TopSignals(const termios& settings);
  ~TopSignals();
  TopSignals(const TopSignals&) = delete;
  TopSignals& operator=(const TopSignals&) = delete;

  int fd() const { return read_.get(); }  // readable when Next has something to tell
  // The next signal that came; 0: none.
  int Next();

 private:
  base::Fd read_;
  base::Fd write_;
  std::array<struct sigaction, 8> before_{};
};

}  // namespace mortar::cli
