// mortar top: who holds, who fills and what it costs, as it happens; on a terminal, or line by line for
// scripts.
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

#include "mortar/invocation.h"
#include "mortar/output.h"
#include "mortar/top_frame.h"
#ifdef MORTAR_HAVE_CURSES
#include "mortar/top_screen.h"
#endif
#include "mortar/watch.h"

namespace mortar::cli {
namespace {

struct Top {
  double interval_s = 1;
  long count = 0;  // 0: without end
  bool once = false;
  bool json = false;
};

void SleepFor(double seconds) {
  timespec left{static_cast<std::time_t>(seconds), 0};
  left.tv_nsec = static_cast<long>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int WatchInLines(const Top& top) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has seen enough is no failure
  Watcher watcher;
  Sample sample = watcher.Look();
  FrameOptions options;
  options.bars = false;
  const long count = top.once ? 1 : top.count;
  for (long done = 0; count == 0 || done < count; ++done) {
    SleepFor(top.interval_s);
    sample = watcher.Look();
    const std::string text =
        top.json ? ToJson(sample).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                 : (done == 0 ? "" : "\n") + PlainText(ComposeFrame(sample, options));
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
      if (errno == EPIPE) return kDone;
      Complain("mortar top: write to stdout: " + base::SystemError("", errno).message.substr(2));
      return kFailed;
    }
  }
  return sample.errors.empty() ? kDone : kFailed;
}

int RunTop(const Top& top) {
  const bool screen =
      !top.once && !top.json && top.count == 0 && isatty(STDOUT_FILENO) != 0 && isatty(STDIN_FILENO) != 0;
  if (!screen) return WatchInLines(top);
#ifdef MORTAR_HAVE_CURSES
  if (const auto watched = WatchOnScreen(top.interval_s); !watched.ok()) {
    Complain("mortar top: " + watched.error().message);
    return kFailed;
  }
  return kDone;
#else
  Complain("mortar top: built without ncurses; showing lines, as --once does again and again");
  return WatchInLines(top);
#endif
}

}  // namespace

void AddTop(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("top", "Watch who holds, who fills and what it costs");
  auto top = std::make_shared<Top>();
  command->add_option("--interval", top->interval_s, "Seconds between two looks (1)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.05, 3600.0));
  command->add_option("--count", top->count, "End after so many, as lines instead of a screen")
      ->type_name("N")
      ->check(CLI::Range(1L, 1'000'000'000L));
  command->add_flag("--once", top->once, "The same as --count 1");
  command->add_flag("--json", top->json, "One JSON object a line instead of a screen");
  AddDirectoryOption(*command, invocation);
  command->footer(
      "On a terminal: q quits, space pauses, s sorts by the next column, + and - change the interval, arrows "
      "scroll. Into a\npipe it writes the same as text, again and again. Rates are over the interval.\n\n"
      "HOLDS is who is active at the highest priority; FILLS, who submitted meanwhile. BUSY, DEVICE and "
      "FILLS "
      "are predicted\nshares of the time; what the driver measured is said to be the driver's. HELD is the "
      "share "
      "of the time that Mortar held\na client's submits. HARM NOW and MODELLED (since it joined) come from "
      "predictions, MEASURED from requests with fills\nwithheld; a row turns yellow near its LIMIT and red "
      "beyond it. \"Without Mortar\" are processes that have the device open\nand are not scheduled.\n\n"
      "Exit codes: 0, or 1 where a board could not be read.\n\n"
      "Examples:\n  mortar top\n  mortar top --once\n  mortar top --json --count 10 | jq "
      "'.devices[].holders'");
  command->callback([&invocation, top] { invocation.action = [top] { return RunTop(*top); }; });
}

}  // namespace mortar::cli
