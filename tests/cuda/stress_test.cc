// Programs that could deadlock if something of Mortar's waited for the wrong thing: on the simulated device,
// under every policy, above or below another client that is busy all the while. All end, and compute what
// they should.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/test_support.h"
#include "model/model.h"
#include "support/program.h"

namespace mortar::tests {
namespace {

class CudaStressTest : public testing::TestWithParam<model::PolicyId> {
 protected:
  void SetUp() override {
    std::ofstream(boards.path() + "/gpu.toml") << "[device]\n[time]\nmode = \"merged\"\n[default]\nus = 20\n";
    auto board = board::Board::Open(boards.path(), "simulated 0000:01:00.0", /*create=*/true);
    ASSERT_TRUE(board.ok());
    board->header().policy.store(static_cast<std::uint32_t>(GetParam()));
    board->Bump();
  }
  Program Start(const std::string& name, int priority, const std::vector<std::string>& arguments) {
    return {STRESS_PROGRAM, arguments,
            Program::Environment{{"MORTAR_DIR", boards.path()},
                                 {"MORTAR_PROFILES", ""},
                                 {"MORTAR_SIM_DEVICE", boards.path() + "/gpu.toml"},
                                 {"MORTAR_CUDA_DRIVER", SIMULATED_DRIVER},
                                 {"LD_LIBRARY_PATH", FolderOf(SHIM) + ":" + FolderOf(SIMULATED_DRIVER)},
                                 {"MORTAR_NAME", name},
                                 {"MORTAR_PRIORITY", std::to_string(priority)}}};
  }
  Program StartBusy(int priority) {
    Program busy = Start("busy", priority, {"busy"});
    EXPECT_EQ(busy.ReadLine(), "busy");
    return busy;
  }

  board::TemporaryDirectory boards;
};

TEST_P(CudaStressTest, ManyStreamsAndThreadsAboveAnother) {
  Program busy = StartBusy(9);
  Program program = Start("threads", 0, {"threads", "64", "32", "30"});
  EXPECT_EQ(program.ReadLine(), "right");
  EXPECT_EQ(program.Wait(), 0) << program.Errors();
}

TEST_P(CudaStressTest, ManyStreamsAndThreadsBelowAnother) {
  Program busy = StartBusy(0);
  Program program = Start("threads", 9, {"threads", "64", "32", "4"});
  // Nobody below a client that never rests gets on under `exclusive`, by right: it rests now.
  if (GetParam() == model::PolicyId::kExclusive || GetParam() == model::PolicyId::kFikit) busy.CloseInput();
  EXPECT_EQ(program.ReadLine(), "right");
  EXPECT_EQ(program.Wait(), 0) << program.Errors();
}

TEST_P(CudaStressTest, StreamsThatWaitForMemory) {
  Program busy = StartBusy(9);
  Program program = Start("memory", 5, {"memory", "20"});
  EXPECT_EQ(program.ReadLine(), "right");
  EXPECT_EQ(program.Wait(), 0) << program.Errors();
}

// As a collective: each waits for what the other has yet to submit, and one of them is held.
TEST_P(CudaStressTest, ProcessesThatWaitForEachOther) {
  const std::string path = boards.path() + "/event";
  Program first = Start("first", 0, {"events", path, "first", "20"});
  Program second = Start("second", 9, {"events", path, "second", "20"});
  EXPECT_EQ(first.ReadLine(), "right");
  EXPECT_EQ(second.ReadLine(), "right");
  EXPECT_EQ(first.Wait(), 0) << first.Errors();
  EXPECT_EQ(second.Wait(), 0) << second.Errors();
}

INSTANTIATE_TEST_SUITE_P(Policies, CudaStressTest, testing::ValuesIn(model::kPolicies),
                         [](const auto& policy) { return std::string(model::PolicyName(policy.param)); });

}  // namespace
}  // namespace mortar::tests
