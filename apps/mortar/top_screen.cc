#include "mortar/top_screen.h"

#define NCURSES_NOMACROS  // its macros are named like half of the standard library
#define _XOPEN_SOURCE_EXTENDED 1
#include <curses.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cwchar>

#include "base/clock.h"
#include "mortar/top_frame.h"
#include "mortar/top_signals.h"

namespace mortar::cli {
namespace {

constexpr std::array kIntervals = {0.2, 0.5, 1.0, 2.0, 5.0, 10.0};
constexpr int kEscapeDelayMs = 25;  // chosen: how long the rest of an arrow key may take

int Attribute(Style style) {
  switch (style) {
    case Style::kPlain:
      return A_NORMAL;
    case Style::kTitle:
      return A_BOLD;
    case Style::kDim:
      return A_DIM;
    case Style::kHead:
      return A_UNDERLINE;
    case Style::kHolder:
      return COLOR_PAIR(1) | A_BOLD;
    case Style::kFiller:
      return COLOR_PAIR(2);
    case Style::kWarn:
      return COLOR_PAIR(3);
    case Style::kBad:
      return COLOR_PAIR(4) | A_BOLD;
  }
  return A_NORMAL;
}

// The terminal in ncurses' hands, and back at the end.
class Terminal {
 public:
  Terminal() {
    set_escdelay(kEscapeDelayMs);
    screen_ = newterm(nullptr, stdout, stdin);
    if (screen_ == nullptr) return;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (has_colors()) {
      start_color();
      use_default_colors();
      init_pair(1, COLOR_GREEN, -1);
      init_pair(2, COLOR_CYAN, -1);
      init_pair(3, COLOR_YELLOW, -1);
      init_pair(4, COLOR_RED, -1);
    }
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() { Leave(); }
  void Leave() {
    if (screen_ == nullptr) return;
    endwin();
    delscreen(screen_);
    screen_ = nullptr;
  }
  bool ok() const { return screen_ != nullptr; }

 private:
  SCREEN* screen_ = nullptr;
};

class Screen {
 public:
  explicit Screen(double interval_s) : interval_s_(interval_s) {
    options_.unicode = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  }

  // 0: the user quit, or the terminal went away; else the signal that asks for the end.
  int Run(TopSignals& signals);

 private:
  // False: quit.
  bool OnKey(int key);
  bool OnKeys();
  int OnSignals(TopSignals& signals);
  void Resize();
  void Draw();
  void DrawLine(int row, const Line& line);
  void Look();
  void ChangeInterval(int by);
  int Rows() const { return std::max(getmaxy(stdscr) - 1, 1); }

