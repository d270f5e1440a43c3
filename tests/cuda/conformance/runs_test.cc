// The conformance suite on the simulated device: bare, and through `mortar run` under each policy, as
// the only client, beside an equal, and as a filler beside a busy holder. The results are the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
#include "board/view.h"
#include "model/model.h"
#include "support/program.h"

namespace mortar::tests {
namespace {

constexpr char kBoard[] = "simulated 0000:0c:00.0";  // conformance.toml

class ConformanceTest : public testing::Test {
 protected:
  void SetUp() override {
    environment = {{"MORTAR_DIR", boards.path()},
                   {"MORTAR_PROFILES", ""},
                   {"MORTAR_SIM_DEVICE_REPORT", boards.path() + "/refused"}};
  }

  // The suite's failed tests, and how it ended.
  std::vector<std::string> Run(const std::vector<std::string>& flags) {
    std::vector<std::string> words = {"run", "--sim-device", CONFORMANCE_DEVICE};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {"--", CONFORMANCE});
    Program program(MORTAR_TOOL, words, environment);
    std::vector<std::string> failed;
    std::string last;
    for (std::string line = program.ReadLine(); line != "(ended)" && line != "(hangs)";
         line = program.ReadLine()) {
      if (line.find("FAILED") != std::string::npos || line.find("Failure") != std::string::npos ||
          line.find("Which is") != std::string::npos)
        failed.push_back(line);
      if (!line.empty()) last = line;
    }
    const int status = program.Wait();
    if (status != 0) failed.push_back("status " + std::to_string(status) + ": " + program.Errors() + last);
    return failed;
  }
  // Beside another client that is busy all the time, and suffers whatever it may: within 2 % the suite takes
  // minutes.
  void ExpectSameBeside(const std::string& priority,
                        const std::vector<std::string>& more = {"--name", "suite"}) {
    Program other(MORTAR_TOOL,
                  {"run", "--sim-device", CONFORMANCE_DEVICE, "--no-check", "--name", "other",
                   "--max-slowdown", "1000%", "--priority", priority, "--", CONFORMANCE, "holder"},
                  environment);
    ASSERT_EQ(other.ReadLine(), "at work");
    std::vector<std::string> flags = {"--no-check", "--priority", "5", "--strict"};
    flags.insert(flags.end(), more.begin(), more.end());
    EXPECT_EQ(Run(flags), std::vector<std::string>());
    other.CloseInput();
    EXPECT_EQ(other.ReadLine(), "right");
  }
  void SetPolicy(model::PolicyId policy) {
    auto board = board::Board::Open(boards.path(), kBoard, /*create=*/true);
    ASSERT_TRUE(board.ok());
    board->header().policy.store(static_cast<std::uint32_t>(policy));
    board->Bump();
  }
  // Launches and copies that clients of the board have had counted, dead ones included.
  std::uint64_t Counted() {
    auto board = board::Board::Open(boards.path(), kBoard, /*create=*/false);
    std::uint64_t sum = 0;
    for (int i = 0; board.ok() && i < board::kSlots; ++i) sum += board->slot(i).counters.submits.load();
    return sum;
  }
  // Those of one name.
  std::uint64_t CountedOf(const std::string& name) {
    auto board = board::Board::Open(boards.path(), kBoard, /*create=*/false);
    std::uint64_t sum = 0;
    for (int i = 0; board.ok() && i < board::kSlots; ++i) {
      const board::Slot& slot = board->slot(i);
      if (board::ReadText(slot.name).starts_with(name)) sum += slot.counters.submits.load();
    }
    return sum;
  }

  board::TemporaryDirectory boards;
  Program::Environment environment;
};

TEST_F(ConformanceTest, Bare) {
  EXPECT_EQ(Run({"--unscheduled"}), std::vector<std::string>());
  EXPECT_EQ(Counted(), 0U);
  // What the device refused, each process at its end: the suite asks for one thing that it does not do.
  std::ifstream report(boards.path() + "/refused");
  const std::string text(std::istreambuf_iterator<char>(report), {});
  EXPECT_NE(text.find("refused 2 cuTexRefCreate\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 3)
      << "one line of the suite, one of each program that it runs: " << text;
}

class PolicyConformanceTest : public ConformanceTest, public testing::WithParamInterface<model::PolicyId> {};

TEST_P(PolicyConformanceTest, SameAsBare) {
  if (!std::filesystem::exists(SHIM)) GTEST_SKIP() << "the shim is not built";
  SetPolicy(GetParam());
  EXPECT_EQ(Run({"--no-check", "--name", "suite", "--strict"}), std::vector<std::string>());
  EXPECT_GE(Counted(), 1000U) << "launches and copies that came to the gate";
}

TEST_P(PolicyConformanceTest, SameBesideAnEqual) {
  if (!std::filesystem::exists(SHIM)) GTEST_SKIP() << "the shim is not built";
  SetPolicy(GetParam());
  ExpectSameBeside("5");
}

TEST_P(PolicyConformanceTest, SameAsAFillerBesideAHolder) {
  if (!std::filesystem::exists(SHIM)) GTEST_SKIP() << "the shim is not built";
  SetPolicy(GetParam());
  ExpectSameBeside("0");
}

// Every copy that can be is cut, as finely as can be said.
TEST_F(ConformanceTest, SameAsAFillerWhoseCopiesGoInPieces) {
  if (!std::filesystem::exists(SHIM)) GTEST_SKIP() << "the shim is not built";
  ExpectSameBeside("0");
  const std::uint64_t whole = CountedOf("suite");
  ExpectSameBeside("0", {"--slice", "10us", "--name", "sliced"});
  EXPECT_GT(CountedOf("sliced"), whole + 500) << "some 70 copies of 3 MiB";
}

INSTANTIATE_TEST_SUITE_P(Policies, PolicyConformanceTest, testing::ValuesIn(model::kPolicies),
                         [](const auto& policy) { return std::string(model::PolicyName(policy.param)); });

}  // namespace
}  // namespace mortar::tests
