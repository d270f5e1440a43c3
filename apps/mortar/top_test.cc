// `mortar top` as it is used: into pipes, and on a terminal.
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <utmp.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "board/board.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

class TopTest : public testing::Test {
 protected:
  TopTest() {
    auto opened = board::Board::Open(directory_.path(), "0000:3b:00.0", true);
    EXPECT_TRUE(opened.ok());
    if (!opened.ok()) return;
    board_ = std::move(*opened);
    EXPECT_TRUE(board_.Join({"serve", 1, 10'000}).ok());
  }
  Outcome Call(std::vector<std::string> words, std::map<std::string, std::string> changes = {}) const {
    words.insert(words.begin(), "top");
    changes.emplace("MORTAR_DIR", directory_.path());
    return RunMortar(words, changes);
  }
  board::TemporaryDirectory directory_;
  board::Board board_;
};

TEST_F(TopTest, OnceWritesTextIntoAPipe) {
  const auto outcome = Call({"--once", "--interval", "0.05"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const char* part : {"0000:3b:00.0  policy fill", "holds: nobody", "serve", "SUBMITS/S"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
}

TEST_F(TopTest, JsonIsOneObjectALine) {
  const auto outcome = Call({"--json", "--count", "2", "--interval", "0.05"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  const auto first = nlohmann::json::parse(outcome.out.substr(0, outcome.out.find('\n')));
  EXPECT_EQ(first["devices"][0]["device"], "0000:3b:00.0");
  EXPECT_EQ(first["devices"][0]["clients"][0]["name"], "serve");
  EXPECT_EQ(first["devices"][0]["clients"][0]["submits_per_s"], 0.0);
  EXPECT_GE(first["interval_s"].get<double>(), 0.05);
}

TEST_F(TopTest, AReaderThatGoesAwayEndsIt) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  board::Child child([&] {
    dup2(ends[1], STDOUT_FILENO);
    execl(MORTAR_BINARY, "mortar", "top", "--interval", "0.05", "--dir", directory_.path().c_str(), nullptr);
    return 125;
  });
  close(ends[1]);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(TopTest, NvmlTellsOfOthersAndOfTheDevice) {
  const auto outcome =
      Call({"--json", "--count", "1", "--interval", "0.05"}, {{"LD_LIBRARY_PATH", FAKE_NVML_DIR}});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto device = nlohmann::json::parse(outcome.out)["devices"][0];
  EXPECT_EQ(device["busy_measured"], 0.42);
  ASSERT_EQ(device["unmanaged"].size(), 1U) << device;
  EXPECT_EQ(device["unmanaged"][0]["pid"], 1);
  EXPECT_EQ(device["unmanaged"][0]["through"], "NVML");
  EXPECT_EQ(device["unmanaged"][0]["memory_bytes"], 3 << 20);
}

TEST_F(TopTest, BadInput) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--interval", "0"}, {"--interval", "soon"}, {"--count", "0"}, {"extra"}}) {
    const auto outcome = Call(words);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_EQ(outcome.lines(), 1) << outcome.err;
  }
  const auto nowhere = Call({"--once", "--interval", "0.05"}, {{"MORTAR_DIR", "/nowhere"}});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_NE(nowhere.out.find("/nowhere"), std::string::npos) << nowhere.out;
}

// `mortar top` with a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const std::string& directory, const char* kind = "xterm",
                    winsize size = {24, 140, 0, 0}) {
    int slave = -1;
    if (openpty(&master_, &slave, nullptr, nullptr, &size) != 0) return;
    // The program must not keep its own terminal's other end.
    fcntl(master_, F_SETFD, FD_CLOEXEC);
    tcgetattr(master_, &before_);
    pid_ = fork();
    if (pid_ == 0) {
      login_tty(slave);
      setenv("TERM", kind, 1);
      setenv("LC_ALL", "C.UTF-8", 1);
      setenv("MORTAR_DIR", directory.c_str(), 1);
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, nullptr);
      execl(MORTAR_BINARY, "mortar", "top", "--interval", "0.05", nullptr);
      _exit(125);
    }
    // Kept open: the terminal's settings can be read after the program has ended.
    slave_ = slave;
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
    if (master_ >= 0) close(master_);
    if (slave_ >= 0) close(slave_);
  }
  // Reads until `text` has come since the last call; false if it never does.
  bool Await(const std::string& text) {
    for (;;) {
      if (const std::size_t at = output_.find(text, seen_); at != std::string::npos) {
        seen_ = at + text.size();
        return true;
      }
      if (!Read()) return false;
    }
  }
  void Type(const std::string& keys) {
    EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void Resize(unsigned short rows, unsigned short columns) const {
    const winsize size{rows, columns, 0, 0};
    ioctl(master_, TIOCSWINSZ, &size);
  }
  void HangUp() {
    close(slave_);
    close(master_);
    master_ = slave_ = -1;
  }
  // Makes it redraw, without reading, until its write blocks (in n_tty's or the pty's write).
  // False where the kernel does not tell.
  bool AwaitBlocked() const {
    for (bool blocked = false; !blocked;) {
      Resize(20, 140);
      Resize(24, 140);
      std::ifstream stack("/proc/" + std::to_string(pid_) + "/wchan");
      std::string where;
      std::getline(stack, where);
      if (where.empty()) return false;
      blocked =
          where.find("n_tty_write") != std::string::npos || where.find("wait_woken") != std::string::npos;
    }
    return true;
  }
  pid_t pid() const { return pid_; }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  bool Restored() {
    termios now{};
    tcgetattr(master_, &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag;
  }

 private:
  bool Read() {
    pollfd waiting{master_, POLLIN, 0};
    if (poll(&waiting, 1, 30'000) <= 0) return false;
    std::array<char, 4096> bytes{};
    const ssize_t length = read(master_, bytes.data(), bytes.size());
    if (length <= 0) return false;
    output_.append(bytes.data(), static_cast<std::size_t>(length));
    return true;
  }
  int master_ = -1;
  int slave_ = -1;
  pid_t pid_ = -1;
  termios before_{};
  std::string output_;
  std::size_t seen_ = 0;
};

constexpr char kLeave[] = "\x1b[?1049l";  // xterm's end of the other screen

TEST_F(TopTest, DrawsTakesKeysAndQuits) {
  Terminal terminal(directory_.path());
  ASSERT_TRUE(terminal.Await("serve"));
  ASSERT_TRUE(terminal.Await("sort: priority"));
  terminal.Type("s");
  ASSERT_TRUE(terminal.Await("device time"));
  terminal.Type(" ");
  ASSERT_TRUE(terminal.Await("PAUSED"));
  terminal.Type(" \x1b[A\x1b[B\x1b[6~+-zq");
  ASSERT_TRUE(terminal.Await(kLeave));
  EXPECT_EQ(terminal.Wait(), 0);
  EXPECT_TRUE(terminal.Restored());
}

TEST_F(TopTest, SignalsEndItAndRestoreTheTerminal) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    Terminal terminal(directory_.path());
    ASSERT_TRUE(terminal.Await("serve"));
    EXPECT_FALSE(terminal.Restored());
    kill(terminal.pid(), number);
    EXPECT_TRUE(terminal.Await(kLeave)) << number;
    EXPECT_EQ(terminal.Wait(), -number);
    EXPECT_TRUE(terminal.Restored()) << number;
  }
}

TEST_F(TopTest, StoppedItGivesTheTerminalBackAndDrawsAnewAfterwards) {
  Terminal terminal(directory_.path());
  ASSERT_TRUE(terminal.Await("serve"));
  kill(terminal.pid(), SIGTSTP);
  ASSERT_TRUE(terminal.Await(kLeave));
  int status = 0;
  ASSERT_EQ(waitpid(terminal.pid(), &status, WUNTRACED), terminal.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_TRUE(terminal.Restored());
  kill(terminal.pid(), SIGCONT);
  ASSERT_TRUE(terminal.Await("serve"));
  terminal.Type("q");
  ASSERT_TRUE(terminal.Await(kLeave));
  EXPECT_EQ(terminal.Wait(), 0);
}

TEST_F(TopTest, FollowsTheTerminalsSize) {
  Terminal terminal(directory_.path());
  ASSERT_TRUE(terminal.Await("arrows scroll"));
  terminal.Resize(1, 1);
  terminal.Resize(5, 20);
  ASSERT_TRUE(terminal.Await("q quit  space pause"));  // all of it that 20 columns hold
  terminal.Resize(30, 200);
  ASSERT_TRUE(terminal.Await("OF LIMIT"));
  terminal.Type("q");
  ASSERT_TRUE(terminal.Await(kLeave));
  EXPECT_EQ(terminal.Wait(), 0);
}

TEST_F(TopTest, ATerminalThatGoesAwayEndsIt) {
  Terminal terminal(directory_.path());
  ASSERT_TRUE(terminal.Await("serve"));
  terminal.HangUp();
  EXPECT_LE(terminal.Wait(), 0);
}

TEST_F(TopTest, ATerminalThatTakesNoOutputDoesNotKeepItAlive) {
  // Nothing is read: the terminal's buffer fills with frames until a write blocks.
  Terminal terminal(directory_.path());
  ASSERT_TRUE(terminal.Await("serve"));
  if (!terminal.AwaitBlocked()) GTEST_SKIP() << "this kernel does not tell where a process waits";
  kill(terminal.pid(), SIGTERM);
  EXPECT_EQ(terminal.Wait(), -SIGTERM);
  EXPECT_TRUE(terminal.Restored());
}

TEST_F(TopTest, AnUnknownTerminalIsSaid) {
  Terminal terminal(directory_.path(), "no-such-terminal");
  ASSERT_TRUE(terminal.Await("TERM=no-such-terminal"));
  EXPECT_EQ(terminal.Wait(), 1);
}

}  // namespace
}  // namespace mortar::cli