  Watcher watcher_;
  Sample sample_;
  std::vector<Line> lines_;
  FrameOptions options_;
  double interval_s_;
  std::int64_t next_look_ns_ = 0;
  int top_ = 0;  // first line shown
  bool paused_ = false;
};

void Screen::Look() {
  sample_ = watcher_.Look();
  const bool first = next_look_ns_ == 0;
  // The first rates soon, so that nobody looks at dashes for long.
  const double wait_s = first ? std::min(interval_s_, 0.5) : interval_s_;
  next_look_ns_ = base::MonotonicNs() + static_cast<std::int64_t>(wait_s * 1e9);
}

void Screen::DrawLine(int row, const Line& line) {
  const int width = getmaxx(stdscr);
  int column = 0;
  wmove(stdscr, row, 0);
  for (const auto& span : line) {
    std::wstring text(span.text.size() + 1, L'\0');
    const std::size_t length = std::mbstowcs(text.data(), span.text.c_str(), text.size());
    if (length == static_cast<std::size_t>(-1)) {  // a locale that cannot show it
      text.assign(span.text.begin(), span.text.end());
      for (wchar_t& c : text) c = c < 0x20 || c > 0x7e ? L'?' : c;
    } else {
      text.resize(length);
    }
    std::size_t fits = 0;
    while (fits < text.size()) {
      const int columns = std::max(wcwidth(text[fits]), 0);
      if (column + columns > width) break;
      column += columns;
      ++fits;
    }
    wattrset(stdscr, Attribute(span.style));
    waddnwstr(stdscr, text.c_str(), static_cast<int>(fits));
  }
  wattrset(stdscr, A_NORMAL);
}

void Screen::Draw() {
  lines_ = ComposeFrame(sample_, options_);
  const int rows = Rows();
  top_ = std::clamp(top_, 0, std::max(static_cast<int>(lines_.size()) - rows, 0));
  werase(stdscr);
  for (int row = 0; row < rows && top_ + row < static_cast<int>(lines_.size()); ++row)
    DrawLine(row, lines_[static_cast<std::size_t>(top_ + row)]);
  const std::string state = paused_ ? "PAUSED  " : "";
  DrawLine(rows, {{state, Style::kWarn},
                  {std::string("q quit  space pause  s sort: ") + OrderName(options_.order) +
                       "  + - interval  arrows scroll",
                   Style::kDim}});
  wrefresh(stdscr);
}

void Screen::ChangeInterval(int by) {
  const auto at = std::lower_bound(kIntervals.begin(), kIntervals.end(), interval_s_);
  const auto index = std::clamp<std::ptrdiff_t>(at - kIntervals.begin() + by, 0,
                                                static_cast<std::ptrdiff_t>(kIntervals.size()) - 1);
  interval_s_ = kIntervals[static_cast<std::size_t>(index)];
  next_look_ns_ = std::min(next_look_ns_, base::MonotonicNs() + static_cast<std::int64_t>(interval_s_ * 1e9));
}

bool Screen::OnKey(int key) {
  switch (key) {
    case 'q':
    case 'Q':
      return false;
    case ' ':
      paused_ = !paused_;
      break;
    case 's':
      options_.order = NextOrder(options_.order);
      break;
    case '+':
      ChangeInterval(1);
      break;
    case '-':
      ChangeInterval(-1);
      break;
    case KEY_UP:
    case 'k':
      --top_;
      break;
    case KEY_DOWN:
    case 'j':
      ++top_;
      break;
    case KEY_PPAGE:
      top_ -= Rows();
      break;
    case KEY_NPAGE:
      top_ += Rows();
      break;
    case KEY_HOME:
      top_ = 0;
      break;
    case KEY_END:
      top_ = static_cast<int>(lines_.size());
      break;
    default:
      break;
  }
  return true;
}

bool Screen::OnKeys() {
  for (int key = wgetch(stdscr); key != ERR; key = wgetch(stdscr)) {
    if (!OnKey(key)) return false;
  }
  return true;
}

void Screen::Resize() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
    resizeterm(size.ws_row, size.ws_col);
  clearok(stdscr, TRUE);
}

// The signal to end by; 0: go on.
int Screen::OnSignals(TopSignals& signals) {
  for (int number = signals.Next(); number != 0; number = signals.Next()) {
    if (std::find(kEndSignals.begin(), kEndSignals.end(), number) != kEndSignals.end()) return number;
    if (number == SIGTSTP) {
      endwin();
      raise(SIGSTOP);  // until the shell's fg
    }
    Resize();
  }
  return 0;
}

int Screen::Run(TopSignals& signals) {
  Look();
  for (;;) {
    Draw();
    const std::int64_t left_ns = std::max<std::int64_t>(next_look_ns_ - base::MonotonicNs(), 0);
    std::array<pollfd, 2> ends{{{STDIN_FILENO, POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
    const int timeout_ms = paused_ ? -1 : static_cast<int>(left_ns / 1'000'000 + 1);
    const int ready = poll(ends.data(), ends.size(), timeout_ms);
    if (ready > 0 && (ends[1].revents & POLLIN) != 0) {
      if (const int number = OnSignals(signals); number != 0) return number;
    }
    if (ready > 0 && (ends[0].revents & POLLIN) != 0) {
      if (!OnKeys()) return 0;
    }
    if (ready > 0 && (ends[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return 0;
    if (!paused_ && base::MonotonicNs() >= next_look_ns_) Look();
  }
}

}  // namespace

base::Status WatchOnScreen(double interval_s) {
  std::setlocale(LC_CTYPE, "");
  int end_by = 0;
  {
    termios settings{};
    tcgetattr(STDIN_FILENO, &settings);
    Terminal terminal;
    if (!terminal.ok()) {
      const char* kind = std::getenv("TERM");
      return base::Error{base::Code::kUnsupported, std::string("draw on this terminal: its kind TERM=") +
                                                       (kind != nullptr ? kind : "") +
                                                       " is not known; set TERM, or use --once"};
    }
    TopSignals signals(settings);
    end_by = Screen(interval_s).Run(signals);
    // Still with its alarm: giving the terminal back is a write too.
    terminal.Leave();
  }
  if (end_by != 0) {
    std::signal(end_by, SIG_DFL);
    raise(end_by);
  }
  return {};
}

}  // namespace mortar::cli
