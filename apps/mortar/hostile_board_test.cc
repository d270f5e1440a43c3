// A member of the group writes garbage onto a board, all the time: whoever watches it prints what can be
// read, whole lines and whole JSON, and nothing that would spoil a terminal.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "board/board.h"
#include "board/garbage.h"
#include "mortar/serve_metrics.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

class HostileBoardTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = board::Board::Open(directory_.path(), "gpu", true);
    ASSERT_TRUE(opened.ok());
    board_ = std::move(*opened);
    const auto joined = board_.Join({"victim", 1, 10'000});
    ASSERT_TRUE(joined.ok());
    slot_ = joined->index;
    vandal_ = std::thread([this] {
      base::Random random(11);
      while (!over_.load()) {
        board::Spoil(board_.header(), random);
        board::Slot& slot = board_.slot(slot_);
        board::Spoil(slot, random);
        for (auto& byte : slot.name)
          byte.store(static_cast<char>(random.Next()));  // no NUL need be among them
        board_.Bump();
        usleep(100);
      }
    });
  }
  ~HostileBoardTest() override {
    over_.store(true);
    if (vandal_.joinable()) vandal_.join();
  }
  Outcome Call(const std::vector<std::string>& words) const {
    return RunMortar(words, {{"MORTAR_DIR", directory_.path()}});
  }
  static bool IsClean(const std::string& text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c == '\n' || (c >= 32 && c != 127); });
  }

  board::TemporaryDirectory directory_;
  board::Board board_;
  int slot_ = 0;
  std::atomic<bool> over_{false};
  std::thread vandal_;
};

// Settings that nobody can read are said to be so, in a line; all else is printed.
TEST_F(HostileBoardTest, StatusAndTopPrintWholeLines) {
  int told = 0;
  for (int i = 0; i < 10; ++i) {
    for (const auto& words : {std::vector<std::string>{"status"},
                              {"top", "--once", "--interval", "0.05"},
                              {"status", "--json"},
                              {"top", "--json", "--count", "2", "--interval", "0.05"}}) {
      const auto outcome = Call(words);
      ASSERT_TRUE(outcome.code == 0 || (outcome.code == 1 && outcome.lines() <= 1))
          << outcome.code << outcome.err;
      EXPECT_TRUE(IsClean(outcome.out)) << outcome.out;
      EXPECT_TRUE(IsClean(outcome.err)) << outcome.err;
      told += outcome.out.find("gpu") != std::string::npos ? 1 : 0;
      std::istringstream lines(outcome.out);
      for (std::string line;
           std::find(words.begin(), words.end(), "--json") != words.end() && std::getline(lines, line);)
        EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    }
  }
  EXPECT_GT(told, 10);
}

// Prometheus drops a whole scrape for one line that it cannot read.
TEST_F(HostileBoardTest, EveryMetricIsANameLabelsAndANumber) {
  Watcher watcher(false);
  setenv("MORTAR_DIR", directory_.path().c_str(), 1);
  for (int i = 0; i < 50; ++i) {
    std::istringstream lines(ToMetrics(watcher.Look()));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("#")) continue;
      EXPECT_TRUE(IsClean(line)) << line;
      const std::size_t space = line.rfind(' ');
      ASSERT_NE(space, std::string::npos) << line;
      std::size_t end = 0;
      const double value = std::stod(line.substr(space + 1), &end);
      EXPECT_EQ(space + 1 + end, line.size()) << line;
      EXPECT_TRUE(std::isfinite(value)) << line;
      EXPECT_EQ(line.find('}') == std::string::npos, line.find('{') == std::string::npos) << line;
    }
    usleep(500);
  }
}

}  // namespace
}  // namespace mortar::cli
