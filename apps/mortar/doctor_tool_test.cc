// `mortar doctor` on set-ups that are really broken.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "board/board.h"
#include "mortar/test_support.h"

namespace mortar::cli {
namespace {

class DoctorToolTest : public testing::Test {
 protected:
  Outcome Call(std::map<std::string, std::string> changes) const {
    changes.emplace("MORTAR_DIR", directory_.path());
    return RunMortar({"doctor", "--json"}, changes);
  }
  // The findings of `check` that are not ok.
  static std::vector<nlohmann::json> Found(const Outcome& outcome, const std::string& check) {
    std::vector<nlohmann::json> found;
    const auto json = nlohmann::json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out << outcome.err;
    if (json.is_discarded()) return found;
    EXPECT_EQ(json["well"], outcome.code == 0);
    for (const auto& finding : json["findings"]) {
      if (finding["check"] == check && finding["level"] != "ok") found.push_back(finding);
    }
    return found;
  }
  board::TemporaryDirectory directory_;
};

TEST_F(DoctorToolTest, FindsABoardThatIsOffAndOneThatIsNone) {
  auto board = board::Board::Open(directory_.path(), "gpu", true);
  ASSERT_TRUE(board.ok());
  EXPECT_TRUE(Found(Call({}), "off").empty());
  board->header().off = 1;
  std::ofstream(directory_.path() + "/junk") << "not a board";
  const auto outcome = Call({});
  EXPECT_EQ(outcome.code, 1);
  ASSERT_EQ(Found(outcome, "off").size(), 1U);
  EXPECT_EQ(Found(outcome, "off")[0]["mend"], "mortar on --device gpu");
  ASSERT_EQ(Found(outcome, "board").size(), 1U);
  EXPECT_NE(Found(outcome, "board")[0]["mend"].get<std::string>().find("rm " + directory_.path() + "/junk"),
            std::string::npos);
}

TEST_F(DoctorToolTest, FindsALoaderThatIgnoresLayers) {
  const auto outcome = Call({{"LD_LIBRARY_PATH", DEAF_LOADER_DIR}});
  EXPECT_EQ(outcome.code, 1);
  ASSERT_EQ(Found(outcome, "loader").size(), 1U) << outcome.out;
  EXPECT_NE(Found(outcome, "loader")[0]["what"].get<std::string>().find("ignores layers"), std::string::npos);
}

TEST_F(DoctorToolTest, FindsWhatIsWrongInTheEnvironment) {
  const auto outcome = Call({{"MORTAR_DIR", "/proc"},
                             {"MORTAR_PRIORITY", "12"},
                             {"MORTAR_DISABLE", "1"},
                             {"OPENCL_LAYERS", "/nowhere/layer.so"},
                             {"CUDA_MPS_PIPE_DIRECTORY", "/nowhere/mps"}});
  EXPECT_EQ(outcome.code, 1);
  ASSERT_EQ(Found(outcome, "directory").size(), 1U);
  EXPECT_NE(Found(outcome, "directory")[0]["what"].get<std::string>().find("not on tmpfs"),
            std::string::npos);
  EXPECT_EQ(Found(outcome, "environment").size(), 2U);
  EXPECT_EQ(Found(outcome, "layers").size(), 1U);
  EXPECT_EQ(Found(outcome, "mps").size(), 1U);
}

TEST_F(DoctorToolTest, FindsAStoppedClientThatRunsNoMortarOfOurs) {
  board::Notice joined;
  board::Child child([&] {
    auto board = board::Board::Open(directory_.path(), "gpu", true);
    if (!board.ok() || !board->Join({"serve"}).ok()) return 1;
    joined.Notify();
    raise(SIGSTOP);
    return 0;
  });
  joined.OnlyAwaitHere();
  ASSERT_EQ(joined.Await(), 1);
  int status = 0;
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  const auto found = Found(Call({}), "client");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["mend"], "kill -CONT " + std::to_string(child.pid()));
}

TEST_F(DoctorToolTest, SpeaksPlainlyAndExplainsItself) {
  const auto outcome = RunMortar({"doctor"}, {{"MORTAR_DIR", directory_.path()}, {"MORTAR_DISABLE", "1"}});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find("WRONG  environment"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("mend it:   unset MORTAR_DISABLE"), std::string::npos) << outcome.out;
  EXPECT_NE(RunMortar({"doctor", "--help"}, {}).out.find("Examples:"), std::string::npos);
}

}  // namespace
}  // namespace mortar::cli
