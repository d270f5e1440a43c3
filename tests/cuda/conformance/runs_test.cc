// The conformance suite on the simulated device: bare, and through `mortar run` under each policy, as
// the only client, beside an equal, and as a filler beside a busy holder. The results are the same.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
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
    words.insert(words.end(), {"--", CONFORMANCE, "--gtest_brief=1"});
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
  // Beside another client that is busy all the time.
  void ExpectSameBeside(const std::string& priority) {
    Program other(MORTAR_TOOL,
                  {"run", "--sim-device", CONFORMANCE_DEVICE, "--no-check", "--name", "other", "--priority",
                   priority, "--", CONFORMANCE, "holder"},
                  environment);
    ASSERT_EQ(other.ReadLine(), "at work");
    EXPECT_EQ(Run({"--no-check", "--name", "suite", "--priority", "5", "--strict"}),
              std::vector<std::string>());
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

  board::TemporaryDirectory boards;
  Program::Environment environment;
};

TEST_F(ConformanceTest, Bare) {
  EXPECT_EQ(Run({"--unscheduled"}), std::vector<std::string>());
  EXPECT_EQ(Counted(), 0U);
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

INSTANTIATE_TEST_SUITE_P(Policies, PolicyConformanceTest, testing::ValuesIn(model::kPolicies),
                         [](const auto& policy) { return std::string(model::PolicyName(policy.param)); });

// Policies that let a filler run beside a holder that is always active; the others have it wait for ever.
class FillerConformanceTest : public PolicyConformanceTest {};

TEST_P(FillerConformanceTest, SameAsAFillerBesideAHolder) {
  if (!std::filesystem::exists(SHIM)) GTEST_SKIP() << "the shim is not built";
  SetPolicy(GetParam());
  ExpectSameBeside("0");
}

INSTANTIATE_TEST_SUITE_P(Policies, FillerConformanceTest,
                         testing::Values(model::PolicyId::kShare, model::PolicyId::kPriority,
                                         model::PolicyId::kFill),
                         [](const auto& policy) { return std::string(model::PolicyName(policy.param)); });

}  // namespace
}  // namespace mortar::tests
